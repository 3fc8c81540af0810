"""The load generator of the refresh benchmark: its pace, its counts, and its provider."""

from __future__ import annotations

import asyncio
import json

import jwt
import pytest

from benchmarks.refreshes import Figure, Provider, at_once, paced, table
from benchmarks.sessions import Figure as SessionFigure
from benchmarks.sessions import percentile
from benchmarks.sessions import table as session_table
from tenantgate_cli.stack.seeding import Size

pytestmark = pytest.mark.anyio


async def test_a_request_that_waits_for_its_turn_is_measured_from_the_time_it_was_due() -> None:
    turn = asyncio.Lock()

    async def slow(_: str) -> str:
        async with turn:
            await asyncio.sleep(0.02)
        return "200"

    figure = await paced(slow, [""] * 10, rate=1000)
    assert figure.outcomes == {"200": 10}
    assert figure.p99 >= 150


async def test_every_secret_is_used_once() -> None:
    used: list[str] = []

    async def act(secret: str) -> str:
        used.append(secret)
        return "200" if len(used) > 1 else "503"

    figure = await at_once(act, [f"{number}" for number in range(100)])
    assert sorted(used, key=int) == [f"{number}" for number in range(100)]
    assert figure.outcomes == {"503": 1, "200": 99}


async def test_the_provider_redeems_a_refresh_token_once_for_the_next_token_of_its_user() -> None:
    provider = Provider()

    async def redeem(token: str) -> tuple[int, dict[str, str]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(provider.issuer.rpartition(":")[2]))
        body = f"grant_type=refresh_token&refresh_token={token}".encode()
        writer.write(b"POST /token HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        head = await reader.readuntil(b"\r\n\r\n")
        read = await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]))
        writer.close()
        await writer.wait_closed()
        return int(head[9:12]), json.loads(read)

    async with provider.serving():
        tokens = provider.sign(7, "org-1")
        status, first = await redeem(tokens.refresh_token or "")
        assert status == 200
        claims = jwt.decode(first["access_token"], options={"verify_signature": False})
        assert (claims["sub"], claims["tenant_id"], claims["iss"]) == ("user-7", "org-1", provider.issuer)
        assert first["refresh_token"] != tokens.refresh_token
        assert (await redeem(tokens.refresh_token or ""))[0] == 400
        assert provider.redeemed == 1


def test_the_tables_have_a_row_for_each_phase_and_call() -> None:
    phase = Figure("paced, 300 per second", 299.8, 9.0, 48.5, {"200": 6000}, {"container": 5.0})
    assert "| paced, 300 per second | 300 | 9 | 48 | 6,000 × 200 | 5.00 |" in table([phase])
    call = SessionFigure("read", 1.0, 1.1, 2.0, 2.5)
    assert "| read | 1.0 | 1.1 | 2.0 | 2.5 | 1.25 | ≤ 1.5 |" in session_table([call], Size(1, 1, 1000))


def test_percentile_of_few_times_is_one_of_them() -> None:
    assert (percentile([3.0, 1.0, 2.0], 0.5), percentile([3.0, 1.0, 2.0], 0.99)) == (2.0, 3.0)
