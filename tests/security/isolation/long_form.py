"""The attacks of `test_attempts.py` in large numbers, on a new server: `python -m tests.security.isolation.long_form`.

`--attempts` (100,000) and `--seed` change the run. It adds a row to docs/isolation/README.md. The exit status is 1 if
an attempt reached another tenant.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from tenantgate.database import migrator
from tenantgate.database.pool import LAMBDA_POOL, PooledDatabase
from tests.fixtures.databases.pgbouncer import PgBouncer, pgbouncer
from tests.fixtures.databases.postgres import DatabaseUrls, start_postgres
from tests.fixtures.isolation.campaign import Campaign, World
from tests.fixtures.isolation.schema import read_tables

LOG = Path(__file__).parents[3] / "docs" / "isolation" / "README.md"
VICTIMS, ATTACKERS, CLIENTS, CONNECTIONS = 60, 120, 40, 4


async def attack(urls: DatabaseUrls, pooler: PgBouncer, world: World, *, attempts: int, seed: int) -> Campaign:
    """Run the campaign, and count a changed row of a victim as a leak."""
    await world.populate(pooler.app_url, victims=VICTIMS, attackers=ATTACKERS)
    before = await world.digests(urls.admin_url)
    campaign = Campaign(world)
    databases = [PooledDatabase(pooler.app_url), *(PooledDatabase(pooler.app_url, pool=LAMBDA_POOL) for _ in range(3))]
    try:
        await campaign.run(pooler.app_url, attempts=attempts, clients=CLIENTS, databases=databases, seed=seed)
    finally:
        for database in databases:
            await database.dispose()
    after = await world.digests(urls.admin_url)
    campaign.leaks += [f"{place}: changed" for place in before.keys() | after if before.get(place) != after.get(place)]
    return campaign


def row(campaign: Campaign, *, seconds: float, seed: int) -> str:
    """Return the run as a row of the log."""
    date = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    figures = (campaign.attempts.total(), len(campaign.attempts), len(campaign.world.tables), campaign.benign)
    numbers = " | ".join(f"{number:,}" for number in (*figures, round(seconds)))
    return f"| {date} | {numbers} | {seed} | {len(campaign.leaks)} |\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attempts", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        server = start_postgres(Path(folder))
        try:
            addresses = server.start()
            urls = DatabaseUrls(addresses.owner_url, addresses.app_url, addresses.admin_url)
            migrator.upgrade(urls.owner_url)
            world = World(tuple(table for table in read_tables(urls.admin_url) if table.isolated))
            (Path(folder) / "pgbouncer").mkdir()
            with pgbouncer(urls, Path(folder) / "pgbouncer", connections=CONNECTIONS) as pooler:
                began = time.monotonic()
                campaign = asyncio.run(attack(urls, pooler, world, attempts=options.attempts, seed=options.seed))
                line = row(campaign, seconds=time.monotonic() - began, seed=options.seed)
        finally:
            server.stop()
    with LOG.open("a", encoding="utf-8") as log:
        log.write(line)
    print(line, *campaign.leaks[:50], sep="\n", end="")
    return 1 if campaign.leaks else 0


if __name__ == "__main__":
    sys.exit(main())
