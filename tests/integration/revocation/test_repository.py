"""Revocations in PostgreSQL: epochs, snapshots, and their bound."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.database.pool import PooledDatabase
from tenantgate.revocation.repository import RevocationRepository, record_in
from tenantgate.revoked.change import Revocation
from tenantgate.revoked.names import issuer_name, kid_name, tenant_name, token_name, user_name
from tests.fixtures.databases.postgres import DatabaseUrls, execute

pytestmark = pytest.mark.anyio

NOW = time.time()


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[PooledDatabase]:
    await asyncio.to_thread(execute, database_urls.admin_url, "DELETE FROM revocations", "DELETE FROM tenants")
    made = PooledDatabase(database_urls.app_url)
    yield made
    await made.dispose()


@pytest.fixture
def repository(database: PooledDatabase) -> RevocationRepository:
    return RevocationRepository(database, closed=False)


def token(name: str, *, user: str | None = None, expires_at: float | None = NOW + 600) -> Revocation:
    owner = (None, None) if user is None else (user_name("org-1", "i", user), tenant_name("org-1"))
    return Revocation("token", token_name("i", name, ""), expires_at, *owner)


async def test_each_change_has_the_next_epoch(repository: RevocationRepository) -> None:
    before = await repository.epoch()
    assert await repository.record([token("a")], at=NOW) == before + 1
    assert await repository.record([token("a"), token("b"), token("b")], at=NOW) == before + 2
    assert (await repository.snapshot(now=NOW)).exact == {token("a").name, token("b").name}
    assert await repository.lift(token("b").name) == before + 3
    assert await repository.lift(token("b").name) is None
    snapshot = await repository.snapshot(now=NOW)
    assert snapshot.epoch == await repository.epoch() == before + 3
    assert snapshot.exact == {token("a").name}


async def test_at_most_one_of_many_concurrent_changes_has_an_epoch(repository: RevocationRepository) -> None:
    epochs = await asyncio.gather(*(repository.record([token(f"t-{n}")], at=NOW) for n in range(30)))
    assert len(set(epochs)) == 30
    assert len((await repository.snapshot(now=NOW)).exact) == 30


async def test_a_wait_for_the_row_of_the_epoch_that_takes_too_long_is_a_database_that_is_busy(
    database: PooledDatabase, repository: RevocationRepository
) -> None:
    async with database.untenanted() as unit:
        await record_in(unit, [token("first")], at=NOW)
        with pytest.raises(DatabaseUnreachable):
            await repository.record([token("second")], at=NOW)
    assert (await repository.snapshot(now=NOW)).exact == {token("first").name}


async def test_a_unit_that_is_rolled_back_revokes_nothing(
    database: PooledDatabase, repository: RevocationRepository
) -> None:
    before = await repository.epoch()

    async def fails() -> None:
        async with database.tenant("org-1") as unit:
            assert await record_in(unit, [token("a")], at=NOW) == before + 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    assert await repository.epoch() == before
    assert (await repository.snapshot(now=NOW)).exact == frozenset()
    async with database.tenant("org-1") as unit:
        await record_in(unit, [token("a")], at=NOW)
    assert (await repository.snapshot(now=NOW)).exact == {token("a").name}


async def test_the_later_time_and_expiry_stay(repository: RevocationRepository) -> None:
    user = Revocation("user", user_name("org-1", "i", "u"), NOW + 100)
    for at, expires_at in ((NOW, NOW + 100), (NOW - 50, NOW + 200), (NOW + 10.9, NOW + 50)):
        await repository.record([Revocation("user", user.name, expires_at)], at=at)
    assert (await repository.snapshot(now=NOW + 199)).until == {user.name: int(NOW + 10.9)}
    assert (await repository.snapshot(now=NOW + 200)).until == {}
    await repository.record([Revocation("user", user.name, None)], at=NOW)
    await repository.record([Revocation("user", user.name, NOW + 1)], at=NOW)
    assert (await repository.snapshot(now=NOW + 10_000)).until != {}


async def test_expired_ones_are_pruned_and_keys_stay(repository: RevocationRepository) -> None:
    key = Revocation("kid", kid_name("i", "k"), None)
    await repository.record([token("a", expires_at=NOW - 1), token("b"), key], at=NOW)
    assert (await repository.snapshot(now=NOW)).exact == {token("b").name, key.name}
    assert await repository.prune(now=NOW, limit=10) == 1
    assert await repository.prune(now=NOW + 601, limit=10) == 1
    assert (await repository.snapshot(now=NOW)).exact == {key.name}


async def test_tenants_that_may_take_part(database: PooledDatabase, database_urls: DatabaseUrls) -> None:
    await asyncio.to_thread(
        execute,
        database_urls.admin_url,
        "INSERT INTO tenants (tenant_id, status, allowed_issuers) VALUES ('org-1', 'active', NULL),"
        " ('org-2', 'suspended', ARRAY['https://i', 'https://j'])",
    )
    snapshot = await RevocationRepository(database, closed=True).snapshot(now=NOW)
    assert snapshot.registered == frozenset({tenant_name("org-1"), tenant_name("org-2")})
    assert snapshot.suspended == {tenant_name("org-2")}
    assert snapshot.issuers == {tenant_name("org-2"): {issuer_name("https://i"), issuer_name("https://j")}}
    assert (await RevocationRepository(database, closed=False).snapshot(now=NOW)).registered is None


async def test_too_many_tokens_become_their_users_and_then_their_tenant(repository: RevocationRepository) -> None:
    key = Revocation("kid", kid_name("i", "k"), None)
    unowned = token("unowned")
    owned = [token(f"{user}-{n}", user=user) for user in ("u", "v", "w") for n in range(4)]
    await repository.record([key, unowned, *owned], at=NOW)
    exact = await repository.snapshot(now=NOW, most=14)
    assert (len(exact.exact), exact.until) == (14, {})
    users = await repository.snapshot(now=NOW, most=13)
    assert users.exact == {key.name, unowned.name}
    assert users.until == {user_name("org-1", "i", user): int(NOW) for user in ("u", "v", "w")}
    tenants = await repository.snapshot(now=NOW, most=4)
    assert tenants.exact == {key.name, unowned.name}
    assert tenants.until == {tenant_name("org-1"): int(NOW)}
