"""Revocations in PostgreSQL: epochs, snapshots, and their bound."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.database.pool import PooledDatabase
from tenantgate.revocation.repository import RevocationRepository, count_change, record_in
from tenantgate.revoked.additions import Additions
from tenantgate.revoked.change import Revocation
from tenantgate.revoked.names import issuer_name, kid_name, tenant_name, token_name, user_name
from tests.fixtures.audit.events import any_event
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


async def epoch_of(repository: RevocationRepository) -> int:
    return (await repository.snapshot(now=NOW)).epoch


async def test_each_revocation_has_the_next_epoch(repository: RevocationRepository) -> None:
    before = await epoch_of(repository)
    await repository.record([token("a")], at=NOW, event=any_event())
    assert await epoch_of(repository) == before + 1
    await repository.record([token("a"), token("b"), token("b")], at=NOW, event=any_event())
    assert await epoch_of(repository) == before + 3
    assert (await repository.snapshot(now=NOW)).exact == {token("a").name, token("b").name}
    assert await repository.lift(token("b").name, event=any_event())
    assert not await repository.lift(token("b").name, event=any_event())
    snapshot = await repository.snapshot(now=NOW)
    assert snapshot.epoch == before + 4
    assert snapshot.exact == {token("a").name}


async def test_what_was_added_after_an_epoch_is_read_without_the_rest(repository: RevocationRepository) -> None:
    await repository.record([token("old")], at=NOW, event=any_event())
    old = await repository.snapshot(now=NOW)
    user = Revocation("user", user_name("org-1", "i", "u"), NOW + 100)
    await repository.record([token("a"), user], at=NOW, event=any_event())
    await repository.record([token("b")], at=NOW, event=any_event())
    since = await repository.additions(since=old.epoch, rules=old.rules, most=3)
    assert since == Additions(
        old.epoch, old.epoch + 3, frozenset({token("a").name, token("b").name}), {user.name: int(NOW)}
    )
    assert await repository.additions(since=old.epoch, rules=old.rules, most=2) is None
    # One that is revoked again is among the additions again.
    await repository.record([token("old")], at=NOW + 1, event=any_event())
    again = await repository.additions(since=old.epoch + 3, rules=old.rules, most=3)
    assert again == Additions(old.epoch + 3, old.epoch + 4, frozenset({token("old").name}), {})


async def test_what_is_more_than_an_addition_needs_the_whole_list(
    database: PooledDatabase, repository: RevocationRepository
) -> None:
    await repository.record([token("a")], at=NOW, event=any_event())
    before = await repository.snapshot(now=NOW)
    async with database.untenanted() as unit:
        await count_change(unit)
    assert await repository.additions(since=before.epoch, rules=before.rules, most=9) is None
    changed = await repository.snapshot(now=NOW)
    assert (changed.epoch, changed.rules) == (before.epoch + 1, before.rules + 1)
    await repository.lift(token("a").name, event=any_event())
    assert await repository.additions(since=changed.epoch, rules=changed.rules, most=9) is None


async def test_a_process_of_the_earlier_schema_counts_the_epoch(
    repository: RevocationRepository, database_urls: DatabaseUrls
) -> None:
    before = await repository.snapshot(now=NOW)
    await asyncio.to_thread(
        execute,
        database_urls.app_url,
        "UPDATE revocation_epoch SET epoch = epoch + 1",
        "INSERT INTO revocations (kind, name, revoked_at, epoch)"
        f" SELECT 'token', '\\x{token('a').name.hex()}', now(), epoch FROM revocation_epoch",
    )
    assert await repository.additions(since=before.epoch, rules=before.rules, most=9) is None
    after = await repository.snapshot(now=NOW)
    assert after.epoch == before.epoch + 1
    assert after.exact == {token("a").name}


async def test_concurrent_revocations_have_an_order(
    repository: RevocationRepository, database_urls: DatabaseUrls
) -> None:
    before = await epoch_of(repository)
    await asyncio.gather(*(repository.record([token(f"t-{n}")], at=NOW, event=any_event()) for n in range(30)))
    rows = await asyncio.to_thread(execute, database_urls.admin_url, "SELECT epoch FROM revocations ORDER BY epoch")
    assert [row["epoch"] for row in rows[0]] == [*range(before + 1, before + 31)]
    assert len((await repository.snapshot(now=NOW)).exact) == 30


async def test_units_that_revoke_the_same_do_not_block_each_other(repository: RevocationRepository) -> None:
    tokens = [token(f"t-{n}") for n in range(40)]
    await asyncio.gather(
        *(repository.record(tokens[:: 1 if n % 2 else -1], at=NOW, event=any_event()) for n in range(10))
    )
    assert len((await repository.snapshot(now=NOW)).exact) == 40


async def test_a_unit_that_has_revoked_does_not_keep_others_waiting(
    database: PooledDatabase, repository: RevocationRepository
) -> None:
    async with database.untenanted() as unit:
        await record_in(unit, [token("first")], at=NOW)
        async with asyncio.timeout(2):
            await repository.record([token("second")], at=NOW, event=any_event())
        assert (await repository.snapshot(now=NOW)).exact == {token("second").name}
    assert (await repository.snapshot(now=NOW)).exact == {token("first").name, token("second").name}


async def test_a_wait_for_the_row_of_the_epoch_that_takes_too_long_is_a_database_that_is_busy(
    database: PooledDatabase, repository: RevocationRepository
) -> None:
    async with database.untenanted() as unit:
        await count_change(unit)
        with pytest.raises(DatabaseUnreachable):
            await repository.record([token("second")], at=NOW, event=any_event())
    assert (await repository.snapshot(now=NOW)).exact == frozenset()


async def test_a_unit_that_is_rolled_back_revokes_nothing(
    database: PooledDatabase, repository: RevocationRepository
) -> None:
    before = await epoch_of(repository)

    async def fails() -> None:
        async with database.tenant("org-1") as unit:
            await record_in(unit, [token("a")], at=NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    assert await epoch_of(repository) == before
    assert (await repository.snapshot(now=NOW)).exact == frozenset()
    async with database.tenant("org-1") as unit:
        await record_in(unit, [token("a")], at=NOW)
    assert (await repository.snapshot(now=NOW)).exact == {token("a").name}


async def test_the_later_time_and_expiry_stay(repository: RevocationRepository) -> None:
    user = Revocation("user", user_name("org-1", "i", "u"), NOW + 100)
    for at, expires_at in ((NOW, NOW + 100), (NOW - 50, NOW + 200), (NOW + 10.9, NOW + 50)):
        await repository.record([Revocation("user", user.name, expires_at)], at=at, event=any_event())
    assert (await repository.snapshot(now=NOW + 199)).until == {user.name: int(NOW + 10.9)}
    assert (await repository.snapshot(now=NOW + 200)).until == {}
    await repository.record([Revocation("user", user.name, None)], at=NOW, event=any_event())
    await repository.record([Revocation("user", user.name, NOW + 1)], at=NOW, event=any_event())
    assert (await repository.snapshot(now=NOW + 10_000)).until != {}


async def test_expired_ones_are_pruned_and_keys_stay(repository: RevocationRepository) -> None:
    key = Revocation("kid", kid_name("i", "k"), None)
    await repository.record([token("a", expires_at=NOW - 1), token("b"), key], at=NOW, event=any_event())
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
    await repository.record([key, unowned, *owned], at=NOW, event=any_event())
    exact = await repository.snapshot(now=NOW, most=14)
    assert (len(exact.exact), exact.until) == (14, {})
    users = await repository.snapshot(now=NOW, most=13)
    assert users.exact == {key.name, unowned.name}
    assert users.until == {user_name("org-1", "i", user): int(NOW) for user in ("u", "v", "w")}
    tenants = await repository.snapshot(now=NOW, most=4)
    assert tenants.exact == {key.name, unowned.name}
    assert tenants.until == {tenant_name("org-1"): int(NOW)}
