"""The derived login, for a host that provides only the owner's URL."""

import asyncio
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import pytest

from tenantgate.database import migrator
from tenantgate.database.errors import DatabaseUnreachable, MigrationFailed
from tenantgate.database.own_login import derived_password, ensure_own_login, role_name
from tests.fixtures.databases.kinds import Kind
from tests.fixtures.databases.postgres import DatabaseUrls, PostgresServer, execute
from tests.fixtures.databases.transaction_pooler import transaction_pooler


@pytest.fixture(params=["owner_url", "admin_url"])
def owner_url(request: pytest.FixtureRequest, postgres_server: PostgresServer) -> Iterator[str]:
    """A new database as its owner, and as a superuser."""
    yield from _database(postgres_server, request.param)


@pytest.fixture
def superuser_url(postgres_server: PostgresServer) -> Iterator[str]:
    yield from _database(postgres_server, "admin_url")


def _database(server: PostgresServer, name: str) -> Iterator[str]:
    urls = server.create_database()
    yield getattr(urls, name)
    role = role_name(database_of(urls.admin_url))
    server.drop_database(urls)
    execute(urls.admin_url.replace(database_of(urls.admin_url), "postgres"), f'DROP ROLE IF EXISTS "{role}"')


def database_of(url: str) -> str:
    return urlsplit(url).path.lstrip("/")


def error_of(url: str) -> dict[str, object]:
    with pytest.raises(MigrationFailed) as caught:
        ensure_own_login(url)
    assert isinstance(caught.value.detail, dict)
    assert "DATABASE_OWNER_URL" in caught.value.detail["remedy"]
    return caught.value.detail


def check(kind: Kind, url: str) -> None:
    """Raise `DatabaseUnreachable` where the readiness check would fail."""

    async def ask() -> None:
        database = kind(url)
        try:
            await database.check(5)
            async with database.tenant("org-1") as unit:
                assert await unit.fetch_all("SELECT * FROM sessions") == []
        finally:
            await database.dispose()

    asyncio.run(ask())


def test_the_login_serves_and_keeps_tenants_apart(kind: Kind, owner_url: str) -> None:
    url = ensure_own_login(owner_url)
    check(kind, url)
    role = urlsplit(url).username
    assert role == role_name(database_of(owner_url))
    powers, owned = execute(
        owner_url,
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication FROM pg_roles"
        f" WHERE rolname = '{role}'",
        f"SELECT relname FROM pg_class WHERE relowner = '{role}'::regrole",
    )
    assert (set(powers[0]), owned) == ({False}, [])


def test_replicas_that_start_at_once_agree(kind: Kind, owner_url: str) -> None:
    with ThreadPoolExecutor(20) as pool:
        (url,) = set(pool.map(ensure_own_login, [owner_url] * 20))
    check(kind, url)


def test_each_database_has_a_login_that_opens_no_other(kind: Kind, postgres_server: PostgresServer) -> None:
    databases = [postgres_server.create_database() for _ in range(2)]
    for database in databases:
        # PostgreSQL grants this to every role by default.
        execute(database.admin_url, f'REVOKE CONNECT ON DATABASE "{database_of(database.admin_url)}" FROM PUBLIC')
    with ThreadPoolExecutor(8) as pool:
        urls = list(pool.map(ensure_own_login, [database.owner_url for database in databases] * 4))
    first, second = urls[:2]
    assert urls == [first, second] * 4
    assert urlsplit(first).username != urlsplit(second).username
    assert urlsplit(first).password != urlsplit(second).password
    for url in (first, second):
        check(kind, url)
    with pytest.raises(DatabaseUnreachable):
        check(kind, urlunsplit(urlsplit(first)._replace(path=urlsplit(second).path)))
    for database in databases:
        role = role_name(database_of(database.admin_url))
        postgres_server.drop_database(database)
        execute(database.admin_url.replace(database_of(database.admin_url), "postgres"), f'DROP ROLE "{role}"')


def test_a_changed_password_of_the_owner_changes_the_logins(kind: Kind, superuser_url: str) -> None:
    owner = f"owner_{secrets.token_hex(4)}"
    execute(superuser_url, f"CREATE ROLE {owner} SUPERUSER LOGIN PASSWORD 'first'")

    def as_owner(password: str) -> str:
        parts = urlsplit(superuser_url)
        return urlunsplit(parts._replace(netloc=f"{owner}:{quote(password, safe='')}@{parts.hostname}:{parts.port}"))

    try:
        before = ensure_own_login(as_owner("first"))
        execute(superuser_url, f"ALTER ROLE {owner} PASSWORD 'sec@nd/%'")
        check(kind, before)  # until the next start
        after = ensure_own_login(as_owner("sec@nd/%"))
        assert before != after
        check(kind, after)
        with pytest.raises(DatabaseUnreachable):
            check(kind, before)
    finally:
        execute(superuser_url, f"DROP ROLE {owner}")


def test_what_a_login_that_was_broken_into_set_on_itself_ends_with_the_next_start(
    kind: Kind, superuser_url: str
) -> None:
    url = ensure_own_login(superuser_url)
    database = database_of(url)
    execute(
        url,
        "ALTER ROLE CURRENT_USER SET search_path = nowhere",
        f'ALTER ROLE CURRENT_USER IN DATABASE "{database}" SET search_path = nowhere',
        "ALTER ROLE CURRENT_USER SET statement_timeout = 0",
        "ALTER ROLE CURRENT_USER PASSWORD 'mine'",
    )
    assert ensure_own_login(superuser_url) == url
    check(kind, url)
    ((settings,),) = execute(
        superuser_url,
        "SELECT array_agg(setting) AS all FROM pg_db_role_setting, unnest(setconfig) setting"
        f" WHERE setrole = '{urlsplit(url).username}'::regrole",
    )
    assert sorted(settings["all"]) == [
        "idle_in_transaction_session_timeout=30s",
        "lock_timeout=2s",
        "statement_timeout=10s",
    ]


