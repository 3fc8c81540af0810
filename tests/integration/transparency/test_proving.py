"""Proofs that are made from a real log, and checked with only a verifier key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from tenantgate.database.pool import PooledDatabase
from tenantgate.transparency.errors import NoteUnsigned, Unprovable, Unproven
from tenantgate.transparency.notes import public_key
from tenantgate.transparency.pages import LogPages
from tenantgate.transparency.proofs import (
    ConsistencyProof,
    InclusionProof,
    check_consistency,
    check_inclusion,
    parse_proof,
)
from tenantgate.transparency.verification.keys import LogKeys
from tenantgate.transparency.verification.proving import Prover
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.transparency.logs import OTHER, PRIVATE, SealedLog

pytestmark = pytest.mark.anyio


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[PooledDatabase]:
    made = PooledDatabase(database_urls.app_url)
    yield made
    await made.dispose()


@pytest.fixture
async def log(database: PooledDatabase) -> SealedLog:
    """A log of 9 events with checkpoints of 3, 7 and 9."""
    made = SealedLog(database, f"org-{uuid4()}")
    await made.add_and_seal(3, 4, 2)
    return made


@pytest.fixture
async def superuser(database_urls: DatabaseUrls) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_urls.admin_url)
    await connection.execute("SET session_replication_role = replica")
    yield connection
    await connection.close()


@pytest.fixture
def prover(database: PooledDatabase) -> Prover:
    return Prover(LogPages(database), LogKeys([public_key("any", private).public_key for private in (OTHER, PRIVATE)]))


async def test_every_event_has_a_proof(log: SealedLog, prover: Prover) -> None:
    key = public_key(log.origin, PRIVATE)
    for position, event_id in enumerate(log.events):
        proof = parse_proof((await prover.inclusion(log.tenant_id, event_id)).text.encode())
        assert isinstance(proof, InclusionProof)
        found = check_inclusion(proof, [key])
        assert (found.row["id"], found.position, found.checkpoint.size) == (str(event_id), position, 9)
        assert found.row["event_type"] == "TENANT_CHANGED"


async def test_the_log_continues_each_of_its_checkpoints(log: SealedLog, prover: Prover) -> None:
    key = public_key(log.origin, PRIVATE)
    for known, size in zip(log.anchored, (3, 7, 9), strict=True):
        proof = parse_proof((await prover.consistency(log.tenant_id, known)).text.encode())
        assert isinstance(proof, ConsistencyProof)
        found = check_consistency(proof, known, [key])
        assert (found.old.size, found.new.size) == (size, 9)


async def test_a_log_continues_its_checkpoints_after_a_rotation(log: SealedLog, prover: Prover) -> None:
    await log.add(2)
    await log.seal(private=OTHER)
    old, new = (public_key(log.origin, private) for private in (PRIVATE, OTHER))
    for known in log.anchored:
        assert check_consistency(await prover.consistency(log.tenant_id, known), known, [old, new]).new.size == 11
    proof = await prover.consistency(log.tenant_id, log.anchored[0])
    with pytest.raises(NoteUnsigned):
        check_consistency(proof, log.anchored[0], [old])
    assert check_inclusion(await prover.inclusion(log.tenant_id, log.events[0]), [new]).position == 0


async def test_no_proof_of_other_events(log: SealedLog, prover: Prover, database: PooledDatabase) -> None:
    other = SealedLog(database, f"org-{uuid4()}")
    with pytest.raises(Unprovable, match="no log yet"):
        await prover.newest(other.tenant_id)
    await other.add_and_seal(1)
    (unsealed,) = await log.add(1)
    for event_id in (uuid4(), unsealed, other.events[0]):
        with pytest.raises(Unprovable, match="no such event"):
            await prover.inclusion(log.tenant_id, event_id)
    with pytest.raises(Unproven, match="another log"):
        await prover.consistency(log.tenant_id, other.anchored[0])


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        ("DELETE FROM audit_events WHERE tenant_id = '{0}' AND id = '{1}'", "was removed"),
        ("UPDATE audit_events SET outcome = 'failure' WHERE tenant_id = '{0}' AND id = '{1}'", "audit verify"),
        ("UPDATE audit_leaves SET leaf_hash = sha256('x') WHERE tenant_id = '{0}' AND position = 0", "audit verify"),
        ("DELETE FROM audit_leaves WHERE tenant_id = '{0}' AND position = 0", "audit verify"),
        ("DELETE FROM audit_checkpoints WHERE tenant_id = '{0}' AND size > 3", "audit verify"),
        ("UPDATE audit_checkpoints SET note = 'x' WHERE tenant_id = '{0}' AND size = 9", "newest checkpoint"),
    ],
)
async def test_a_changed_log_proves_nothing(
    log: SealedLog, prover: Prover, superuser: asyncpg.Connection, attack: str, reason: str
) -> None:
    await superuser.execute(attack.format(log.tenant_id, log.events[4]))
    with pytest.raises(Unprovable, match=reason):
        await prover.inclusion(log.tenant_id, log.events[4])


async def test_a_log_that_was_set_back_does_not_continue_a_newer_checkpoint(
    log: SealedLog, prover: Prover, superuser: asyncpg.Connection
) -> None:
    await superuser.execute("DELETE FROM audit_checkpoints WHERE tenant_id = $1 AND size > 3", log.tenant_id)
    with pytest.raises(Unprovable, match="audit verify"):
        await prover.consistency(log.tenant_id, log.anchored[1])


async def test_pages_of_a_log_follow_each_other(
    log: SealedLog, prover: Prover, monkeypatch: pytest.MonkeyPatch, superuser: asyncpg.Connection
) -> None:
    """Logs have more events than a page has."""
    for page in ("_LEAF_PAGE", "_HASH_PAGE", "_CHECKPOINT_PAGE", "_EVENT_PAGE"):
        monkeypatch.setattr(f"tenantgate.transparency.pages.{page}", 2)
    check_inclusion(await prover.inclusion(log.tenant_id, log.events[8]), [public_key(log.origin, PRIVATE)])
    await log.add(3)
    result = await log.verify()
    assert (result.findings, result.events, result.unsealed, result.checkpoints) == ([], 9, 3, 3)
    # Times that Python doesn't have.
    for moment in ("-infinity", "infinity", "4000-01-01 BC", "20000-01-01"):
        await superuser.execute(
            "UPDATE audit_events SET created_at = $3::text::timestamptz WHERE tenant_id = $1 AND id = ANY($2)",
            log.tenant_id,
            log.events[:6],
            moment,
        )
        assert {finding.wrong for finding in (await log.verify()).findings} == {"row_changed"}
