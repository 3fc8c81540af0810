"""Opening a connection: retries, time limits, and the error for the caller."""

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from tenantgate.database import connection as limits
from tenantgate.database.errors import DatabaseUnreachable
from tests.fixtures.databases.kinds import Kind
from tests.fixtures.databases.postgres import DatabaseUrls

pytestmark = pytest.mark.anyio

type Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def refusing(sqlstate: str) -> Behaviour:
    """Return a server that responds to the start-up with an error (PostgreSQL protocol 3.0, ErrorResponse)."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(8)  # SSLRequest
        writer.write(b"N")
        await reader.read(1024)  # StartupMessage
        fields = b"".join(f"{kind}{text}\0".encode() for kind, text in (("S", "FATAL"), ("C", sqlstate), ("M", "no")))
        writer.write(b"E" + struct.pack("!i", len(fields) + 5) + fields + b"\0")

    return behave


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(8)


async def stay_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def talk_garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await reader.read(8)


@asynccontextmanager
async def serving(behave: Behaviour) -> AsyncIterator[tuple[str, list[float]]]:
    """A loopback server of this behaviour: its URL, and when each connection came."""
    came: list[float] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(time.monotonic())
        try:
            await behave(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"postgresql://user:pw@127.0.0.1:{port}/name", came


async def attempt(kind: Kind, url: str) -> float:
    """Return the seconds until the caller gets `DatabaseUnreachable`."""
    database = kind(url)
    began = time.monotonic()
    try:
        with pytest.raises(DatabaseUnreachable):
            async with database.untenanted() as unit:
                await unit.execute("SELECT 1")
        return time.monotonic() - began
    finally:
        await database.dispose()


@pytest.mark.parametrize(
    ("behave", "attempts"),
    [
        pytest.param(refusing("57P03"), 3, id="starting-up"),
        pytest.param(refusing("57P01"), 3, id="shutting-down"),
        pytest.param(refusing("53300"), 3, id="too-many-connections"),
        pytest.param(refusing("08006"), 3, id="connection-failure"),
        pytest.param(refusing("28P01"), 1, id="wrong-password"),
        pytest.param(refusing("28000"), 1, id="no-such-role"),
        pytest.param(refusing("3D000"), 1, id="no-such-database"),
        pytest.param(refusing("42501"), 1, id="may-not-connect"),
        pytest.param(hang_up, 3, id="hangs-up"),
    ],
)
async def test_tries_three_times_with_growing_pauses_where_that_may_help(
    kind: Kind, behave: Behaviour, attempts: int
) -> None:
    async with serving(behave) as (url, came):
        await attempt(kind, url)
    # A start-up that fails before authentication is tried with and without TLS each time.
    pauses = [after - before for before, after in pairwise(came) if after - before > 0.05]
    assert len(pauses) == attempts - 1
    assert pauses == sorted(pauses)


async def test_a_refused_connection_fails_within_a_second(kind: Kind) -> None:
    async with serving(hang_up) as (url, _):
        pass  # nothing listens there any more
    assert await attempt(kind, url) < 1


@pytest.mark.parametrize("behave", [pytest.param(stay_silent, id="silent"), pytest.param(talk_garbage, id="invalid")])
async def test_a_server_that_never_responds_takes_at_most_the_documented_time(kind: Kind, behave: Behaviour) -> None:
    async with serving(behave) as (url, _):
        assert await attempt(kind, url) < limits.CONNECT_ATTEMPT_SECONDS + 1


async def test_a_name_that_does_not_resolve_is_reported(kind: Kind) -> None:
    assert await attempt(kind, "postgresql://user:pw@no-such-host.invalid/name") < limits.CONNECT_ATTEMPT_SECONDS + 1


async def test_the_error_has_neither_the_password_nor_a_parameter(kind: Kind, database_urls: DatabaseUrls) -> None:
    database = kind(database_urls.app_url.replace("tenantgate_app:", "tenantgate_app:password-canary"))
    try:
        with pytest.raises(DatabaseUnreachable) as caught:
            async with database.tenant("tenant-canary"):
                pytest.fail("entered")
    finally:
        await database.dispose()
    told = f"{caught.value} {caught.value.detail} {caught.value.private} {caught.value.__cause__}"
    assert "canary" not in told
