"""The owner's URL with the login of a secret, which may rotate, on a database that may not be there yet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tenantgate.database import owner_login
from tenantgate.database.errors import DatabaseUnreachable, MigrationFailed
from tenantgate.database.owner_login import as_owner, owner_url
from tenantgate.secrets.errors import SecretsUnavailable
from tests.fixtures.process.settings import process_settings

URL = "postgresql+asyncpg://tenantgate_owner@127.0.0.1:5432/tenantgate?sslmode=disable"


class Secret:
    """Secrets Manager with one secret. `texts`: its next values, the last one then stays."""

    def __init__(self, *texts: str | Exception) -> None:
        self.texts = list(texts)
        self.read: list[str] = []

    def get_secret_value(self, *, SecretId: str) -> dict[str, Any]:  # noqa: N803  (boto3's spelling)
        self.read.append(SecretId)
        text = self.texts.pop(0) if len(self.texts) > 1 else self.texts[0]
        if isinstance(text, Exception):
            raise text
        return {"SecretString": text}


def login(user: str, password: str) -> str:
    return json.dumps({"username": user, "password": password})


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(owner_login, "_PAUSE_SECONDS", 0.0)
    with process_settings(DATABASE_OWNER_URL=URL, DATABASE_OWNER_SECRET_ID="arn:owner"):
        yield


def with_secret(monkeypatch: pytest.MonkeyPatch, *texts: str | Exception) -> Secret:
    secret = Secret(*texts)
    monkeypatch.setattr(owner_login, "secrets_client", lambda region: secret)
    return secret


@pytest.mark.parametrize(("user", "password"), [("owner", "simple"), ("o@:/w", "p@ss:w/rd?#%41 ü[]")])
def test_the_login_of_the_secret_replaces_that_of_the_url(
    monkeypatch: pytest.MonkeyPatch, user: str, password: str
) -> None:
    secret = with_secret(monkeypatch, login(user, password))
    parts = urlsplit(owner_url())
    assert (unquote(parts.username or ""), unquote(parts.password or "")) == (user, password)
    assert (parts.hostname, parts.port, parts.path, parts.query) == (
        "127.0.0.1",
        5432,
        "/tenantgate",
        "sslmode=disable",
    )
    assert secret.read == ["arn:owner"]


def test_without_a_secret_the_url_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = with_secret(monkeypatch, login("a", "b"))
    with process_settings(DATABASE_OWNER_SECRET_ID=""):
        assert owner_url() == URL
    with process_settings(DATABASE_OWNER_SECRET_ID="", DATABASE_OWNER_URL="", DATABASE_URL=URL):
        assert owner_url() == URL
    assert secret.read == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("canary", id="no-json"),
        pytest.param('["canary"]', id="no-object"),
        pytest.param('{"password": "canary"}', id="no-user"),
        pytest.param('{"username": "canary", "password": ""}', id="empty"),
        pytest.param('{"username": "canary", "password": 7}', id="number"),
        pytest.param(RuntimeError("canary"), id="error"),
    ],
)
def test_a_secret_that_cannot_be_used_is_reported_without_its_text(
    monkeypatch: pytest.MonkeyPatch, text: str | Exception
) -> None:
    secret = with_secret(monkeypatch, text)
    with pytest.raises(SecretsUnavailable) as caught:
        owner_url()
    assert "canary" not in f"{caught.value} {caught.value.detail} {caught.value.private}"
    assert caught.value.__context__ is None
    assert len(secret.read) == 3


def test_a_failed_read_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    with_secret(monkeypatch, RuntimeError("throttled"), login("owner", "password"))
    assert urlsplit(owner_url()).password == "password"


def refused(state: str = "28P01") -> DatabaseUnreachable:
    return DatabaseUnreachable("OperationalError", sqlstate=state)


def test_a_password_that_rotates_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with_secret(monkeypatch, login("owner", "old"), login("owner", "old"), login("owner", "new"))

    def work(url: str) -> str:
        if urlsplit(url).password == "old":
            raise refused()
        return url

    assert urlsplit(as_owner(work)).password == "new"


@pytest.mark.parametrize("state", ["28P01", "28000"])
def test_a_login_that_stays_refused_is_reported(monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    secret = with_secret(monkeypatch, login("owner", "old"))
    tries = Failing(refused(state))
    with pytest.raises(DatabaseUnreachable):
        as_owner(tries, wait_seconds=60)
    assert (tries.count, len(secret.read)) == (5, 5)


def test_a_refused_login_without_a_secret_is_reported_at_once() -> None:
    tries = Failing(refused())
    with process_settings(DATABASE_OWNER_SECRET_ID=""), pytest.raises(DatabaseUnreachable):
        as_owner(tries, wait_seconds=60)
    assert tries.count == 1


class Failing:
    """Work that raises `error` the first `times` times."""

    def __init__(self, error: Exception, *, times: int = 1_000_000) -> None:
        self.error, self.times, self.count = error, times, 0

    def __call__(self, url: str) -> str:
        self.count += 1
        if self.count <= self.times:
            raise self.error
        return "done"


def test_a_writer_that_is_not_there_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with_secret(monkeypatch, login("owner", "password"))
    work = Failing(DatabaseUnreachable("OperationalError"), times=3)
    assert as_owner(work, wait_seconds=60) == "done"
    assert work.count == 4


@pytest.mark.parametrize(
    ("error", "wait"), [(DatabaseUnreachable("away"), 0.0), (MigrationFailed("a statement"), 60.0)], ids=repr
)
def test_nothing_else_is_repeated(monkeypatch: pytest.MonkeyPatch, error: Exception, wait: float) -> None:
    with_secret(monkeypatch, login("owner", "password"))
    work = Failing(error)
    with pytest.raises(type(error)):
        as_owner(work, wait_seconds=wait)
    assert work.count == 1
