"""The authorizer's handler in its own process: log lines, imports, and the start with an invalid environment."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tenantgate.identity.session_entry import SESSION_SECRETS
from tests.fixtures.authorizer.handler_process import HandlerRun, me_event, run_handler
from tests.fixtures.authorizer.sessions import session_cookie
from tests.fixtures.servers.scripted_valkey import ScriptedValkey, replying
from tests.fixtures.tokens.issuer import TENANT, good_claims, public_jwks, sign

# Imports of a few milliseconds each, or of things that only some requests need.
SLOW = {"asyncio", "http.client", "ssl", "socket", "dataclasses", "inspect", "secrets", "hashlib", "urllib.parse"}
LATE = {
    "tenantgate.observability.logging",
    "tenantgate.tokens.fetch",
    "tenantgate.tokens.discovery",
    "tenantgate.settings.model",
}
# Only a cookie needs these, and only with `REDIS_URL`.
OF_COOKIES = {
    "tenantgate.authorizer.cookie_callers",
    "tenantgate.authorizer.cookie_environment",
    "tenantgate.cache_url",
    "tenantgate.crypto.opaque",
    "tenantgate.errors.cache",
    "tenantgate.identity.session",
    "tenantgate.identity.session_entry",
    "tenantgate.valkey_reader",
    "tenantgate.valkey_reader.reader",
}


def _run(bundle: Path, *authorizations: str, **variables: str) -> HandlerRun:
    events = [me_event(authorization, number=number) for number, authorization in enumerate(authorizations)]
    return run_handler(bundle, *events, **variables)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({**public_jwks("rsa-1"), "fetched_at": int(time.time())}))
    return path


def _valid() -> str:
    return f"Bearer {sign(good_claims(int(time.time())))}"


def _cookie() -> str:
    return session_cookie(SESSION_SECRETS.issue(TENANT).text)


def test_each_denial_is_logged_with_its_invocation(bundle: Path) -> None:
    without_tenant = f"Bearer {sign(good_claims(int(time.time()), tenant_id=None))}"
    done = _run(bundle, _valid(), "Bearer invalid", without_tenant)
    allowed, unauthorized, forbidden = done.responses
    assert allowed["isAuthorized"] is True
    assert unauthorized == {"exception": "Exception: Unauthorized"}
    assert forbidden["isAuthorized"] is False
    assert [
        (line["message"], line["request_id"], line["function_request_id"], line["cold_start"]) for line in done.lines
    ] == [
        ("denied", "gateway-1", "invocation-1", False),
        ("denied", "gateway-2", "invocation-2", False),
    ]
    assert [line["context"]["error_code"] for line in done.lines] == ["AUTH_004", "AUTH_005"]
    assert done.stderr == ""


def test_the_first_invocation_is_the_cold_start(bundle: Path) -> None:
    [line] = _run(bundle, "Bearer invalid").lines
    assert line["cold_start"] is True


def test_an_allowed_request_is_logged_only_at_debug(bundle: Path) -> None:
    assert _run(bundle, _valid()).lines == []
    [line] = _run(bundle, _valid(), LOG_LEVEL="DEBUG").lines
    assert (line["message"], line["user_id"], line["tenant_id"]) == ("allowed", "user-1", TENANT)


@pytest.mark.parametrize(
    "variables",
    [pytest.param({}, id="without-valkey"), pytest.param({"REDIS_URL": "rediss://valkey.test"}, id="with-valkey")],
)
def test_an_allowed_request_imports_nothing_unnecessary(bundle: Path, variables: dict[str, str]) -> None:
    modules = _run(bundle, _valid(), **variables).modules
    assert not modules & (SLOW | LATE | OF_COOKIES)
    assert "cryptography.hazmat.primitives.asymmetric.ec" not in modules


def test_a_cookie_next_to_a_token_imports_nothing_of_sessions(bundle: Path) -> None:
    done = run_handler(bundle, me_event(_valid(), cookie=_cookie()), REDIS_URL="rediss://valkey.test")
    assert done.responses[0]["isAuthorized"] is True
    assert not done.modules & (SLOW | LATE | OF_COOKIES)


def test_a_cookie_without_valkey_is_rejected_before_a_socket_is_imported(bundle: Path) -> None:
    cookie = _cookie()
    done = run_handler(bundle, me_event(None, cookie=cookie))
    assert done.responses == [{"exception": "Exception: Unauthorized"}]
    [line] = done.lines
    assert (line["context"]["error_code"], line["context"]["finding"]) == (
        "AUTH_007",
        "a session cookie counts only if REDIS_URL is set",
    )
    assert cookie.partition("=")[2] not in done.output
    assert not done.modules & {"tenantgate.valkey_reader", "tenantgate.valkey_reader.reader", "ssl"}


def test_a_plain_connection_to_valkey_imports_no_tls(bundle: Path) -> None:
    with ScriptedValkey(replying(b"*2\r\n$-1\r\n$-1\r\n")) as server:
        # At WARNING a denial is not logged, and logging imports more than this.
        done = run_handler(bundle, me_event(None, cookie=_cookie()), REDIS_URL=server.url, LOG_LEVEL="ERROR")
    assert (done.responses, done.lines) == ([{"exception": "Exception: Unauthorized"}], [])
    assert "tenantgate.valkey_reader.reader" in done.modules
    assert not done.modules & (SLOW - {"socket"} | LATE)


def test_without_a_response_of_valkey_there_is_a_failure(bundle: Path) -> None:
    cookie = _cookie()
    url = "redis://user:secret-word@127.0.0.1:1"
    done = run_handler(bundle, me_event(None, cookie=cookie), REDIS_URL=url)
    assert done.responses == [{"exception": "AuthorizerFailed: SYS_005"}]
    [line] = done.lines
    assert (line["level"], line["message"], line["context"]["error_code"]) == ("ERROR", "no decision", "SYS_005")
    assert (line["context"]["server"], line["context"]["failure"]) == ("127.0.0.1:1", "ConnectionRefusedError")
    assert "secret-word" not in done.output
    assert cookie.partition("=")[2] not in done.output


def test_an_invalid_environment_stops_the_start_and_every_problem_is_named(bundle: Path) -> None:
    done = _run(bundle, OIDC_ISSUER_URL="http://issuer.example.test", JWKS_CACHE_TTL_SECONDS="often")
    assert done.returncode == 1
    assert "OIDC_ISSUER_URL='http://issuer.example.test': must be an https:// URL" in done.stderr
    assert "JWKS_CACHE_TTL_SECONDS='often': must be a whole number from 1 to 86400" in done.stderr
