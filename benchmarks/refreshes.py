"""Refreshes per second with durable rotation, and their times.

    python -m benchmarks.refreshes [--rate N] [--seconds N] [--workers N] [--json]

The container (`python -m container.start`, `LOG_LEVEL=INFO`) runs over PostgreSQL and Valkey as `make dev` starts them:
`fsync` and `synchronous_commit` are on, so that a rotation is on disk before its response. The provider is a stand-in
that responds at once with an access token that was signed before (ES256), another one for each user, and with a new
refresh token. It runs in the process of the load generator. Everything shares the machine's cores.

Each request refreshes another session, with the session's own user, over up to 64 kept connections, which take turns:
each belongs to one of the workers. The tables have statistics, as autovacuum makes them within minutes. Two phases:

    paced     requests begin at a fixed rate, whether or not earlier ones are complete; a request that has to wait for
              its turn is measured from the moment at which it should have begun
    at once   16 clients send one request after the other
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import jwt
import psutil
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from benchmarks.sessions import execute, percentile, tell
from benchmarks.stand_ins import AUDIENCE, BASE_URL, CLIENT_ID
from tenantgate.crypto.sealing import Sealer, new_sealing_key
from tenantgate.database import migrator
from tenantgate.database.pool import PooledDatabase
from tenantgate.identity.principal import Principal
from tenantgate.revocation.repository import record_in
from tenantgate.sessions.ending.record import Endings
from tenantgate.sessions.models import SessionPolicy, SessionTokens, SignIn
from tenantgate.sessions.repository import SessionRepository
from tenantgate.sessions.service import SessionService
from tenantgate_cli.paths import ROOT
from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres, PostgresAddresses
from tenantgate_cli.stack.servers.valkey import EmbeddedValkey

RATE, SECONDS, WORKERS = 300, 20, 2
GOAL_RATE, GOAL_P99 = 300, 50.0
TENANTS = [f"org-{uuid.UUID(int=number + 1)}" for number in range(20)]
_CONNECTIONS, _CLIENTS = 64, 16
_SCOPE = "openid orders:read"


class Figure(NamedTuple):
    """A phase. Times are in milliseconds; `outcomes` counts the responses by status.

    `cpu`: milliseconds of processor time for each refresh, by part. They hardly depend on other load on the machine.
    """

    name: str
    per_second: float
    p50: float
    p99: float
    outcomes: dict[str, int]
    cpu: dict[str, float]


class Provider:
    """Discovery, keys, and a token endpoint that only knows refresh tokens. `tokens`: by the number of the user."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._responses: dict[str, bytes] = {}
        self._generation = 0
        self.issuer = ""
        self.redeemed = 0

    @property
    def jwks(self) -> dict[str, Any]:
        return {"keys": [ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True) | {"kid": "1", "use": "sig"}]}

    def sign(self, number: int, tenant_id: str) -> SessionTokens:
        """Sign the next access token of a user, and return the tokens with which the session begins."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": f"user-{number}",
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 3600,
            "jti": uuid.uuid4().hex,
            "client_id": CLIENT_ID,
            "scope": _SCOPE,
            "tenant_id": tenant_id,
        }
        signed = jwt.encode(claims, self._key, "ES256", {"kid": "1", "typ": "at+jwt"})
        refresh_token = base64.urlsafe_b64encode(os.urandom(32)).decode()
        fields = {
            "access_token": signed,
            "token_type": "Bearer",
            "expires_in": 3600,
            "refresh_token": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        }
        self._responses[refresh_token] = _response(json.dumps(fields).encode())
        id_claims = {"iss": self.issuer, "sub": f"user-{number}", "aud": CLIENT_ID, "iat": now, "exp": now + 3600}
        return SessionTokens(signed, jwt.encode(id_claims, self._key, "ES256", {"kid": "1"}), refresh_token)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.issuer = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                body = await reader.readexactly(_content_length(head))
                writer.write(self._respond(head, body))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _respond(self, head: bytes, body: bytes) -> bytes:
        path = head.split(b" ", 2)[1]
        if path == b"/token":
            # Each refresh token is known once: a second redemption would be a fault of the product.
            known = self._responses.pop(parse_qs(body.decode())["refresh_token"][0], None)
            self.redeemed += known is not None
            return known or _response(b'{"error":"invalid_grant"}', status=b"400 Bad Request")
        document = self.jwks if path == b"/jwks" else self._metadata()
        return _response(json.dumps(document).encode())

    def _metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
        }


class Clients:
    """Kept connections to the container."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = deque()
        self._slots = asyncio.Semaphore(_CONNECTIONS)

    async def refresh(self, secret: str) -> str:
        """Refresh one session, and return the status; `200 same cookie` if the secret wasn't replaced."""
        async with self._slots:
            idle = self._idle.popleft() if self._idle else None
            reader, writer = idle or await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(
                f"POST /api/v1/auth/refresh HTTP/1.1\r\nhost: {BASE_URL.removeprefix('http://')}\r\n"
                f"origin: {BASE_URL}\r\ncookie: __Host-tg_session={secret}\r\ncontent-length: 0\r\n\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(_content_length(head))
            self._idle.append((reader, writer))
        status = head[9:12].decode()
        replaced = b"__Host-tg_session=" in head and secret.encode() not in head
        return status if replaced or status != "200" else "200 same cookie"

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()


async def paced(act: Callable[[str], Awaitable[str]], secrets: Sequence[str], rate: float) -> Figure:
    """Begin a refresh every 1/`rate` seconds."""
    times: list[float] = []
    outcomes: Counter[str] = Counter()
    began = time.perf_counter()

    async def one(secret: str, due: float) -> None:
        outcomes[await act(secret)] += 1
        times.append((time.perf_counter() - due) * 1000)

    async with asyncio.TaskGroup() as group:
        for place, secret in enumerate(secrets):
            due = began + place / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(one(secret, due))
    return _figure(f"paced, {rate:g} per second", began, times, outcomes)


async def at_once(act: Callable[[str], Awaitable[str]], secrets: Sequence[str]) -> Figure:
    """Let a few clients send one refresh after the other."""
    times: list[float] = []
    outcomes: Counter[str] = Counter()
    left = iter(secrets)
    began = time.perf_counter()

    async def client() -> None:
        for secret in left:
            due = time.perf_counter()
            outcomes[await act(secret)] += 1
            times.append((time.perf_counter() - due) * 1000)

    await asyncio.gather(*(client() for _ in range(_CLIENTS)))
    return _figure(f"at once, {_CLIENTS} clients", began, times, outcomes)


async def measure(rate: float, seconds: float, workers: int) -> list[Figure]:
    """Measure both phases on new servers."""
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedPostgres(Path(folder) / "postgres") as postgres,
        EmbeddedValkey(Path(folder) / "valkey") as valkey,
    ):
        addresses, redis_url = postgres.start(), valkey.start()
        await asyncio.to_thread(migrator.upgrade, addresses.owner_url)
        provider, key = Provider(), new_sealing_key()
        async with provider.serving():
            each = int(rate * seconds)
            tell(f"signing tokens and starting {2 * each + 200:,} sessions")
            secrets = await _sessions(addresses, provider, key, 2 * each + 200)
            await execute(addresses.admin_url, "VACUUM ANALYZE")
            variables = _variables(addresses, redis_url, provider, key, Path(folder))
            log = Path(folder) / "container.log"
            with _container({**variables, "WEB_CONCURRENCY": str(workers)}, log) as (port, process):
                clients = Clients(port)
                await _until_ready(clients, secrets[:200], log)
                parts = {"container": process, "PostgreSQL": postgres.pid, "Valkey": valkey.pid, "load": os.getpid()}
                phases = (
                    lambda: paced(clients.refresh, secrets[200 : 200 + each], rate),
                    lambda: at_once(clients.refresh, secrets[200 + each :]),
                )
                figures = [await _with_cpu(phase, parts) for phase in phases]
                clients.close()
        refreshed = sum(figure.outcomes.get("200", 0) for figure in figures)
        stored = await _rotations(addresses.admin_url)
        tell(
            f"{refreshed:,} refreshes succeeded, {stored:,} rotations are stored, {provider.redeemed:,} tokens redeemed"
        )
        return figures


