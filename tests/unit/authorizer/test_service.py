"""The service with events of an HTTP API (payload format 2.0, simple responses)."""

from __future__ import annotations

import contextlib
import json
import logging
from typing import NoReturn

import pytest

from tenantgate.authorizer.service import Authorizer, AuthorizerFailed
from tenantgate.errors.tokens import ProviderTimeout, ProviderUnreachable
from tenantgate.identity.bearer import BearerCredential
from tenantgate.identity.credential import Credentials
from tests.fixtures.authorizer.guarded import rules
from tests.fixtures.tokens.forged_tokens import FORGED, PUBLISHED_JWKS
from tests.fixtures.tokens.forging import Forged
from tests.fixtures.tokens.issuer import ISSUER, NOW, TENANT, good_claims, policy_of, sign, static_verifier

RULES = """\
version = 1
[[api]]
name = "ours"
ids = ["*"]
[[api.route]]
route = "GET /api/v1/auth/me"
"""


def _event(authorization: str | None, **changes: object) -> dict[str, object]:
    headers = {"accept": "*/*", "host": "api.example.test", "x-forwarded-for": "203.0.113.9"}
    if authorization is not None:
        headers["authorization"] = authorization
    return {
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": "arn:aws:execute-api:eu-central-1:123456789012:abcdef1234/$default/GET/api/v1/auth/me",
        "identitySource": [authorization] if authorization else None,
        "routeKey": "GET /api/v1/auth/me",
        "rawPath": "/api/v1/auth/me",
        "rawQueryString": "patient=jo",
        "headers": headers,
        "queryStringParameters": {"patient": "jo"},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdef1234",
            "http": {"method": "GET", "path": "/api/v1/auth/me", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.9"},
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "GET /api/v1/auth/me",
            "stage": "$default",
            "time": "21/Sep/2026:13:33:20 +0000",
            "timeEpoch": NOW * 1000,
        },
        "pathParameters": None,
        "stageVariables": None,
        **changes,
    }


@pytest.fixture
def authorizer() -> Authorizer:
    return _authorizer(BearerCredential(static_verifier(PUBLISHED_JWKS), policy_of()))


def _authorizer(credential: BearerCredential | _Failing) -> Authorizer:
    return Authorizer(Credentials(credential), rules(RULES), clock=lambda: NOW)


def test_a_good_token_is_allowed_with_its_identity_as_context(authorizer: Authorizer) -> None:
    response = authorizer.decide(_event(f"Bearer {sign(good_claims())}"))
    assert response == {
        "isAuthorized": True,
        "context": {
            "user_id": "user-1",
            "tenant_id": TENANT,
            "issuer": ISSUER,
            "scopes": "orders:read orders:write",
            "expires_at": NOW + 600,
            "auth_method": "bearer",
            "request_id": "JKJaXmPLvHcESHA=",
        },
    }
    assert json.loads(json.dumps(response)) == response


def test_the_callers_request_id_is_used_if_it_is_well_formed(authorizer: Authorizer) -> None:
    token = f"Bearer {sign(good_claims())}"
    for offered, expected in (
        ("my-request-0001", "my-request-0001"),
        ("x\ny", "JKJaXmPLvHcESHA="),
        ("", "JKJaXmPLvHcESHA="),
    ):
        event = _event(token)
        event["headers"] = {"authorization": token, "x-request-id": offered}
        assert authorizer.decide(event)["context"]["request_id"] == expected


def test_a_request_id_that_was_sent_twice_is_not_used(authorizer: Authorizer) -> None:
    token = f"Bearer {sign(good_claims())}"
    event = _event(token)
    event["headers"] = {"authorization": token, "x-request-id": "my-request-0001", "X-Request-Id": "my-request-0002"}
    assert authorizer.decide(event)["context"]["request_id"] == "JKJaXmPLvHcESHA="


@pytest.mark.parametrize(
    "authorization", [None, "", "Basic dXNlcjpwYXNz", "Bearer", "Bearer a,Bearer b", "Bearer " + "A" * 65536]
)
def test_a_missing_or_malformed_credential_is_the_exception_that_means_401(
    authorization: str | None, authorizer: Authorizer
) -> None:
    with pytest.raises(Exception, match=r"\AUnauthorized\Z") as error:
        authorizer.decide(_event(authorization))
    assert type(error.value) is Exception


