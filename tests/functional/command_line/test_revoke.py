"""`tenantgate revoke` with a real PostgreSQL and Valkey: its words, its JSON, and the records."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tenantgate.database.pool import PooledDatabase
from tenantgate.revoked.names import client_name, kid_name, session_name, tenant_name, token_name, user_name
from tenantgate.revoked.snapshot import BODY_KEY, Snapshot
from tenantgate.sessions.models import StoredSession
from tenantgate.sessions.repository import SessionRepository
from tenantgate_cli.main import app
from tests.fixtures.databases.postgres import DatabaseUrls, execute
from tests.fixtures.databases.session_stores import ENDINGS, stored_session
from tests.fixtures.databases.valkey import command

TENANT = "org-00000000-0000-4000-8000-00000000000a"
ISSUER = "https://issuer.example"
SETTINGS = {
    "ENVIRONMENT": "development",
    "OIDC_ISSUER_URL": ISSUER,
    "OIDC_CLIENT_ID": "client",
    "OIDC_AUDIENCE": "api",
}


@pytest.fixture
def urls(database_urls: DatabaseUrls, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> DatabaseUrls:
    execute(database_urls.admin_url, "DELETE FROM revocations", "DELETE FROM sessions")
    for name, value in {**SETTINGS, "DATABASE_URL": database_urls.app_url, "REDIS_URL": redis_url}.items():
        monkeypatch.setenv(name, value)

    def process_settings() -> object:
        raise AssertionError("a command has the deployment's settings, not those of its own process")

    for module in ("revocation", "secrets", "sessions"):
        monkeypatch.setattr(f"tenantgate.{module}.wiring.get_settings", process_settings)
    return database_urls


def revoke(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(app, ["revoke", *arguments], input=given)


def result(*arguments: str, given: str | None = None) -> dict[str, Any]:
    ran = revoke(*arguments, "--json", given=given)
    # Before it, lines of the log, if another test of this process has configured it.
    line = ran.stdout.splitlines()[-1]
    parsed: dict[str, Any] = json.loads(line)
    assert parsed["ok"] is (ran.exit_code == 0)
    return parsed


def recorded(urls: DatabaseUrls) -> dict[bytes, str]:
    *_, rows = execute(urls.admin_url, "SELECT name, kind FROM revocations")
    return {row["name"]: row["kind"] for row in rows}


def published(redis_url: str) -> Snapshot:
    found = Snapshot.from_json(command(redis_url, "GET", BODY_KEY))
    assert found is not None
    return found


def add_session(urls: DatabaseUrls, **changes: Any) -> StoredSession:
    tokens = (token_name(ISSUER, "issued", "") + (int(time.time()) + 600).to_bytes(4),)
    session = stored_session(tenant_id=TENANT, issued_tokens=tokens, **changes)

    async def run() -> None:
        database = PooledDatabase(urls.app_url)
        await SessionRepository(database, ENDINGS).add(session)
        await database.dispose()

    asyncio.run(run())
    return session


def jwt(**claims: Any) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256"}, {"iss": ISSUER, **claims})]
    encoded = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (*parts, b"signature")]
    return ".".join(encoded)


@pytest.mark.parametrize("token_id", ["id-1", None])
def test_a_token_from_standard_input(token_id: str | None, urls: DatabaseUrls, redis_url: str) -> None:
    expires_at = int(time.time()) + 600
    text = jwt(exp=expires_at, **({} if token_id is None else {"jti": token_id}))
    ran = revoke("token", "-", given=text + "\n")
    assert ran.exit_code == 0
    assert "is revoked" in ran.stdout
    assert "everywhere by" in ran.stdout
    assert text not in ran.output
    name = token_name(ISSUER, token_id, text)
    assert recorded(urls) == {name: "token"}
    assert name in published(redis_url).exact
    assert result("token", "-", given=text)["revoked"] == {"issuer": ISSUER, "jti": token_id, "expires_at": expires_at}


def test_a_token_by_its_id(urls: DatabaseUrls) -> None:
    assert result("token", "--issuer", ISSUER, "--jti", "id-2")["kind"] == "token"
    assert recorded(urls) == {token_name(ISSUER, "id-2", ""): "token"}


@pytest.mark.parametrize(
    ("arguments", "given", "words"),
    [
        (["token"], None, "name one token"),
        (["token", "--issuer", ISSUER], None, "name one token"),
        (["token", "-", "--jti", "x"], None, "name one token"),
        (["token", "eyJh.eyJh.AAAA"], None, "history"),
        (["token", "-"], "no token", "no token"),
        (["token", "-"], "x" * 100_000, "no token"),
        (["token", "-"], jwt(exp=1_700_000_000), "expired"),
        (["session", "1", "--tenant", TENANT], None, "isn't a session id"),
        (["kid", "key-1", "--issuer", ISSUER, "--lift"], None, "isn't revoked"),
    ],
)
def test_a_mistake_revokes_nothing(arguments: list[str], given: str | None, words: str, urls: DatabaseUrls) -> None:
    ran = revoke(*arguments, given=given)
    assert ran.exit_code == 1
    assert words in " ".join(ran.output.split())
    assert recorded(urls) == {}


def test_a_session_with_its_tokens(urls: DatabaseUrls, redis_url: str) -> None:
    session = add_session(urls)
    shown = result("session", str(session.id), "--tenant", TENANT)
    assert shown["revoked"] == {"session": str(session.id), "tenant": TENANT, "sessions": 1}
    names = {session_name(TENANT, str(session.id)): "session", token_name(ISSUER, "issued", ""): "token"}
    assert recorded(urls) == names
    assert published(redis_url).exact >= names.keys()
    again = revoke("session", str(session.id), "--tenant", TENANT)
    assert again.exit_code == 0
    assert "isn't stored" in again.stdout or "is not stored" in again.stdout


def test_a_session_of_another_tenant_stays(urls: DatabaseUrls) -> None:
    session = add_session(urls)
    result("session", str(session.id), "--tenant", "org-other")
    assert recorded(urls) == {session_name("org-other", str(session.id)): "session"}
    assert execute(urls.admin_url, "SELECT count(*) AS n FROM sessions")[-1][0]["n"] == 1


def test_a_user_with_the_sessions(urls: DatabaseUrls) -> None:
    sessions = [add_session(urls) for _ in range(2)]
    add_session(urls, user_id="user-2")
    ran = revoke("user", "user-1", "--tenant", TENANT, "--issuer", ISSUER)
    assert ran.exit_code == 0
    assert "2 sessions have ended" in " ".join(ran.stdout.split())
    kinds = recorded(urls)
    assert kinds[user_name(TENANT, ISSUER, "user-1")] == "user"
    assert {session_name(TENANT, str(session.id)) for session in sessions} < kinds.keys()
    assert execute(urls.admin_url, "SELECT user_id FROM sessions")[-1][0]["user_id"] == "user-2"


def test_a_tenant_with_its_sessions(urls: DatabaseUrls) -> None:
    now = int(time.time())
    for user in ("user-1", "user-2"):
        add_session(urls, user_id=user, auth_time=now - 600)
    after = add_session(urls, auth_time=now + 3600)
    ran = revoke("tenant", TENANT)
    assert ran.exit_code == 0
    assert f"the tenant {TENANT} is revoked, and 2 sessions have ended" in " ".join(ran.stdout.split())
    # The tenant's revocation refuses their cookies and tokens: the list gets no entry for each of them.
    assert recorded(urls) == {tenant_name(TENANT): "tenant"}
    (left,) = execute(urls.admin_url, "SELECT id FROM sessions")[-1]
    assert left["id"] == after.id
    assert result("tenant", TENANT)["revoked"] == {"tenant": TENANT, "sessions": 0}


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["client", "reports", "--issuer", ISSUER], client_name(ISSUER, "reports")),
        (["tenant", TENANT], tenant_name(TENANT)),
        (["kid", "key-1", "--issuer", ISSUER], kid_name(ISSUER, "key-1")),
    ],
)
def test_a_client_a_tenant_and_a_key(arguments: list[str], name: bytes, urls: DatabaseUrls, redis_url: str) -> None:
    shown = result(*arguments)
    assert shown["everywhere_by"] == shown["at"] + 5
    assert recorded(urls) == {name: arguments[0]}
    found = published(redis_url)
    assert name in found.exact or name in found.until


def test_a_key_is_accepted_again(urls: DatabaseUrls) -> None:
    revoke("kid", "key-1", "--issuer", ISSUER)
    assert "accepted again" in revoke("kid", "key-1", "--issuer", ISSUER, "--lift").stdout
    assert recorded(urls) == {}


def test_without_valkey_it_is_recorded_and_fails_until_a_repeated_command(
    urls: DatabaseUrls, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    shown = result("tenant", TENANT)
    assert "not yet known everywhere" in shown["problems"][0]["problem"]
    assert recorded(urls) == {tenant_name(TENANT): "tenant"}
    monkeypatch.setenv("REDIS_URL", redis_url)
    assert result("tenant", TENANT)["ok"]
    monkeypatch.delenv("REDIS_URL")
    assert "REDIS_URL isn't set here" in " ".join(revoke("tenant", TENANT).stdout.split())


def test_each_leaves_a_security_event_without_names(urls: DatabaseUrls) -> None:
    add_session(urls)
    ran = revoke("user", "user-1", "--tenant", TENANT, "--issuer", ISSUER)
    lines = [json.loads(line) for line in ran.stderr.splitlines() if line.startswith("{")]
    assert [line["context"] for line in lines] == [
        {"event": name, "kind": kind, "tenant_id": TENANT, "actor": "operator", "request_id": None}
        for name, kind in (("REVOKED", "user"), ("SESSION_ENDED", "session"))
    ]


def test_a_deployment_whose_settings_are_unknown_is_left_alone(
    urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OIDC_ISSUER_URL")
    shown = result("tenant", TENANT, "--database-url", urls.app_url)
    assert "aren't known here" in shown["problems"][0]["problem"]
    assert recorded(urls) == {}
