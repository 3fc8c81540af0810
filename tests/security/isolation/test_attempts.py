"""Every attack on every tenant table, through PgBouncer with many tenants' transactions on few connections.

`python -m tests.security.isolation` runs more of them and logs the figures in docs/isolation/README.md.
"""

import pytest

from tenantgate.database.pool import LAMBDA_POOL, PooledDatabase
from tests.fixtures.databases.pgbouncer import PgBouncer
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.isolation.attacks import attacks
from tests.fixtures.isolation.campaign import Campaign, World
from tests.fixtures.isolation.schema import Table, read_tables
from tests.fixtures.programs.requires import requires_pgbouncer

pytestmark = [pytest.mark.anyio, pytest.mark.unmeasured, requires_pgbouncer]

ATTEMPTS = 2_000


@pytest.fixture(scope="module")
def tables(database_urls: DatabaseUrls) -> tuple[Table, ...]:
    return tuple(table for table in read_tables(database_urls.admin_url) if table.isolated)


async def test_no_attempt_reaches_another_tenant(
    database_urls: DatabaseUrls, pooler: PgBouncer, tables: tuple[Table, ...]
) -> None:
    world = World(tables)
    await world.populate(pooler.app_url, victims=12, attackers=24)
    before = await world.digests(database_urls.admin_url)
    campaign = Campaign(world)
    databases = [
        PooledDatabase(pooler.app_url),
        PooledDatabase(pooler.app_url, pool=LAMBDA_POOL),
    ]
    try:
        await campaign.run(pooler.app_url, attempts=ATTEMPTS, clients=20, databases=databases, seed=1)
    finally:
        for database in databases:
            await database.dispose()
    assert campaign.leaks == []
    assert await world.digests(database_urls.admin_url) == before
    assert len(before) == 12 * len(tables)
    assert campaign.attempts.total() >= ATTEMPTS
    attacker, victim = next(zip(world.attackers, world.victims, strict=False))
    every = [attack.name for table in tables for attack in attacks(world.target(table, attacker, victim))]
    assert len(campaign.attempts) == len(every) > 100 * len(tables)
    assert campaign.benign > 100
    # All three outcomes happened, so that the attacks were real statements.
    assert min(campaign.outcomes.values()) > ATTEMPTS / 20
    assert len(campaign.outcomes) == 3
