"""SIGTERM under load: no client sees a failed request, if the load balancer stops sending once readiness fails."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections import Counter
from pathlib import Path

import httpx2
import pytest

from tenantgate_cli.stack.servers.postgres import PostgresAddresses
from tests.fixtures.image.containers import RunningImage, production, running
from tests.fixtures.image.engine import Engine
from tests.fixtures.programs.requires import requires_image_tools
from tests.fixtures.servers.raw_http import rest_of

pytestmark = [pytest.mark.xdist_group("stacks"), requires_image_tools]

CLIENTS = 16
DRAIN_SECONDS = 4
# A load balancer's: the time between two checks. The second failure in a row counts.
CHECK_SECONDS = 0.25


class Balancer:
    """Clients that send one request after the other, until the readiness check has failed twice."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._out_of_service = asyncio.Event()
        self.outcomes: Counter[str] = Counter()

    async def run(self, one: RunningImage, *, before: float) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._check())
            for number in range(CLIENTS):
                # Half of them connect for each request.
                group.create_task(self._send(keeps=number % 2 == 0))
            await asyncio.sleep(before)
            await asyncio.to_thread(one.terminate)

    async def _check(self) -> None:
        failures = 0
        async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
            while failures < 2:
                await asyncio.sleep(CHECK_SECONDS)
                response = await client.get(f"{self._url}/api/v1/health/ready")
                failures = failures + 1 if response.status_code == 503 else 0
        self._out_of_service.set()

    async def _send(self, *, keeps: bool) -> None:
        limits = httpx2.Limits(max_keepalive_connections=1 if keeps else 0)
        async with httpx2.AsyncClient(trust_env=False, timeout=20, limits=limits) as client:
            while not self._out_of_service.is_set():
                try:
                    response = await client.get(f"{self._url}/api/v1/auth/validate")
                except httpx2.HTTPError as error:
                    self.outcomes[type(error).__name__] += 1
                else:
                    self.outcomes[str(response.status_code)] += 1
                    if response.headers.get("connection") == "close":
                        self.outcomes["asked to close"] += 1


def _await_closed_port(port: int) -> None:
    """Wait for the end of the time in which it accepts requests."""
    ends = time.monotonic() + 5 * DRAIN_SECONDS
    while time.monotonic() < ends:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.1)
    raise AssertionError("it still accepts connections")


@pytest.mark.parametrize("workers", [1, 2])
def test_no_request_fails_and_one_in_progress_is_finished(
    image: Engine, empty_database: PostgresAddresses, tmp_path: Path, workers: int
) -> None:
    variables = production(
        empty_database.owner_url, DRAIN_SECONDS=str(DRAIN_SECONDS), WEB_CONCURRENCY=str(workers), LOG_LEVEL="INFO"
    )
    with running(image, variables, tmp_path) as (started,):
        started.await_ready()
        balancer = Balancer(started.url)
        with socket.create_connection(("127.0.0.1", started.port), timeout=30) as slow:
            body = json.dumps({"redirect_uri": "https://app.example.com/"}).encode()
            slow.sendall(
                b"POST /api/v1/auth/logout HTTP/1.1\r\nHost: auth.example.com\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n" % len(body) + body[:5]
            )
            asyncio.run(balancer.run(started, before=1.5))
            _await_closed_port(started.port)
            slow.sendall(body[5:])
            answer = rest_of(slow)
        status = started.process.wait(30)

    assert set(balancer.outcomes) == {"401", "asked to close"}, balancer.outcomes
    assert balancer.outcomes["asked to close"] >= CLIENTS
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"AUTH_007" in answer
    assert status == 0
    assert "stopping" in [line["message"] for line in started.lines()]