# Spaces around a token belong to the header's syntax, not to the token (RFC 9110 §5.5).
@pytest.mark.parametrize(
    "forged", [pytest.param(forged, id=forged.name) for forged in FORGED if not forged.name.startswith("blank")]
)
def test_a_forged_token_is_the_exception_that_means_401(forged: Forged, authorizer: Authorizer) -> None:
    token = forged.build()
    with pytest.raises(Exception, match=r"\AUnauthorized\Z"):
        authorizer.decide(_event(f"Bearer {token}"))


@pytest.mark.parametrize("tenant", [None, "acme", [TENANT, TENANT], {"id": TENANT}])
def test_a_genuine_token_without_a_tenant_is_403(tenant: object, authorizer: Authorizer) -> None:
    response = authorizer.decide(_event(f"Bearer {sign(good_claims(tenant_id=tenant))}"))
    assert response == {"isAuthorized": False, "context": response["context"]}
    reason = "tenant_missing" if tenant is None else "tenant_malformed"
    assert response["context"] == {"request_id": "JKJaXmPLvHcESHA=", "error_code": "AUTH_005", "reason": reason}


class _Failing:
    scheme = "bearer"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def authenticate(self, value: str, *, fetch: bool = True) -> NoReturn:
        raise self.error


@pytest.mark.parametrize(
    "error", [ProviderUnreachable("down"), ProviderTimeout("slow"), KeyError("bug"), RecursionError()]
)
def test_a_failure_of_the_authorizer_neither_allows_nor_is_a_401(error: Exception) -> None:
    with pytest.raises(AuthorizerFailed) as failure:
        _authorizer(_Failing(error)).decide(_event("Bearer a.b.c"))
    assert str(failure.value) in ("SYS_004", "SYS_003")


@pytest.mark.parametrize(
    "changes",
    [{"headers": None}, {"headers": []}, {"headers": {"authorization": ["Bearer x"]}}],
)
def test_an_odd_event_is_never_allowed(changes: dict[str, object], authorizer: Authorizer) -> None:
    with pytest.raises(Exception, match="Unauthorized"):
        authorizer.decide(_event(None, **changes))


def test_a_denial_is_one_line_that_names_the_failed_check(
    authorizer: Authorizer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = sign(good_claims(aud="another-api"))
    with pytest.raises(Exception, match="Unauthorized"):
        authorizer.decide(_event(f"Bearer {token}"))
    [line] = [record for record in caplog.records if record.name.startswith("tenantgate.authorizer")]
    assert (line.levelname, line.message) == ("INFO", "denied")
    context = line.context  # type: ignore[attr-defined]
    assert {**context, "finding": str(context["finding"])} == {
        "error_code": "AUTH_004",
        "check": "audience",
        "reason": "wrong_audience",
        "finding": "aud names another audience",
        "shape": "http-2.0",
        "api_id": "abcdef1234",
        "method": "GET",
        "path": "/api/v1/auth/me",
        "status": 401,
        "gateway_request_id": "JKJaXmPLvHcESHA=",
        "claim": "aud",
        "expected": ("tenantgate-api",),
        "actual": "another-api",
    }


def test_no_line_contains_a_part_of_a_token_or_of_the_query(
    authorizer: Authorizer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for token in (
        sign(good_claims()),
        sign(good_claims(exp=NOW - 100, iat=NOW - 200)),
        sign(good_claims(tenant_id="x")),
    ):
        caplog.clear()
        with contextlib.suppress(Exception):
            authorizer.decide(_event(f"Bearer {token}"))
        text = " ".join(str(record.__dict__) for record in caplog.records)
        assert text
        assert not any(part in text for part in (*token.split("."), "patient", "jo'"))


def test_a_failure_of_the_authorizer_is_logged_as_an_error(caplog: pytest.LogCaptureFixture) -> None:
    for error in (ProviderUnreachable("down"), KeyError("bug")):
        caplog.clear()
        with pytest.raises(AuthorizerFailed):
            _authorizer(_Failing(error)).decide(_event("Bearer a.b.c"))
        assert [record.levelname for record in caplog.records] == ["ERROR"]
