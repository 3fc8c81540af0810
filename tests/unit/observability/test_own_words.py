"""A caller that sends our own words can't mask them; what it sends is masked all the same."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote_plus

import pytest

from tenantgate.audit.line import Marked
from tenantgate.audit.types import EVENT_TYPES
from tenantgate.context import RequestContext, begin_request
from tenantgate.errors.base import REGISTRY, TenantgateError, Word
from tenantgate.errors.tokens import InvalidSignature
from tenantgate.observability.logging import configure_logging
from tenantgate.observability.redaction import MASK, CarriedSecrets, carry_secrets, redact_context
from tenantgate.observability.security_events import EVENTS, MEMBERS
from tenantgate.web.request_log import log_failure
from tests.fixtures.web.setup import log_lines

_log = logging.getLogger("tenantgate.x")
SECRET = "hunter2-and-more"


@contextmanager
def carrying(*values: str) -> Iterator[None]:
    carry_secrets(CarriedSecrets([], "&".join(f"a={quote_plus(value)}" for value in values).encode()))
    try:
        yield
    finally:
        carry_secrets(None)


@pytest.fixture(autouse=True)
def _configured() -> None:
    configure_logging(level="DEBUG", service="service-name")


def test_a_template_stays_and_its_argument_is_masked(capsys: pytest.CaptureFixture[str]) -> None:
    with carrying("request completed", "completed by", SECRET):
        _log.info("request completed")
        _log.info("request completed by %s, %r", SECRET, (SECRET,))
        _log.info("request completed by %(who)s after %(n)d", {"who": SECRET, "n": 3})
        _log.info("request completed by %.7s", SECRET)
    messages = [line["message"] for line in log_lines(capsys.readouterr().out)]
    assert messages == [
        "request completed",
        f"request completed by {MASK}, ('{MASK}',)",
        f"request completed by {MASK} after 3",
        f"request completed by {MASK}",
    ]


def test_a_composed_message_keeps_only_its_literal_parts(capsys: pytest.CaptureFixture[str]) -> None:
    with carrying("the request of", SECRET):
        _log.info(f"the request of {SECRET} failed")
        logging.getLogger("some.library").warning("GET " + SECRET)  # noqa: G003
    messages = [line["message"] for line in log_lines(capsys.readouterr().out)]
    assert messages == [f"the request of {MASK} failed", f"GET {MASK}"]


def test_a_template_that_is_not_a_literal_of_its_caller_is_masked(capsys: pytest.CaptureFixture[str]) -> None:
    def log_for_a_caller(text: str) -> None:
        _log.info(text)
        _log.info(text + " and %s", "more")

    with carrying(SECRET):
        log_for_a_caller(SECRET)
    assert [line["message"] for line in log_lines(capsys.readouterr().out)] == [MASK, f"{MASK} and more"]


def test_a_number_among_the_arguments_that_the_caller_sent_is_masked(capsys: pytest.CaptureFixture[str]) -> None:
    with carrying("4915112345"):
        _log.info("called %s", 4915112345)
        _log.info("called %d", 4915112345)
        _log.info("took %d of %.1f", 123456, 1.25)
    messages = [line["message"] for line in log_lines(capsys.readouterr().out)]
    assert messages == [f"called {MASK}", f"called {MASK}", "took 123456 of 1.2"]


def errors() -> list[type[TenantgateError]]:
    found, ends = [], [TenantgateError]
    while ends:
        ends += (subclasses := ends.pop().__subclasses__())
        found += subclasses
    # Those of the two registries; others make their own arguments.
    return [
        kind for kind in found if kind.__module__.startswith("tenantgate.") and "errors" in kind.__module__.split(".")
    ]


def test_no_code_no_kind_and_no_member_name_is_masked(capsys: pytest.CaptureFixture[str]) -> None:
    kinds = errors()
    names = ["error_code", "reason", "private", "expected_value", "request refused", "request failed"]
    names += ["security event", "check", *MEMBERS, *EVENTS, "audit event", "audit", *Marked._fields, *EVENT_TYPES]
    with carrying(*REGISTRY, *(kind.__name__ for kind in kinds), *names, SECRET):
        for kind in kinds:
            failure = kind.__new__(kind)  # some make their own arguments
            TenantgateError.__init__(failure, SECRET, expected_value=SECRET)
            log_failure(failure)
    written = log_lines(capsys.readouterr().out)
    audited = [line["context"] for line in written if line["message"] == "audit event"]
    written = [line for line in written if line["message"] != "audit event"]
    assert {one["event"] for one in audited} >= {"AUTH_PERMISSION_DENIED", "CROSS_SITE_REQUEST_REFUSED"}
    assert all({*one["audit"]} == {*Marked._fields} - {"event"} and MASK not in str(one) for one in audited)
    lines = [line for line in written if line["message"] != "security event"]
    assert len(lines) == len(kinds) > 20
    events = [(line["context"]["event"], line["context"]["check"]) for line in written if line not in lines]
    assert events == [(kind.security_event, kind.__name__) for kind in kinds if kind.security_event is not None]
    for kind, line in zip(kinds, lines, strict=True):
        context = line["context"]
        assert line["message"] in ("request refused", "request failed")
        assert (context["error_code"], context["kind"]) == (kind.error.code, kind.__name__)
        assert (context["reason"], context["private"]) == (MASK, {"expected_value": MASK})


def test_the_literals_of_a_reason_stay_and_its_values_are_masked(capsys: pytest.CaptureFixture[str]) -> None:
    def verify(token: str) -> None:
        if token:
            raise InvalidSignature(f"the signature doesn't verify for {token}")

    with carrying("the signature doesn't verify", SECRET):
        try:
            verify(SECRET)
        except InvalidSignature as error:
            log_failure(error)
    (line,) = log_lines(capsys.readouterr().out)
    assert line["context"]["reason"] == f"the signature doesn't verify for {MASK}"


@pytest.mark.parametrize("method", ["OPTIONS", "DELETE", "CONNECT"])
def test_the_protocols_methods_stay(method: str) -> None:
    with carrying(method, method.lower()):
        assert redact_context({"method": method}) == {"method": method}


def test_no_structural_member_can_be_masked(capsys: pytest.CaptureFixture[str]) -> None:
    begin_request(RequestContext("request-0123456789", user_id="user-0123456789", tenant_id="tenant-0123456789"))
    plain = {"status": 204123, "duration_ms": 123456.789, "gateway_request_id": Word("gateway-0123456789")}

    def say() -> None:
        _log.error("request completed", extra={"context": plain})

    say()
    (before,) = log_lines(capsys.readouterr().out)
    texts = [str(value) for value in (*before.values(), *plain.values())]
    with carrying(*texts, before["timestamp"][:10], before["timestamp"][:16], "tenantgate", "ERROR"):
        say()
    (after,) = log_lines(capsys.readouterr().out)
    assert before | {"timestamp": ""} == after | {"timestamp": ""}
    assert after["timestamp"][:10] == before["timestamp"][:10]


def test_a_word_that_has_the_form_of_a_secret_is_masked_by_its_form() -> None:
    assert redact_context({"rule": Word("Bearer Zm9vYmFyLXNlY3JldA")}) == {"rule": f"Bearer {MASK}"}
    assert redact_context({"password": Word("word")}) == {"password": MASK}
