"""The types of a statement: asked for once for each connection, and again after a failure."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from tenantgate.database.connection import Connection, connect
from tests.fixtures.databases.postgres import DatabaseUrls, execute
from tests.fixtures.databases.recording_proxy import RecordingProxy, recording_proxy

pytestmark = pytest.mark.anyio

READ = "SELECT value FROM types_asked_once WHERE value = $1"
ALL = "SELECT * FROM types_asked_once"


@pytest.fixture
async def connection(database_urls: DatabaseUrls) -> AsyncIterator[Connection]:
    await change(database_urls, "CREATE TABLE types_asked_once (value int)", "INSERT INTO types_asked_once VALUES (1)")
    connection = await connect(database_urls.admin_url)
    yield connection
    await connection.close()
    await change(database_urls, "DROP TABLE types_asked_once")


async def change(urls: DatabaseUrls, *statements: str) -> None:
    await asyncio.to_thread(execute, urls.admin_url, *statements)


@pytest.fixture
def proxy(database_urls: DatabaseUrls) -> Iterator[RecordingProxy]:
    with recording_proxy(database_urls.app_url) as proxy:
        yield proxy


async def test_a_statement_is_sent_twice_the_first_time_and_then_once(proxy: RecordingProxy) -> None:
    connection = await connect(proxy.url)
    try:
        for number in range(3):
            proxy.label = str(number)
            assert await connection.fetch("SELECT $1::text, $2::bytea[]", "a", [b"b"]) == [("a", [b"b"])]
            assert await connection.fetch("SELECT 1") == [(1,)]
    finally:
        await connection.close()
    sent = [[(one.kind, one.name) for one in proxy.sent if one.during == str(number)] for number in range(3)]
    assert sent[1] == sent[2] == [("parse", ""), ("bind", "")] * 2
    assert sent[0] == [("parse", ""), ("parse", ""), ("bind", "")] * 2


@pytest.mark.parametrize("becomes", ["bigint", "text USING value::text"])
async def test_after_a_change_of_a_type_a_statement_fails_once(
    database_urls: DatabaseUrls, connection: Connection, becomes: str
) -> None:
    before: list[tuple[str, list[object]]] = [(READ, [1]), (ALL, [])]
    for statement, values in before:
        assert await connection.fetch(statement, *values) == [(1,)]
    await change(database_urls, f"ALTER TABLE types_asked_once ALTER value TYPE {becomes}")
    value: object = 1 if becomes == "bigint" else "1"
    again: list[tuple[str, list[object]]] = [(READ, [value]), (ALL, [])]
    for statement, values in again:
        with pytest.raises(Exception):  # noqa: B017, PT011  (the driver has none for this)
            await connection.fetch(statement, *values)
        assert await connection.fetch(statement, *values) == [(value,)]


async def test_another_column_does_not_matter_to_a_statement_that_names_its_own(
    database_urls: DatabaseUrls, connection: Connection
) -> None:
    assert await connection.fetch(READ, 1) == [(1,)]
    await change(database_urls, "ALTER TABLE types_asked_once ADD other int DEFAULT 2")
    assert await connection.fetch(READ, 1) == [(1,)]


async def test_another_connection_asks_again(database_urls: DatabaseUrls, connection: Connection) -> None:
    assert await connection.fetch(ALL) == [(1,)]
    await change(database_urls, "ALTER TABLE types_asked_once ALTER value TYPE text USING value::text")
    other = await connect(database_urls.admin_url)
    try:
        assert await other.fetch(ALL) == [("1",)]
    finally:
        await other.close()
