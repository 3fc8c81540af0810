"""Every route's messages to PostgreSQL, read at the wire: none would pin a connection."""

from __future__ import annotations

import re
from collections.abc import Iterator

import asyncpg
import pytest

from tenantgate.database import transaction
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.databases.recording_proxy import RecordingProxy, recording_proxy
from tests.fixtures.isolation.pinning import pins
from tests.fixtures.isolation.statements import product_statements, statements_of
from tests.fixtures.isolation.walk import Walk, application

# Those of the readiness check.
DATABASE = ("tenantgate.database.probe",)
TRANSACTION = {"BEGIN;", "COMMIT;", "ROLLBACK;", transaction._BEGIN_IN_TENANT, transaction._BEGIN_NOT_DURABLE}
TENANT_ID = re.compile(r"(?<=decode\(')[0-9a-f]+(?=', 'hex'\))")
KINDS = {"container": {}, "lambda": {"AWS_LAMBDA_FUNCTION_NAME": "auth"}}


@pytest.fixture(scope="module", params=KINDS)
def walk(request: pytest.FixtureRequest, database_urls: DatabaseUrls) -> Iterator[Walk]:
    """Walk once through every route, with the container's pool, or with the single connection of Lambda."""
    with recording_proxy(database_urls.app_url) as proxy, application(proxy.url, **KINDS[request.param]) as base:
        walked = Walk(base, proxy)
        walked.run()
        yield walked


@pytest.fixture
def recorded(database_urls: DatabaseUrls) -> Iterator[RecordingProxy]:
    with recording_proxy(database_urls.app_url) as proxy:
        yield proxy


def test_every_route_was_used(walk: Walk) -> None:
    assert [str(route) for route in walk.routes if route not in walk.visited] == []
    failed = {str(route): statuses for route, statuses in walk.visited.items() if max(statuses) >= 500}
    assert failed == {}


def test_nothing_on_any_route_pins_a_connection(walk: Walk) -> None:
    found = [f"{one.during}: {reason}: {one.text}" for one in walk.proxy.sent if (reason := pins(one)) is not None]
    assert found == []
    assert len(walk.proxy.statements()) > 100


def test_only_constants_of_the_product_are_sent(walk: Walk) -> None:
    constants = [product_statements(), *map(statements_of, DATABASE)]
    known = {text.strip() for given in constants for text in given.values()} | TRANSACTION
    # The tenant id is the only value in a text: hexadecimal digits, and nothing else.
    sent = {TENANT_ID.sub("{}", one.text.strip()) for one in walk.proxy.statements()}
    assert sent - known == set()
    assert len(sent & known) > 12


@pytest.mark.anyio
async def test_a_driver_with_its_usual_settings_is_found(recorded: RecordingProxy) -> None:
    recorded.label = "GET /example"
    connection = await asyncpg.connect(recorded.url, server_settings={"search_path": "public"})
    try:
        for number in (1, 2):
            await connection.fetchval("SELECT $1::int", number)
        await connection.execute("SELECT pg_advisory_lock(1)")
        await connection.execute("RESET ALL")
    finally:
        await connection.close()
    found = {pins(one) for one in recorded.sent if one.during == "GET /example"}
    assert any("a prepared statement with a name" in (reason or "") for reason in found)
    assert found >= {
        "a session that starts with search_path",
        "pg_advisory_lock",
        "reset",
    }
