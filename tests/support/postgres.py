"""One PostgreSQL for the whole test run, and a fresh, migrated database in it for each module that asks.

Fixtures: `postgres_server` (session) and `database_urls` (module). Who kills or freezes a server starts one by
`start_postgres`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres, PostgresAddresses

# A test's data need not survive the machine, only the server.
QUICK = {"fsync": "off", "full_page_writes": "off"}
_TEMPLATE = "migrated"


@dataclass(frozen=True, slots=True)
class DatabaseUrls:
    """One database as its owner, as the application's role, and as the superuser."""

    owner_url: str
    app_url: str
    admin_url: str


class PostgresServer:
    """A running server that hands out databases."""

    def __init__(self, addresses: PostgresAddresses) -> None:
        self._addresses = addresses
        self._has_template = False

    def create_database(self, *, migrated: bool = True) -> DatabaseUrls:
        """A new database, at the newest revision or empty."""
        if migrated and not self._has_template:
            self._create(_TEMPLATE, template="template1")
            # Here, so that a run without a database doesn't import SQLAlchemy.
            from tenantgate.database import migrator  # noqa: PLC0415

            migrator.upgrade(self._urls(_TEMPLATE).owner_url)
            self._has_template = True
        name = f"test_{secrets.token_hex(6)}"
        self._create(name, template=_TEMPLATE if migrated else "template1")
        return self._urls(name)

    def drop_database(self, urls: DatabaseUrls) -> None:
        name = urlsplit(urls.owner_url).path.lstrip("/")
        self._run(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _create(self, name: str, *, template: str) -> None:
        self._run(f'CREATE DATABASE "{name}" OWNER tenantgate_owner TEMPLATE "{template}"')

    def _run(self, statement: str) -> None:
        execute(self._addresses.admin_url, statement)

    def _urls(self, name: str) -> DatabaseUrls:
        return DatabaseUrls(
            owner_url=with_database(self._addresses.owner_url, name),
            app_url=with_database(self._addresses.app_url, name),
            admin_url=with_database(self._addresses.admin_url, name),
        )


def with_database(url: str, name: str) -> str:
    """The same server and role, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def execute(url: str, *statements: str) -> list[list[Any]]:
    """Run statements one after the other, each in its own transaction, and give back their rows."""
    import asyncpg  # noqa: PLC0415

    async def run() -> list[list[Any]]:
        connection = await asyncpg.connect(url)
        try:
            return [list(await connection.fetch(statement)) for statement in statements]
        finally:
            await connection.close()

    return asyncio.run(run())


def start_postgres(folder: Path, **settings: str) -> EmbeddedPostgres:
    """A started server of the test's own; the test stops it."""
    server = EmbeddedPostgres(folder / "postgres", settings={**QUICK, **settings})
    server.start()
    return server


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), settings=QUICK)
    with server:
        yield PostgresServer(server.start())


@pytest.fixture(scope="module")
def database_urls(postgres_server: PostgresServer) -> Iterator[DatabaseUrls]:
    urls = postgres_server.create_database()
    yield urls
    postgres_server.drop_database(urls)
