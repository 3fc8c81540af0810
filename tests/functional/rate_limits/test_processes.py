"""Two containers that share one Valkey: exact limits under concurrent clients, and a Valkey that fails."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import httpx2
import pytest

from tenantgate.cache.client import COMMAND_SECONDS, CONNECT_SECONDS
from tenantgate_cli.stack.servers.valkey import EmbeddedValkey
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.databases.valkey import command, frozen, killed
from tests.fixtures.providers.built_in import sealing_key
from tests.fixtures.servers.containers import ContainerProcess, container_processes
from tests.fixtures.web.setup import AUDIENCE, ISSUER, ORIGIN, Issuer

CLIENTS = 50
ADDRESS, IDENTITY, TENANT, ROUTE = 400, 150, 250, 90
VALIDATE, HOME, LIVE = "/api/v1/auth/validate", "/", "/api/v1/health/live"
# Of the two cores that the tests share.
SLACK_SECONDS = 1.5
AWAY = pytest.mark.parametrize("away", [killed, frozen])

type Away = Callable[[EmbeddedValkey], AbstractContextManager[None]]


@dataclass(frozen=True)
class Gate:
    containers: list[ContainerProcess]
    valkey: EmbeddedValkey
    issuer: Issuer

    def at_once(self, number: int, path: str, *tokens: str, address: str = "203.0.113.9") -> list[httpx2.Response]:
        """Send this many requests from 50 concurrent clients, in turn to each container, and with each token.

        The proxy in front of the containers says that all of them come from `address`.
        """
        return asyncio.run(self._at_once(number, path, tokens, address))

    async def _at_once(self, number: int, path: str, tokens: tuple[str, ...], address: str) -> list[httpx2.Response]:
        waiting = iter(range(number))

        async def work(client: httpx2.AsyncClient) -> list[httpx2.Response]:
            return [
                await client.get(
                    self.containers[each % len(self.containers)].url + path,
                    headers={"authorization": f"Bearer {tokens[each % len(tokens)]}"} if tokens else {},
                )
                for each in waiting
            ]

        forwarded = {"x-forwarded-for": f"198.51.100.1, {address}"}
        async with httpx2.AsyncClient(timeout=30, trust_env=False, headers=forwarded) as client:
            found = await asyncio.gather(*(work(client) for _ in range(CLIENTS)))
        return [response for responses in found for response in responses]


@pytest.fixture(scope="module")
def running(database_urls: DatabaseUrls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    issuer = Issuer.in_folder(tmp_path_factory.mktemp("issuer"))
    limits = f"address={ADDRESS}/hour,identity={IDENTITY}/hour,tenant={TENANT}/hour,GET /={ROUTE}/hour"
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as valkey:
        variables = {
            "ENVIRONMENT": "test",
            "PUBLIC_BASE_URL": "http://127.0.0.1:1",
            "ALLOWED_ORIGINS": ORIGIN,
            "DATABASE_URL": database_urls.app_url,
            "REDIS_URL": valkey.start(),
            "OIDC_ISSUER_URL": ISSUER,
            "OIDC_CLIENT_ID": "tenantgate",
            "OIDC_CLIENT_SECRET": "s" * 32,
            "OIDC_AUDIENCE": AUDIENCE,
            "OIDC_JWKS_FILE": str(issuer.jwks_file),
            "COOKIE_SEALING_KEYS": sealing_key(),
            "TRUSTED_PROXIES": "127.0.0.1",
            "RATE_LIMITS": limits,
        }
        with container_processes(variables, tmp_path_factory.mktemp("containers")) as processes:
            yield Gate(processes.start(2), valkey, issuer)


@pytest.fixture
def gate(running: Gate) -> Gate:
    command(running.valkey.start(), "FLUSHALL")
    return running


def statuses(responses: list[httpx2.Response]) -> Counter[int]:
    return Counter(response.status_code for response in responses)


def remaining(responses: list[httpx2.Response], name: str) -> list[int]:
    """Return what each admitted response says of this limit, in order."""
    found = [re.search(rf'"{name}";r=(\d+);t=\d+', response.headers["ratelimit"]) for response in responses]
    return sorted(int(match[1]) for match in found if match)


def test_the_address_limit_is_exact_under_concurrent_clients(gate: Gate) -> None:
    responses = gate.at_once(ADDRESS + 300, "/nowhere")

    assert statuses(responses) == {404: ADDRESS, 429: 300}
    admitted = [response for response in responses if response.status_code == 404]
    assert remaining(admitted, "address") == list(range(ADDRESS))
    for response in responses:
        assert response.headers["ratelimit-policy"] == f'"address";q={ADDRESS};w=3600'
        assert ("retry-after" in response.headers) is (response.status_code == 429)


def test_the_route_limit_is_exact_and_spends_nothing_of_other_routes(gate: Gate) -> None:
    assert statuses(gate.at_once(ROUTE + 60, HOME)) == {200: ROUTE, 429: 60}
    assert statuses(gate.at_once(60, LIVE)) == {200: 60}
    assert statuses(gate.at_once(1, "/nowhere")) == {404: 1}


def test_identity_and_tenant_limits_are_exact_and_forged_tokens_spend_neither(gate: Gate) -> None:
    forged = gate.issuer.token()[:-4] + "AAAA"
    assert statuses(gate.at_once(80, VALIDATE, forged)) == {401: 80}

    one = gate.at_once(IDENTITY + 20, VALIDATE, gate.issuer.token())
    assert statuses(one) == {200: IDENTITY, 429: 20}

    others = [gate.issuer.token(sub=f"user-{number}") for number in range(2, 5)]
    rest = gate.at_once(ADDRESS - 80 - IDENTITY - 20, VALIDATE, *others)
    assert statuses(rest) == {200: TENANT - IDENTITY, 429: ADDRESS - 80 - 20 - TENANT}
    refused = {str(response.json()["error"]["detail"]) for response in rest if response.status_code == 429}
    assert refused == {"{'limits': ['tenant']}"}


@AWAY
def test_without_valkey_each_process_counts_within_the_caches_time_limits(gate: Gate, away: Away) -> None:
    address = {"killed": "203.0.113.10", "frozen": "203.0.113.11"}[away.__name__]
    with away(gate.valkey):
        began = time.monotonic()
        [first] = gate.at_once(1, "/nowhere", address=address)
        assert first.status_code == 404
        assert time.monotonic() - began < CONNECT_SECONDS + COMMAND_SECONDS + SLACK_SECONDS
        # Each process admits as many as the limit.
        found = statuses(gate.at_once(2 * ADDRESS + 99, "/nowhere", address=address))
        assert found == {404: 2 * ADDRESS - 1, 429: 100}
        assert statuses(gate.at_once(20, LIVE, address=address)) == {200: 20}
    assert "rate limits count in each process" in gate.containers[0].log.read_text()
    # The processes find Valkey again, and count together.
    ends = time.monotonic() + 10
    while time.monotonic() < ends and statuses(gate.at_once(2, "/nowhere", address=address)) != {404: 2}:
        time.sleep(0.2)
    assert statuses(gate.at_once(2, "/nowhere", address=address)) == {404: 2}