def table(figures: Sequence[Figure]) -> str:
    """Format the figures as Markdown."""
    parts = list(figures[0].cpu)
    lines = [
        f"| phase | per second | p50, ms | p99, ms | responses | {' | '.join(f'CPU, {part}, ms' for part in parts)} |",
        f"|---|---:|---:|---:|---|{'---:|' * len(parts)}",
    ]
    for figure in figures:
        outcomes = ", ".join(f"{count:,} × {status}" for status, count in sorted(figure.outcomes.items()))
        times = f"{figure.per_second:.0f} | {figure.p50:.0f} | {figure.p99:.0f}"
        used = " | ".join(f"{figure.cpu[part]:.2f}" for part in parts)
        lines.append(f"| {figure.name} | {times} | {outcomes} | {used} |")
    lines.append(f"| goal | ≥ {GOAL_RATE} | | ≤ {GOAL_P99:.0f} | |{' |' * len(parts)}")
    return "\n".join(lines) + "\n"


def _figure(name: str, began: float, times: Sequence[float], outcomes: Counter[str]) -> Figure:
    per_second = len(times) / (time.perf_counter() - began)
    return Figure(name, per_second, percentile(times, 0.5), percentile(times, 0.99), dict(outcomes), {})


async def _with_cpu(phase: Callable[[], Awaitable[Figure]], parts: Mapping[str, int | None]) -> Figure:
    before = {name: _cpu_seconds(pid) for name, pid in parts.items()}
    figure = await phase()
    count = sum(figure.outcomes.values())
    used = {name: (_cpu_seconds(pid) - before[name]) * 1000 / count for name, pid in parts.items()}
    return figure._replace(cpu=used)


