"""The login of the application's role."""

import asyncio
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlsplit, urlunsplit

import pytest

from tenantgate.database.errors import DatabaseUnreachable, MigrationFailed
from tenantgate.database.pool import PooledDatabase
from tenantgate.database.roles import ensure_login, scram_verifier
from tests.fixtures.databases.kinds import Kind
from tests.fixtures.databases.postgres import DatabaseUrls, PostgresServer, execute


def as_user(url: str, user: str, password: str | None) -> str:
    parts = urlsplit(url)
    login = quote(user, safe="") + ("" if password is None else f":{quote(password, safe='')}")
    return urlunsplit(parts._replace(netloc=f"{login}@{parts.hostname}:{parts.port}"))


@pytest.fixture
def user(database_urls: DatabaseUrls) -> Iterator[str]:
    """The name of a role that doesn't exist yet, with characters that need quoting."""
    name = f"app \"{secrets.token_hex(4)}' %I"
    yield name
    quoted = '"' + name.replace('"', '""') + '"'
    execute(database_urls.admin_url, f"DROP OWNED BY {quoted}", f"DROP ROLE {quoted}")


def log_in(kind: Kind, url: str) -> tuple[str, str]:
    """Use the application's table as this user: who the user is, and its time limit."""

    async def ask() -> tuple[str, str]:
        database = kind(url)
        try:
            await database.check(5)
            async with database.tenant("org-1") as unit:
                await unit.execute("SELECT * FROM sessions")
                row = await unit.fetch_one("SELECT user, current_setting('statement_timeout') AS \"limit\"")
                assert row is not None
                return str(row["user"]), str(row["limit"])
        finally:
            await database.dispose()

    return asyncio.run(ask())


@pytest.mark.parametrize("password", ["simple", "'; DROP ROLE x; --", "p@ss:w/rd?#%41", " ~!$%&*()=+[]{}|;,.<>\\"])
def test_a_new_user_gets_the_applications_rights_and_limits(
    kind: Kind, database_urls: DatabaseUrls, user: str, password: str
) -> None:
    url = as_user(database_urls.app_url, user, password)
    for _ in range(2):  # again does no harm
        ensure_login(database_urls.owner_url, url)
        assert log_in(kind, url) == (user, "10s")


def test_a_changed_password_takes_effect(kind: Kind, database_urls: DatabaseUrls, user: str) -> None:
    old, new = (as_user(database_urls.app_url, user, password) for password in ("old", "new"))
    ensure_login(database_urls.owner_url, old)
    ensure_login(database_urls.owner_url, new)
    assert log_in(kind, new) == (user, "10s")
    with pytest.raises(DatabaseUnreachable):
        log_in(kind, old)


def test_a_user_without_a_password_stays_without(database_urls: DatabaseUrls, user: str) -> None:
    ensure_login(database_urls.owner_url, as_user(database_urls.app_url, user, None))
    *_, ((password,),) = execute(
        database_urls.admin_url,
        "SELECT rolpassword FROM pg_authid WHERE rolcanlogin AND rolname = '" + user.replace("'", "''") + "'",
    )
    assert password is None


def test_one_user_for_both_is_left_alone(database_urls: DatabaseUrls) -> None:
    ensure_login(database_urls.owner_url, as_user(database_urls.app_url, "tenantgate_owner", "another"))
    execute(database_urls.owner_url, "SELECT 1")


def test_an_owner_that_may_not_create_roles_is_reported(database_urls: DatabaseUrls) -> None:
    with pytest.raises(MigrationFailed, match="login can't be made") as caught:
        ensure_login(database_urls.app_url, as_user(database_urls.app_url, "somebody", "pw"))
    assert caught.value.detail == {"role": "somebody", "reason": "permission denied to create role"}


def test_replicas_that_start_at_once_all_get_their_login(database_urls: DatabaseUrls, user: str) -> None:
    url = as_user(database_urls.app_url, user, "password")
    with ThreadPoolExecutor(40) as pool:
        assert list(pool.map(lambda _: ensure_login(database_urls.owner_url, url), range(40))) == [None] * 40
    assert log_in(PooledDatabase, url) == (user, "10s")


def test_databases_whose_starts_meet_share_a_user(postgres_server: PostgresServer, user: str) -> None:
    # Roles belong to the server, and each database has its own lock.
    databases = [postgres_server.create_database() for _ in range(4)]
    try:
        with ThreadPoolExecutor(20) as pool:
            made = [
                pool.submit(ensure_login, urls.owner_url, as_user(urls.app_url, user, "password"))
                for _ in range(5)
                for urls in databases
            ]
            assert [done.result() for done in made] == [None] * 20
        for urls in databases:
            assert log_in(PooledDatabase, as_user(urls.app_url, user, "password")) == (user, "10s")
            execute(urls.admin_url, "DROP OWNED BY " + '"' + user.replace('"', '""') + '"')
    finally:
        for urls in databases:
            postgres_server.drop_database(urls)


def test_a_password_beyond_ascii_is_refused(database_urls: DatabaseUrls) -> None:
    with pytest.raises(MigrationFailed) as caught:
        ensure_login(database_urls.owner_url, as_user(database_urls.app_url, "somebody", "Zoë"))
    assert caught.value.detail == {"role": "somebody", "reason": "its password must have only ASCII characters"}


def test_a_verifier_does_not_hold_the_password() -> None:
    assert "canary" not in scram_verifier("canary")
    assert scram_verifier("canary") != scram_verifier("canary")
