"""The effect of a silent issuer on sign-ins: 10 requests per second send the container tokens that name it.

    python -m benchmarks.silent_issuer [--seconds N] [--tree CHECKOUT] [--json]

The container runs as `python -m container.start`, over PostgreSQL and a provider on loopback, and trusts a second
issuer that accepts connections and never responds. Anyone can send tokens that name it; these have an invalid
signature. At the same time, five sign-ins per second run from `GET /api/v1/auth/login` to the completed callback, first
without those tokens, then with them. `--tree` measures the code of another checkout with the same load.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import httpx2

from benchmarks.stand_ins import AUDIENCE, TENANT, Provider, development_variables
from tenantgate_cli.paths import ROOT
from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres

TOKENS_PER_SECOND = 10
SIGN_INS_PER_SECOND = 5
_LONGEST_WAIT = 60.0


class Figure(NamedTuple):
    """Times of one kind of request in milliseconds; `outcomes` counts the requests by status and error code."""

    name: str
    p50: float
    p99: float
    slowest: float
    outcomes: dict[str, int]


class _Samples:
    def __init__(self) -> None:
        self.milliseconds: list[float] = []
        self.outcomes: Counter[str] = Counter()

    def figure(self, name: str) -> Figure:
        values = sorted(self.milliseconds)
        at = [values[min(len(values) - 1, int(len(values) * share))] for share in (0.5, 0.99)]
        return Figure(name, at[0], at[1], values[-1], dict(sorted(self.outcomes.items())))

    async def take(self, request: Awaitable[httpx2.Response]) -> httpx2.Response | None:
        started = time.perf_counter()
        try:
            response = await request
        except httpx2.HTTPError as error:
            self._add(started, type(error).__name__)
            return None
        code = f" {response.json()['error']['code']}" if response.status_code >= 400 else ""
        self._add(started, f"{response.status_code}{code}")
        return response

    def _add(self, started: float, outcome: str) -> None:
        self.milliseconds.append((time.perf_counter() - started) * 1000)
        self.outcomes[outcome] += 1


@contextlib.contextmanager
def _silent_issuer() -> Iterator[str]:
    """Yield the URL of a socket whose connections the kernel completes but no code reads."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(512)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def _unsigned_token(issuer: str) -> str:
    now = int(time.time())
    header = {"alg": "RS256", "kid": "1", "typ": "at+jwt"}
    claims = {"iss": issuer, "sub": "anyone", "aud": AUDIENCE, "iat": now, "exp": now + 600, "jti": uuid.uuid4().hex}
    segments = [json.dumps(header).encode(), json.dumps(claims).encode(), os.urandom(256)]
    return ".".join(base64.urlsafe_b64encode(segment).rstrip(b"=").decode() for segment in segments)


@contextlib.contextmanager
def _container(tree: Path, variables: dict[str, str], log: Path) -> Iterator[str]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    path = f"{tree}:{tree / 'layers' / 'shared'}:{tree / 'cli'}"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "PORT": str(port), "DRAIN_SECONDS": "0", **variables}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "container.start"], cwd=tree, env=environment, stdout=output, stderr=output
        )
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


async def _ready(client: httpx2.AsyncClient, written: Callable[[], str]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx2.TransportError):
            if (await client.get("/api/v1/health/live")).status_code == 200:
                return
        await asyncio.sleep(0.1)
    raise SystemExit(f"the container did not start:\n{written()[-2000:]}")


async def _sign_in(client: httpx2.AsyncClient, begun: _Samples, completed: _Samples) -> None:
    html = {"accept": "text/html"}
    started = await begun.take(client.get("/api/v1/auth/login", headers=html))
    if started is None or started.status_code != 302:
        return
    asked = parse_qs(urlsplit(started.headers["location"]).query)
    # The stand-in uses the nonce for the ID token as the code.
    query = {"code": asked["nonce"][0], "state": asked["state"][0]}
    cookie = "; ".join(each.partition(";")[0] for each in started.headers.get_list("set-cookie"))
    await completed.take(client.get("/api/v1/auth/callback", params=query, headers={**html, "cookie": cookie}))


async def _every(interval: float, seconds: float, act: Callable[[], Awaitable[object]]) -> None:
    """Start `act` at a steady pace, regardless of its duration, and wait for all calls."""
    started = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(int(seconds / interval)):
            await asyncio.sleep(max(0.0, started + number * interval - time.monotonic()))
            group.create_task(_awaited(act))


async def _awaited(act: Callable[[], Awaitable[object]]) -> None:
    await act()


async def _phase(client: httpx2.AsyncClient, silent: str | None, seconds: float) -> list[Figure]:
    begun, completed, refused = _Samples(), _Samples(), _Samples()

    async def send_a_token() -> None:
        authorization = {"authorization": f"Bearer {_unsigned_token(silent or '')}"}
        await refused.take(client.get("/api/v1/auth/validate", headers=authorization))

    async with asyncio.TaskGroup() as group:
        group.create_task(_every(1 / SIGN_INS_PER_SECOND, seconds, lambda: _sign_in(client, begun, completed)))
        if silent is not None:
            group.create_task(_every(1 / TOKENS_PER_SECOND, seconds, send_a_token))
    condition = "" if silent is None else ", next to the silent issuer"
    figures = [begun.figure(f"begin a sign-in{condition}")]
    if completed.milliseconds:
        figures.append(completed.figure(f"complete a sign-in{condition}"))
    return figures if silent is None else [*figures, refused.figure("a token that names the silent issuer")]


async def measure(seconds: float, tree: Path = ROOT) -> list[Figure]:
    """Measure without and with the tokens, `seconds` each."""
    with (
        tempfile.TemporaryDirectory() as name,
        EmbeddedPostgres(Path(name) / "postgres") as postgres,
        Provider(Path(name) / "jwks.json") as provider,
        _silent_issuer() as silent,
    ):
        variables, secrets = development_variables(postgres.start(), provider)
        trusted = [{"issuer": silent, "audiences": [AUDIENCE], "tenants": [TENANT]}]
        variables |= {"TRUSTED_ISSUERS": json.dumps(trusted)} | secrets
        log = Path(name) / "container.log"
        options: dict[str, Any] = {"timeout": _LONGEST_WAIT, "limits": httpx2.Limits(max_connections=1000)}
        with _container(tree, variables, log) as base:
            async with httpx2.AsyncClient(base_url=base, trust_env=False, **options) as client:
                await _ready(client, log.read_text)
                # Exclude the one-time cost of the first request.
                await _sign_in(client, _Samples(), _Samples())
                return [*await _phase(client, None, seconds), *await _phase(client, silent, seconds)]


def table(figures: list[Figure]) -> str:
    """Format the figures as Markdown."""
    lines = ["| request | p50, ms | p99, ms | slowest, ms | outcomes |", "|---|---:|---:|---:|---|"]
    for figure in figures:
        outcomes = ", ".join(f"{count} × {outcome}" for outcome, count in figure.outcomes.items())
        lines.append(f"| {figure.name} | {figure.p50:.0f} | {figure.p99:.0f} | {figure.slowest:.0f} | {outcomes} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30, help="of each of the two phases (30)")
    parser.add_argument("--tree", type=Path, default=ROOT, help="the checkout whose container is measured (this one)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    figures = asyncio.run(measure(options.seconds, options.tree.resolve()))
    rows = [figure._asdict() for figure in figures]
    sys.stdout.write(json.dumps(rows, indent=2) + "\n" if options.json else table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