def _cpu_seconds(pid: int | None) -> float:
    """Return the processor time of a process and, unless it is this one, of its children, also of those that ended."""
    process = psutil.Process(pid)
    times = process.cpu_times()
    total: float = times.user + times.system
    if pid == os.getpid():
        return total
    total += times.children_user + times.children_system
    for child in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            times = child.cpu_times()
            total += times.user + times.system
    return total


async def _sessions(addresses: PostgresAddresses, provider: Provider, key: str, count: int) -> list[str]:
    database, sealer = PooledDatabase(addresses.app_url), Sealer([key])

    async def current() -> Sealer:
        return sealer

    service = SessionService(SessionRepository(database, Endings(record_in, SessionPolicy())), current)
    secrets: list[str] = []
    numbers = iter(range(count))

    async def start() -> None:
        for number in numbers:
            tenant_id, user_id = TENANTS[number % len(TENANTS)], f"user-{number}"
            scopes = frozenset(_SCOPE.split())
            principal = Principal(user_id, tenant_id, provider.issuer, scopes, int(time.time()) + 3600, "bearer", {})
            started = await service.start(
                principal=principal,
                tokens=provider.sign(number, tenant_id),
                sign_in=SignIn(provider.issuer, user_id, sid=str(number)),
            )
            secrets.append(started.secret)

    await asyncio.gather(*(start() for _ in range(8)))
    await database.dispose()
    return secrets


def _variables(
    addresses: PostgresAddresses, redis_url: str, provider: Provider, key: str, folder: Path
) -> dict[str, str]:
    keys = folder / "jwks.json"
    keys.write_text(json.dumps(provider.jwks))
    return {
        "ENVIRONMENT": "development",
        "LOG_LEVEL": "INFO",
        "PUBLIC_BASE_URL": BASE_URL,
        "ALLOWED_ORIGINS": BASE_URL,
        "DATABASE_URL": addresses.app_url,
        "DATABASE_OWNER_URL": addresses.owner_url,
        "REDIS_URL": redis_url,
        "OIDC_ISSUER_URL": provider.issuer,
        "OIDC_CLIENT_ID": CLIENT_ID,
        "OIDC_AUDIENCE": AUDIENCE,
        "OIDC_JWKS_FILE": str(keys),
        "OIDC_CLIENT_SECRET": uuid.uuid4().hex,
        "COOKIE_SEALING_KEYS": key,
    }


@contextmanager
def _container(variables: dict[str, str], log: Path) -> Iterator[tuple[int, int]]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    path = f"{ROOT}:{ROOT / 'layers' / 'shared'}:{ROOT / 'cli'}"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "PORT": str(port), **variables}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "container.start"], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
        try:
            yield port, process.pid
        finally:
            process.terminate()
            process.wait()


async def _until_ready(clients: Clients, secrets: Sequence[str], log: Path) -> None:
    """Wait for the container, and warm up its workers."""
    deadline = time.monotonic() + 60
    while True:
        try:
            await clients.refresh(secrets[0])
        except OSError:
            if time.monotonic() > deadline:
                written = await asyncio.to_thread(log.read_text)
                raise SystemExit(f"the container did not start:\n{written[-2000:]}") from None
            await asyncio.sleep(0.1)
        else:
            break
    await at_once(clients.refresh, secrets[1:])


async def _rotations(admin_url: str) -> int:
    import asyncpg  # noqa: PLC0415

    connection = await asyncpg.connect(admin_url)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM session_secrets"))
    finally:
        await connection.close()


def _response(body: bytes, *, status: bytes = b"200 OK") -> bytes:
    head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % (status, len(body))
    return head + body


def _content_length(head: bytes) -> int:
    _, _, after = head.lower().partition(b"content-length:")
    return int(after.split(b"\r\n", 1)[0]) if after else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=RATE, help=f"paced refreshes per second ({RATE})")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"of the paced phase ({SECONDS})")
    parser.add_argument("--workers", type=int, default=WORKERS, help=f"processes of the container ({WORKERS})")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    figures = asyncio.run(measure(options.rate, options.seconds, options.workers))
    rows = [figure._asdict() for figure in figures]
    sys.stdout.write(json.dumps(rows, indent=2) + "\n" if options.json else table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
