"""Marked personal data goes through all flows: it is in clear only where the schema and the policies declare it."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import asyncpg
import httpx2
import pytest

from tenantgate.database.base import personal_columns
from tenantgate.masking import POLICIES, DataClass
from tenantgate.sessions.models import User
from tenantgate.tokens.tenant import DEPLOYMENT
from tenantgate_cli.backup.folder import BackupFolder
from tenantgate_cli.backup.keys import BackupKeys, new_key
from tenantgate_cli.commands import backup, revoke
from tenantgate_cli.generate.personal_data import import_tables
from tests.fixtures.browsers.scripted import Browser, location
from tests.fixtures.databases.valkey import command
from tests.fixtures.process.personal_marks import Marks
from tests.fixtures.providers.misbehaving import (
    CLIENT_ID,
    CLIENT_SECRET,
    EVENT_AUDIENCE,
    Claims,
    MisbehavingProvider,
    signed,
)
from tests.fixtures.stack.commands import RunningStack, serve_stack
from tests.fixtures.stack.settings import stack_settings

TENANT = f"org-{uuid4()}"
NETWORK, ADDRESS = "198.51.100.0/24", "198.51.100.77"
SESSION = "__Host-tg_session"
API = "/api/v1"
AUTH = f"{API}/auth"
_CAEP = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"

_TABLES = """
SELECT table_schema AS schema, table_name AS name FROM information_schema.tables
WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')
"""

type Found = set[tuple[str, str, DataClass]]


class MarkingProvider(MisbehavingProvider):
    """Signs in the person `person`, and puts everything about the person into every token."""

    def __init__(self, marks: Marks) -> None:
        super().__init__()
        self.marks = marks
        self.person: Claims = marks.person()
        self.issues_refresh_tokens = True
        self.edit_id_token = lambda claims: claims | self.person
        self.edit_access_token = lambda claims: (
            claims
            | self.person
            | {
                "tenant_id": TENANT,
                "scope": "openid profile audit:read",
            }
        )
        self.edit_token_response = self._marked

    def _marked(self, response: Claims) -> Claims:
        self.marks.tokens(response)
        return response


@dataclass
class Used:
    """A stack after all flows. `refused`: the ids of requests whose credentials were forged."""

    stack: RunningStack
    marks: Marks
    provider: MarkingProvider
    refused: list[str]


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Used]:
    marks = Marks()
    marks.add("address", ADDRESS)
    with MarkingProvider(marks) as provider:
        entry = {
            "issuer": provider.issuer,
            "audiences": [provider.audience],
            "tenants": "*",
            "event_audiences": [EVENT_AUDIENCE],
        }
        variables = {
            "OIDC_ISSUER_URL": provider.issuer,
            "OIDC_CLIENT_ID": CLIENT_ID,
            "OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "TRUSTED_ISSUERS": json.dumps([entry]),
            "TRUSTED_PROXIES": "127.0.0.1",
            "LOG_LEVEL": "DEBUG",
        }
        with serve_stack(tmp_path_factory.mktemp("marked"), env=variables) as stack:
            drive = Drive(stack, provider, marks)
            drive.all()
            yield Used(stack, marks, provider, drive.refused)


class Drive:
    """Runs the flows, each with a new person whose data is marked."""

    def __init__(self, stack: RunningStack, provider: MarkingProvider, marks: Marks) -> None:
        self._base = stack.url
        self._stack = stack
        self._provider = provider
        self._marks = marks
        # The ids of requests that no credential verified.
        self.refused: list[str] = []

    def all(self) -> None:
        with Browser() as browser:
            self._sign_in(browser)
            self._refresh_and_sign_out(browser)
        self._fail()
        for end in (self._end_by_provider, self._end_by_event, self._end_by_operator, self._stay):
            with Browser() as browser:
                self._provider.person = self._marks.person()
                self._sign_in(browser)
                end(browser)

    def _headers(self, **more: str) -> dict[str, str]:
        device = self._marks.add("device", secrets.token_hex(6))
        user_agent = f"Mozilla/5.0 (X11; Linux x86_64) {device} Firefox/130.0"
        return {"accept": "application/json", "x-forwarded-for": ADDRESS, "user-agent": user_agent, **more}

    def _ask(self, browser: Browser, method: str, path: str, status: int, **more: Any) -> httpx2.Response:
        headers = self._headers(**more.pop("headers", {}))
        response = browser.request(method, f"{self._base}{path}", headers=headers, **more)
        assert response.status_code == status, (path, response.text)
        if status in (400, 403):
            self.refused.append(response.headers["x-request-id"])
        return response

    def _sign_in(self, browser: Browser) -> None:
        query = urlencode({"return_to": "/", "login_hint": self._provider.person["email"]})
        begun = self._ask(browser, "GET", f"{AUTH}/login?{query}", 200).json()["authorization_url"]
        returned = urlsplit(location(browser.get(begun)))
        for name, value in httpx2.QueryParams(returned.query).items():
            if name in ("code", "state"):
                self._marks.add("token", value)
        self._ask(browser, "GET", f"{returned.path}?{returned.query}", 303)
        self._marks.add("token", browser.named(SESSION)[SESSION].rpartition(".")[2])
        listed = self._ask(browser, "GET", f"{AUTH}/sessions", 200).json()
        self._marks.add("token", listed["csrf_token"])

    def _refresh_and_sign_out(self, browser: Browser) -> None:
        origin = {"origin": self._base}
        token = self._ask(browser, "POST", f"{AUTH}/refresh", 200, headers=origin).json()["access_token"]
        self._marks.add("token", browser.named(SESSION)[SESSION].rpartition(".")[2])
        with Browser() as other:
            bearer = {"authorization": f"Bearer {token}"}
            self._ask(other, "GET", f"{AUTH}/validate", 200, headers=bearer)
            self._ask(other, "POST", f"{AUTH}/logout", 200, headers=bearer)
        self._ask(browser, "POST", f"{AUTH}/logout", 200, headers=origin)

    def _fail(self) -> None:
        """Send forged and broken requests about another person."""
        person = self._marks.person()
        forged = signed(self._claims(person) | {"iss": "https://another.example"}, self._provider.key, typ="at+jwt")
        self._marks.tokens({"access_token": forged})
        answer = {
            "state": self._marks.add("token", secrets.token_urlsafe(24)),
            "code": self._marks.add("token", secrets.token_urlsafe(24)),
        }
        with Browser() as browser:
            self._ask(browser, "POST", f"{AUTH}/callback", 403, json=answer)
            described = urlencode({**answer, "error": "access_denied", "error_description": f"no {person['email']}"})
            self._ask(browser, "GET", f"{AUTH}/callback?{described}", 403)
            bearer = {"authorization": f"Bearer {forged}"}
            query = urlencode({"patient": person["name"], "mrn": person["medical_record"], "email": person["email"]})
            self._ask(browser, "GET", f"{AUTH}/validate?{query}", 401, headers=bearer)
            self._ask(browser, "GET", f"{AUTH}/me?{query}", 401, headers=bearer)
            self._logout_token(browser, person | {"aud": "another"}, 400)
            self._event(browser, {"format": "email", "email": person["email"]}, 400)

    def _claims(self, person: Mapping[str, Any]) -> Claims:
        return {"aud": self._provider.audience, "iat": 1, "exp": 2**31, "tenant_id": TENANT, **person}

    def _logout_token(self, browser: Browser, claims: Claims, status: int) -> None:
        token = self._provider.logout_token(edit=lambda made: made | claims)
        self._marks.tokens({"id_token": token})
        form = {"content-type": "application/x-www-form-urlencoded"}
        body = urlencode({"logout_token": token}).encode()
        self._ask(browser, "POST", f"{AUTH}/backchannel-logout", status, headers=form, content=body)

    def _event(self, browser: Browser, subject: Claims, status: int) -> None:
        token = self._provider.security_event(_CAEP, edit=lambda made: made | {"sub_id": subject})
        self._marks.tokens({"id_token": token})
        headers = {"content-type": "application/secevent+jwt"}
        self._ask(browser, "POST", f"{API}/security-events", status, headers=headers, content=token.encode())

    def _end_by_provider(self, browser: Browser) -> None:
        self._logout_token(browser, self._provider.person, 200)

    def _end_by_event(self, browser: Browser) -> None:
        subject = {"format": "iss_sub", "iss": self._provider.issuer, "sub": self._provider.person["sub"]}
        self._event(browser, subject, 202)

    def _end_by_operator(self, browser: Browser) -> None:
        user = User(TENANT, self._provider.issuer, self._provider.person["sub"])
        revoke.revoke_user(user, revoke.Place(self._stack.data_dir, None, as_json=True))
        self._ask(browser, "GET", f"{AUTH}/sessions", 401)

    def _stay(self, browser: Browser) -> None:
        csrf_token = self._ask(browser, "GET", f"{AUTH}/sessions", 200).json()["csrf_token"]
        own_page = {"origin": self._base, "x-csrf-token": csrf_token}
        exported = self._ask(browser, "POST", f"{API}/privacy/exports", 200, headers=own_page).json()
        assert exported["user_id"] == self._provider.person["sub"]
        query = urlencode({"user_id": exported["user_id"], "issuer": self._provider.issuer})
        read = self._ask(browser, "GET", f"{API}/audit/events?{query}", 200).json()["events"]
        assert {event["user_id"] for event in read} == {exported["user_id"]}
        self._ask(browser, "POST", f"{AUTH}/refresh", 200, headers={"origin": self._base})
        self._marks.add("token", browser.named(SESSION)[SESSION].rpartition(".")[2])


def declared() -> set[tuple[str, str, DataClass]]:
    import_tables()
    return {(*place, one.data_class) for place, one in personal_columns().items()}


def stored(used: Used) -> Found:
    """Return the table, the column and the class of each mark in the database, in any schema."""

    async def read() -> Found:
        found: Found = set()
        connection = await asyncpg.connect(stack_settings(used.stack)["DATABASE_OWNER_URL"])
        try:
            async with connection.transaction():
                await connection.execute("SELECT set_config('tenantgate.every_tenant', 'on', true)")
                tables = await connection.fetch(_TABLES)
                for table in tables:
                    for row in await connection.fetch(f'SELECT * FROM "{table["schema"]}"."{table["name"]}"'):
                        for column, value in row.items():
                            for kind, _ in used.marks.found_in(_text(value)):
                                found.add((table["name"], column, kind))
        finally:
            await connection.close()
        return found

    return asyncio.run(read())


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return f"{value.decode('latin-1')} {value.hex()}"
    if isinstance(value, list):
        return " ".join(map(_text, value))
    return str(value)


def test_the_tables_have_only_what_they_declare(used: Used) -> None:
    found = stored(used)
    assert found <= declared()
    # The session that stays proves that the search finds what is there.
    assert ("sessions", "user_id", "identifier") in found
    # Of the address, only the network is stored, and of the browser a known name.
    (row,) = asyncio.run(_rows(used, "SELECT address, device FROM sessions"))
    assert tuple(row) == (NETWORK, "Firefox on Linux")


async def _rows(used: Used, *statements: str) -> list[Any]:
    rows: list[Any] = []
    connection = await asyncpg.connect(stack_settings(used.stack)["DATABASE_OWNER_URL"])
    try:
        async with connection.transaction():
            await connection.execute("SELECT set_config('tenantgate.every_tenant', 'on', true)")
            for statement in statements:
                rows += await connection.fetch(statement)
    finally:
        await connection.close()
    return rows


def test_a_forged_credential_that_names_a_tenant_writes_only_into_the_deployments_own_log(used: Used) -> None:
    listed = "', '".join(used.refused)
    found = asyncio.run(_rows(used, f"SELECT tenant_id FROM audit_events WHERE request_id IN ('{listed}')"))
    assert len(found) >= 3
    assert {row["tenant_id"] for row in found} == {DEPLOYMENT}


def test_personal_data_in_another_column_is_found(used: Used) -> None:
    user = used.provider.person["sub"]
    planted = (
        ("audit_events", "resource_id", "$1"),
        ("audit_events", "request_id", "encode($1::bytea, 'base64')"),
        ("audit_events", "detail", "jsonb_build_object('user', $1::text)"),
        ("audit_events", "user_digest", "decode(rpad(encode($1::bytea, 'hex'), 64, '0'), 'hex')"),
    )

    async def plant(column: str, value: str) -> None:
        connection = await asyncpg.connect(stack_settings(used.stack)["DATABASE_OWNER_URL"])
        names = {"id": "gen_random_uuid()", "tenant_id": "'t'", "event_type": "'T'", "outcome": "'success'"}
        names |= {"detail": "'{}'::jsonb", "occurred_at": "now()", column: value}
        try:
            async with connection.transaction():
                await connection.execute("SELECT set_config('tenantgate.tenant_id', 't', true)")
                await connection.execute(
                    f"INSERT INTO audit_events ({', '.join(names)}) SELECT {', '.join(names.values())}"
                    " FROM (SELECT $1::text AS given) AS planted",
                    user,
                )
        finally:
            await connection.close()

    for _, column, value in planted:
        asyncio.run(plant(column, value))
    try:
        assert stored(used) - declared() == {(table, column, "identifier") for table, column, _ in planted}
    finally:
        declare = "SELECT set_config('tenantgate.audit_retention', 'on', true)"
        asyncio.run(_rows(used, declare, "DELETE FROM audit_events WHERE tenant_id = 't'"))


def test_a_dump_has_only_what_the_tables_declare(used: Used, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(new_key())
    key.chmod(0o600)
    backup.backup(tmp_path / "backups", key, None, backup.Place(used.stack.data_dir, None, as_json=True))
    # The files of a dump are encrypted.
    for file in (tmp_path / "backups").rglob("*"):
        assert file.is_dir() or used.marks.found_in(file.read_bytes()) == set()
    folder = BackupFolder(tmp_path / "backups", BackupKeys([key.read_text().strip()]))
    manifest = folder.newest()
    found: Found = set()
    for table in manifest.tables:
        with folder.reader(manifest, table.file) as reader:
            plain = b"".join(iter(reader.read, b""))
        for line in plain.decode().splitlines():
            for column, value in zip(table.columns, line.split("\t"), strict=True):
                given = bytes.fromhex(value[3:]) if value.startswith("\\\\x") else value
                found |= {(table.name.removeprefix("public."), column, kind) for kind, _ in used.marks.found_in(given)}
    assert ("sessions", "user_id", "identifier") in found
    assert found <= declared()


def test_the_logs_have_only_classes_that_are_logged(used: Used) -> None:
    lines = [*used.stack.lines, *used.stack.logs().splitlines()]
    classes = {kind for line in lines for kind, _ in used.marks.found_in(line)}
    assert "identifier" in classes, "user ids are logged"
    assert classes <= {name for name, policy in POLICIES.items() if policy.logged}
    # Of the browser, only a known name.
    assert "device" not in classes


def test_no_other_file_of_the_data_folder_has_any(used: Used) -> None:
    folder = used.stack.data_dir
    for file in folder.rglob("*"):
        # The files of the database have what its tables have.
        if file.is_file() and "postgres" not in file.relative_to(folder).parts and file.suffix != ".log":
            found = {kind for kind, _ in used.marks.found_in(file.read_bytes())}
            assert found <= ({"identifier"} if "valkey" in file.parts else set()), file


def test_valkey_has_only_the_user_id_in_clear(used: Used) -> None:
    url = stack_settings(used.stack)["REDIS_URL"]
    classes: set[DataClass] = set()
    for key in command(url, "KEYS", "*"):
        # The serialized form has short texts unchanged.
        classes |= {kind for kind, _ in used.marks.found_in(key + b" " + (command(url, "DUMP", key) or b""))}
    assert classes <= {"identifier"}
