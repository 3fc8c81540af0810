"""Four gateways, each with its own authorizer, and one container, over one PostgreSQL and one Valkey.

Each authorizer holds its own list of revocations, and the container another one. The container publishes the list, as
in production, and its users sign out there; the rest is revoked as the operator's command does it. Every link to Valkey
goes through one `FaultProxy`.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from lambda_gateway.app import Gateway
from lambda_gateway.observer import Observer
from lambda_gateway.template.reader import read_template
from tenantgate.cache.client import ValkeyCache
from tenantgate.cache_url import parse_cache_url
from tenantgate.crypto.sealing import Sealer, new_sealing_key
from tenantgate.database.pool import PooledDatabase
from tenantgate.revocation.repository import record_in
from tenantgate.revocation.service import RevocationService
from tenantgate.revocation.wiring import revocation_service_of
from tenantgate.sessions.cache import SessionCache
from tenantgate.sessions.ending.record import Endings
from tenantgate.sessions.models import SessionPolicy
from tenantgate.sessions.repository import SessionRepository
from tenantgate.sessions.service import SessionService
from tenantgate_cli.stack.servers.valkey import EmbeddedValkey
from tests.fixtures.databases.valkey import command
from tests.fixtures.faults.proxy import FaultProxy
from tests.fixtures.gateway.guarded_apis import INTEGRATIONS, RULES, write_guarded_apis
from tests.fixtures.providers.issuer_server import IssuerServer
from tests.fixtures.servers.containers import container_processes
from tests.fixtures.tokens.issuer import AUDIENCE, public_jwks
from tests.fixtures.web.setup import make_settings

WORKERS = 4
ORIGIN = "https://auth.example.test"
# Enough for the key ids that are revoked at the same time. The first one is never revoked.
KIDS = tuple(f"p256-{number}" for number in range(48))
WEB = "web"
_API = "HttpTwoSimple"
_RULES = RULES.replace("{ids}", '"*"')
_CODES = ("SYS_011", "SYS_005")
# Counted, and never reached.
_NO_LIMITS = "address=10000000/minute,identity=10000000/minute,tenant=10000000/minute"


@dataclass(frozen=True)
class Worker:
    """A process that lets requests in by the list that it holds. `codes`: those of its failures."""

    name: str
    client: httpx2.AsyncClient
    path: str
    codes: Counter[str]
    gateway: Gateway | None = None

    async def ask(self, headers: dict[str, str]) -> int:
        """Send a request and return the status."""
        response = await self.client.get(self.path, headers=headers)
        if self.gateway is None and response.status_code == 503:
            self.codes[response.json()["error"]["code"]] += 1
        return response.status_code

    def restart(self) -> None:
        """Start the authorizer again: it then holds no list."""
        if self.gateway is not None:
            self.gateway.restart(["Gate"])


class Valkey:
    """The server, and the link to it."""

    def __init__(self, server: EmbeddedValkey, link: FaultProxy, url: str) -> None:
        self.server = server
        self.link = link
        self.url = url
        self._dump = server.data_dir / "work" / "dump.rdb"
        self._kept = server.data_dir / "work" / "kept.rdb"

    def flush(self) -> None:
        command(self.url, "FLUSHALL")

    def dump(self) -> None:
        """Keep what the server has now."""
        command(self.url, "SAVE")
        shutil.move(self._dump, self._kept)

    def restore(self) -> None:
        """Start the server again from the kept dump."""
        self.server.stop()
        shutil.copy(self._kept, self._dump)
        try:
            self.server.start()
        finally:
            self._dump.unlink()


@dataclass(frozen=True)
class BoundStack:
    """`workers`: the authorizers behind their gateways, and the container. `issuer`: of all tokens."""

    valkey: Valkey
    workers: tuple[Worker, ...]
    container: httpx2.AsyncClient
    revocations: RevocationService
    sessions: SessionService
    issuer: str

    @property
    def authorizers(self) -> tuple[Worker, ...]:
        return tuple(worker for worker in self.workers if worker.gateway is not None)


@asynccontextmanager
async def bound_stack(database_url: str, server: EmbeddedValkey, folder: Path) -> AsyncIterator[BoundStack]:
    """Serve with a migrated database and a Valkey of the caller's own, which is killed and emptied."""
    url = await asyncio.to_thread(server.start)
    async with AsyncExitStack() as stack:
        provider = IssuerServer()
        provider.jwks = public_jwks(*KIDS)
        provider.metadata_changes["end_session_endpoint"] = "https://provider.example.test/end"
        issuer = stack.enter_context(provider.running()).url
        link = stack.enter_context(FaultProxy(url))
        keys = folder / "kids.json"
        keys.write_text(json.dumps(provider.jwks))
        common = {
            "ENVIRONMENT": "test",
            "OIDC_ISSUER_URL": issuer,
            "OIDC_AUDIENCE": AUDIENCE,
            "OIDC_JWKS_FILE": str(keys),
            "PUBLIC_BASE_URL": ORIGIN,
            "REDIS_URL": link.url,
            # Denied requests are counted here: their log lines would take more time than the decisions.
            "LOG_LEVEL": "ERROR",
        }
        sealing_key = new_sealing_key()
        web = {
            **common,
            "ALLOWED_ORIGINS": ORIGIN,
            "DATABASE_URL": database_url,
            "OIDC_CLIENT_ID": "bound",
            "OIDC_CLIENT_SECRET": "a-secret-of-this-run",
            "COOKIE_SEALING_KEYS": sealing_key,
            "RATE_LIMITS": _NO_LIMITS,
        }
        processes = stack.enter_context(container_processes(web, folder))
        (container,) = await asyncio.to_thread(processes.start)
        client = await stack.enter_async_context(
            httpx2.AsyncClient(base_url=container.url, trust_env=False, timeout=30)
        )
        workers = [await _authorizer(stack, folder / str(number), common, number) for number in range(WORKERS)]
        workers.append(Worker(WEB, client, "/api/v1/auth/validate", Counter()))
        database = PooledDatabase(database_url)
        stack.push_async_callback(database.dispose)
        cache = ValkeyCache(parse_cache_url(link.url, protection="private-network", relaxed=True))
        stack.push_async_callback(cache.dispose)
        settings = make_settings(**web)
        yield BoundStack(
            Valkey(server, link, url),
            tuple(workers),
            client,
            revocation_service_of(settings, database, cache),
            _sessions(database, cache, sealing_key),
            issuer,
        )


async def _authorizer(stack: AsyncExitStack, folder: Path, variables: dict[str, str], number: int) -> Worker:
    folder.mkdir()
    template = write_guarded_apis(
        folder, integrations={_API: INTEGRATIONS[_API]}, routes=("GET /orders",), rules=_RULES, variables=variables
    )
    codes: Counter[str] = Counter()

    def count(_: str, line: str) -> None:
        codes.update(code for code in _CODES if f'"{code}"' in line)

    gateway = Gateway(read_template(template), observer=Observer(output=count), environments=1)
    stack.push_async_callback(gateway.stop)
    transport = httpx2.ASGITransport(app=gateway.api(_API))
    client = await stack.enter_async_context(
        httpx2.AsyncClient(transport=transport, base_url="http://api.test", timeout=30)
    )
    return Worker(f"authorizer {number + 1}", client, "/orders", codes, gateway)


def _sessions(database: PooledDatabase, cache: ValkeyCache, sealing_key: str) -> SessionService:
    sealer, policy = Sealer([sealing_key]), SessionPolicy()

    async def current() -> Sealer:
        return sealer

    store = SessionRepository(database, Endings(record_in, policy))
    return SessionService(store, current, policy=policy, cache=SessionCache(cache, policy))
