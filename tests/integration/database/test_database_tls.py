"""`sslmode=verify-full` verifies the server, with a file of authorities and without one."""

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tenantgate.database import tls
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.database.own_login import ensure_own_login, role_name
from tests.fixtures.databases.kinds import Kind
from tests.fixtures.databases.postgres import DatabaseUrls, PostgresServer, execute
from tests.fixtures.databases.tls_front import tls_front
from tests.fixtures.servers.certificates import Authority

pytestmark = pytest.mark.anyio


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture(autouse=True)
def as_a_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No home with certificates in it, and nothing kept of another test's."""
    monkeypatch.setenv("HOME", str(tmp_path / "no-such-home"))
    for name in ("PGSSLROOTCERT", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    tls._context.cache_clear()
    yield
    tls._context.cache_clear()


async def connects(kind: Kind, url: str) -> None:
    database = kind(url)
    try:
        await database.check(5)
        async with database.untenanted() as unit:
            await unit.execute("SELECT 1")
    finally:
        await database.dispose()


@pytest.mark.parametrize("named_by", ["sslrootcert", "PGSSLROOTCERT", "system", "sslrootcert=system"])
async def test_the_authorities_are_those_named_or_the_systems(
    kind: Kind, database_urls: DatabaseUrls, authority: Authority, monkeypatch: pytest.MonkeyPatch, named_by: str
) -> None:
    query: dict[str, object] = {"sslmode": "verify-full"}
    if named_by == "sslrootcert":
        query["sslrootcert"] = authority.file
    elif named_by == "PGSSLROOTCERT":
        monkeypatch.setenv("PGSSLROOTCERT", str(authority.file))
    else:
        # OpenSSL reads the system's authorities from here.
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        query |= {"sslrootcert": "system"} if "=" in named_by else {}
    async with tls_front(database_urls.app_url, authority.server("localhost")) as front:
        await connects(kind, front.url(database_urls.app_url, host="localhost", **query))
        assert front.connected == 2  # the check's and the unit's


@pytest.mark.parametrize("wrong", ["name", "authority", "no-authority"])
async def test_a_server_with_a_wrong_certificate_gets_no_password(
    kind: Kind, database_urls: DatabaseUrls, authority: Authority, tmp_path: Path, wrong: str
) -> None:
    (tmp_path / "other").mkdir()
    trusted = Authority(tmp_path / "other") if wrong == "authority" else authority
    query = {} if wrong == "no-authority" else {"sslrootcert": trusted.file}
    certificate = authority.server("another.example.test" if wrong == "name" else "localhost")
    async with tls_front(database_urls.app_url, certificate) as front:
        url = front.url(database_urls.app_url, host="localhost", sslmode="verify-full", **query)
        with pytest.raises(DatabaseUnreachable) as caught:
            await connects(kind, url)
        assert "certificate verify failed" in str(caught.value.private)
        assert front.connected == 0


async def test_a_server_without_tls_gets_no_password(
    kind: Kind, database_urls: DatabaseUrls, authority: Authority
) -> None:
    url = f"{database_urls.app_url}?sslmode=verify-full&sslrootcert={authority.file}"
    with pytest.raises(DatabaseUnreachable) as caught:
        await connects(kind, url)
    assert "SSL" in str(caught.value.private)


async def test_a_missing_file_of_authorities_is_no_reason_to_trust(
    kind: Kind, database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    url = f"{database_urls.app_url}?sslmode=verify-full&sslrootcert={tmp_path / 'missing.pem'}"
    with pytest.raises(DatabaseUnreachable):
        await connects(kind, url)


@pytest.mark.parametrize("mode", ["disable", "prefer", "require", "verify-ca", ""])
def test_every_other_mode_is_the_drivers(mode: str) -> None:
    assert tls.verified_tls(f"postgresql://u:p@host/name?sslmode={mode}") is None


def test_a_verified_context_checks_certificate_and_name() -> None:
    context = tls.verified_tls("postgresql://u:p@host/name?sslmode=verify-full")
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


@pytest.fixture
def another_database(postgres_server: PostgresServer) -> Iterator[DatabaseUrls]:
    urls = postgres_server.create_database()
    yield urls
    postgres_server.drop_database(urls)
    name = urls.admin_url.rpartition("/")[2]
    execute(urls.admin_url.replace(name, "postgres"), f'DROP ROLE "{role_name(name)}"')


async def test_the_own_login_keeps_the_owners_tls(
    kind: Kind, another_database: DatabaseUrls, authority: Authority
) -> None:
    urls = another_database
    async with tls_front(urls.owner_url, authority.server("localhost")) as front:
        owner = front.url(urls.owner_url, host="localhost", sslmode="verify-full", sslrootcert=authority.file)
        url = await asyncio.to_thread(ensure_own_login, owner)
        assert f"sslmode=verify-full&sslrootcert={str(authority.file).replace('/', '%2F')}" in url
        await connects(kind, url)
