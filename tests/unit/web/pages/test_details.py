"""The rows of an error page: printable, bounded, and without JSON."""

from collections.abc import Mapping

import pytest

from tenantgate.context import RequestContext, begin_request
from tenantgate.errors.base import Detail, TenantgateError, ValidationFailed
from tenantgate.observability.redaction import CarriedSecrets, carry_secrets
from tenantgate.web.pages.details import details


@pytest.fixture(autouse=True)
def _request() -> None:
    begin_request(RequestContext(request_id="request-4711"))


@pytest.mark.parametrize(
    ("detail", "description", "remedy", "rows"),
    [
        pytest.param(None, None, None, [], id="none"),
        pytest.param(
            {"provider_error": "access_denied", "description": 'It\'s "no".', "remedy": "Ask."},
            'It\'s "no".',
            "Ask.",
            [("provider_error", "access_denied")],
            id="provider",
        ),
        pytest.param(
            [{"field": "query.state", "problem": "Field required"}, {"field": "", "problem": "Input's invalid"}],
            None,
            None,
            [("query.state", "Field required"), ("request", "Input's invalid")],
            id="validation",
        ),
        pytest.param(
            {"a": {"b": [1, "x'y", None], "c": True}},
            None,
            None,
            [("a.b", "1, x'y, null"), ("a.c", "true")],
            id="nested",
        ),
        pytest.param({"host": "a\x1b[2J\u202eb\n\x00c"}, None, None, [("host", "a [2J b  c")], id="control-characters"),
        pytest.param({"host": "x" * 5000}, None, None, [("host", "x" * 1000 + "…")], id="long"),
        pytest.param({f"n{i}": i for i in range(99)}, None, None, [(f"n{i}", str(i)) for i in range(40)], id="many"),
    ],
)
def test_the_detail_of_an_error(
    detail: Detail, description: str | None, remedy: str | None, rows: list[tuple[str, str]]
) -> None:
    assert details(TenantgateError(detail=detail), debug=False) == (None, description, remedy, rows)
    assert details(TenantgateError(detail=detail), debug=True) == (None, description, remedy, rows)


def test_a_detail_of_one_sentence_is_a_text() -> None:
    error = TenantgateError("Set OIDC_RESOURCE.", detail="Set OIDC_RESOURCE.")

    assert details(error, debug=False) == ("Set OIDC_RESOURCE.", None, None, [])
    assert details(error, debug=True).rows == [("kind", "TenantgateError")]


def test_debugging_adds_the_private_side_without_repeating_a_text() -> None:
    error = TenantgateError(
        "the provider returned an error",
        detail={"provider_error": "access_denied", "description": "Declined."},
        provider_error="access_denied",
        description="Declined.",
        expected="org-1",
    )

    assert details(error, debug=False) == (None, "Declined.", None, [("provider_error", "access_denied")])
    assert details(error, debug=True) == (
        None,
        "Declined.",
        None,
        [
            ("provider_error", "access_denied"),
            ("reason", "the provider returned an error"),
            ("kind", "TenantgateError"),
            ("expected", "org-1"),
        ],
    )


@pytest.mark.parametrize("sent", ["the provider returned an error", "TenantgateError", "expected_value", "reason"])
def test_our_own_words_are_not_masked_when_a_caller_sends_them(sent: str) -> None:
    def failing() -> None:
        raise TenantgateError("the provider returned an error", expected_value="not-sent")

    carry_secrets(CarriedSecrets([(b"cookie", f"x={sent}".encode())], f"q={sent}".encode()))
    with pytest.raises(TenantgateError) as raised:
        failing()

    assert details(raised.value, debug=True).rows == [
        ("reason", "the provider returned an error"),
        ("kind", "TenantgateError"),
        ("expected_value", "not-sent"),
    ]


def test_a_validation_error_shows_its_fields() -> None:
    problems: list[Mapping[str, object]] = [{"field": "body.iss", "problem": "Input should be a valid string"}]
    assert details(ValidationFailed(detail=problems), debug=True).rows == [
        ("body.iss", "Input should be a valid string")
    ]