def test_the_urls_parameters_are_kept(superuser_url: str) -> None:
    url = ensure_own_login(f"{superuser_url}?sslmode=prefer&application_name=gate")
    assert urlsplit(url).query == "sslmode=prefer&application_name=gate"
    assert urlsplit(url).hostname == urlsplit(superuser_url).hostname
    assert urlsplit(url).path == urlsplit(superuser_url).path


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        pytest.param("ALTER ROLE {role} SUPERUSER", "is a superuser", id="superuser"),
        pytest.param("ALTER ROLE {role} BYPASSRLS", "may bypass row-level security", id="bypassrls"),
        pytest.param("ALTER ROLE {role} CREATEROLE", "may create roles", id="createrole"),
        pytest.param("ALTER ROLE {role} REPLICATION", "may replicate", id="replication"),
        pytest.param("ALTER TABLE sessions OWNER TO {role}", "owns the database or something in it", id="owns-a-table"),
        pytest.param(
            'ALTER DATABASE "{database}" OWNER TO {role}', "owns the database or something in it", id="owns-database"
        ),
        pytest.param("ALTER SCHEMA public OWNER TO {role}", "something in it", id="owns-a-schema"),
        pytest.param("ALTER FUNCTION tenantgate_keep_times OWNER TO {role}", "something in it", id="owns-a-function"),
        pytest.param("GRANT pg_read_all_data TO {role}", "is a member of pg_read_all_data, which", id="reads-all"),
        pytest.param("GRANT tenantgate_owner TO {role}", "is a member of tenantgate_owner, which", id="as-a-member"),
    ],
)
def test_a_role_of_that_name_that_can_do_more_is_left_alone_and_not_used(
    superuser_url: str, statement: str, reason: str
) -> None:
    database = database_of(superuser_url)
    role = role_name(database)
    execute(superuser_url, f"CREATE ROLE {role} LOGIN", statement.format(role=role, database=database))
    try:
        assert reason in str(error_of(superuser_url)["reason"])
        ((row,),) = execute(superuser_url, f"SELECT rolpassword FROM pg_authid WHERE rolname = '{role}'")
        assert row["rolpassword"] is None
    finally:
        execute(superuser_url, f"REASSIGN OWNED BY {role} TO postgres", f"DROP OWNED BY {role}")


def test_an_owner_without_a_password_is_refused(superuser_url: str) -> None:
    parts = urlsplit(superuser_url)
    for login in ("postgres", "postgres:"):
        url = urlunsplit(parts._replace(netloc=f"{login}@{parts.hostname}:{parts.port}"))
        assert "has no password" in str(error_of(url)["reason"])


def test_an_owner_that_may_not_make_roles_is_refused(superuser_url: str, database_urls: DatabaseUrls) -> None:
    assert error_of(database_urls.app_url)["reason"] == "permission denied to create role"


def test_a_login_that_does_not_work_is_refused_before_anything_is_served(superuser_url: str) -> None:
    parts = urlsplit(superuser_url)

    async def through_a_pooler() -> dict[str, object]:
        # It opens its own connections as the superuser, regardless of its clients' user.
        async with transaction_pooler(superuser_url, connections=3) as pooler:
            port = urlsplit(pooler.url).port
            url = urlunsplit(parts._replace(netloc=f"postgres:{parts.password}@127.0.0.1:{port}"))
            return await asyncio.to_thread(error_of, url)

    assert "the login was created, but" in str(asyncio.run(through_a_pooler())["reason"])


def test_names_and_passwords_are_fixed_for_all_time() -> None:
    # A replica of another version must compute the same.
    assert role_name("railway") == "tenantgate_railway_e34d1c9011e0"
    assert derived_password("owner", role="role", database="railway") == ("EMTTQ0Kqo4P6B_DTHWREMymc0NTMbpcee47vtoBcn-o")


@pytest.mark.parametrize("name", ["a", "A", "name with 'quotes\"", "ü" * 31, "x" * 63, "x" * 62, "--", "%s"])
def test_every_database_name_gives_its_own_short_plain_name(name: str) -> None:
    role = role_name(name)
    assert len(role) <= 63
    assert role.replace("_", "").isalnum()
    assert role.isascii()
    assert role == role.lower()
    others = {role_name(other) for other in ("a", "A", "b", "x" * 61, "üü", "-") if other != name}
    assert role not in others


def test_the_password_depends_on_each_part() -> None:
    parts = {"owner_password": "a", "role": "b", "database": "c"}
    made = [derived_password(**{**parts, name: "other"}) for name in parts]
    made += [derived_password("a", role="bc", database=""), derived_password(**parts)]
    assert len(set(made)) == len(made)
    assert all(len(password) == 43 and password == unquote(password) for password in made)


def test_the_migrations_come_first(postgres_server: PostgresServer) -> None:
    urls = postgres_server.create_database(migrated=False)
    try:
        migrator.upgrade(urls.owner_url)
        assert ensure_own_login(urls.owner_url)
    finally:
        role = role_name(database_of(urls.admin_url))
        postgres_server.drop_database(urls)
        execute(urls.admin_url.replace(database_of(urls.admin_url), "postgres"), f'DROP ROLE "{role}"')
