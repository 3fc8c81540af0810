"""The authorizer's handler in its own process: log lines, imports, and the start with an invalid environment."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tenantgate.identity.session_entry import SESSION_SECRETS
from tenantgate.revoked.names import token_name
from tenantgate.tokens.tenant import DEPLOYMENT
from tests.fixtures.authorizer.handler_process import HandlerRun, me_event, run_handler
from tests.fixtures.authorizer.sessions import entry, session_cookie
from tests.fixtures.revoked.snapshots import published, snapshot
from tests.fixtures.servers.scripted_valkey import ScriptedValkey, reply, replying
from tests.fixtures.tokens.issuer import ISSUER, TENANT, good_claims, public_jwks, sign

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
    "tenantgate.crypto.opaque",
    "tenantgate.identity.session",
    "tenantgate.identity.session_entry",
}
# Only `REDIS_URL` brings these.
OF_VALKEY = {
    "tenantgate.authorizer.valkey",
    "tenantgate.cache_url",
    "tenantgate.errors.cache",
    "tenantgate.identity.presented",
    "tenantgate.revoked",
    "tenantgate.revoked.holder",
    "tenantgate.revoked.reader",
    "tenantgate.revoked.snapshot",
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
        (message, f"gateway-{number}", f"invocation-{number}", False)
        for number in (1, 2)
        for message in ("denied", "audit event")
    ]
    assert [line["context"]["error_code"] for line in done.lines[::2]] == ["AUTH_004", "AUTH_005"]
    assert [line["context"]["audit"]["log"] for line in done.lines[1::2]] == [DEPLOYMENT] * 2
    assert done.stderr == ""


def test_the_first_invocation_is_the_cold_start(bundle: Path) -> None:
    lines = _run(bundle, "Bearer invalid").lines
    assert [(line["message"], line["cold_start"]) for line in lines] == [("denied", True), ("audit event", True)]


def test_an_allowed_request_is_logged_only_at_debug(bundle: Path) -> None:
    assert _run(bundle, _valid()).lines == []
    [line] = _run(bundle, _valid(), LOG_LEVEL="DEBUG").lines
    assert (line["message"], line["user_id"], line["tenant_id"]) == ("allowed", "user-1", TENANT)


def test_an_allowed_request_imports_nothing_unnecessary(bundle: Path) -> None:
    modules = _run(bundle, _valid()).modules
    assert not modules & (SLOW | LATE | OF_COOKIES | OF_VALKEY)
    assert "cryptography.hazmat.primitives.asymmetric.ec" not in modules


def test_with_valkey_nothing_of_it_is_imported_before_a_good_token(bundle: Path) -> None:
    forged = _valid().rpartition(".")[0] + ".AAAA"
    done = _run(bundle, forged, REDIS_URL="rediss://valkey.test", LOG_LEVEL="ERROR")
    assert done.responses == [{"exception": "Exception: Unauthorized"}]
    # Its audit event is written at every level, which imports the logging.
    assert not done.modules & (SLOW | (LATE - {"tenantgate.observability.logging"}) | OF_COOKIES | OF_VALKEY)
    assert [line["message"] for line in done.lines] == ["audit event"]


def test_a_token_is_judged_over_one_connection_and_imports_nothing_of_sessions(bundle: Path) -> None:
    with ScriptedValkey(replying(reply(*published(snapshot()).values(), None))) as server:
        events = (me_event(_valid(), cookie=_cookie()), me_event(_valid()))
        done = run_handler(bundle, *events, REDIS_URL=server.url)
    # Within half a second, the second one reads nothing.
    assert [response["isAuthorized"] for response in done.responses] == [True, True]
    assert (server.connections, done.lines) == (1, [])
    assert done.modules >= OF_VALKEY
    assert not done.modules & (SLOW - {"socket"} | LATE | OF_COOKIES)


def test_tokens_and_cookies_share_a_connection_and_a_list(bundle: Path) -> None:
    now = int(time.time())
    live = entry(auth_time=now, expires_at=now + 3600, last_used_at=now, fresh_until=now + 300)
    script = replying(reply(live.to_json(), None), reply(*published(snapshot()).values(), None))
    with ScriptedValkey(script) as server:
        events = (me_event(None, cookie=_cookie()), me_event(_valid()))
        done = run_handler(bundle, *events, REDIS_URL=server.url)
    assert [response["context"]["auth_method"] for response in done.responses] == ["session", "bearer"]
    assert server.connections == 1


def test_a_revoked_token_is_a_401_and_logged_as_such(bundle: Path) -> None:
    current = snapshot(exact=[token_name(ISSUER, "token-1", "")])
    with ScriptedValkey(replying(reply(*published(current).values(), None))) as server:
        done = _run(bundle, _valid(), REDIS_URL=server.url)
    assert done.responses == [{"exception": "Exception: Unauthorized"}]
    line, event = done.lines
    assert [line["context"][name] for name in ("error_code", "reason", "check", "actual")] == [
        *("AUTH_030", "token_revoked", "revocation", "token"),
    ]
    assert (event["context"]["event"], event["context"]["audit"]["log"]) == ("AUTH_TOKEN_REFUSED", TENANT)


def test_without_a_list_of_revocations_there_is_no_decision(bundle: Path) -> None:
    token, url = _valid(), "redis://user:secret-word@127.0.0.1:1"
    done = _run(bundle, token, REDIS_URL=url)
    assert done.responses == [{"exception": "AuthorizerFailed: SYS_011"}]
    [line] = done.lines
    assert (line["level"], line["message"]) == ("ERROR", "no decision")
    assert [line["context"][name] for name in ("error_code", "reason", "check", "status", "problem")] == [
        *("SYS_011", "revocation_unknown", "revocation", 500, "the server can't be reached"),
    ]
    assert "secret-word" not in done.output
    assert token.partition(" ")[2] not in done.output


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
    with ScriptedValkey(replying(reply(None, None))) as server:
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
