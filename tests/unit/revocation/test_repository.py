"""Reading a snapshot while others revoke, by a database whose epoch changes between the statements."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from tenantgate.database.unit import Checked, Row
from tenantgate.errors.base import InternalError
from tenantgate.revocation.repository import RevocationRepository

pytestmark = pytest.mark.anyio


class Database:
    """Returns these epochs, one for each statement, the last one again and again; None: the table has no row."""

    def __init__(self, *epochs: int | None) -> None:
        self._epochs = list(epochs)
        self.statements = 0

    @asynccontextmanager
    async def untenanted(self) -> AsyncIterator[Database]:
        yield self

    def tenant(self, tenant_id: str) -> object:
        raise AssertionError(f"revocations are outside of all tenants, not in {tenant_id}")

    async def execute(self, statement: str, *values: object) -> None:
        raise AssertionError("a snapshot only reads")

    async def fetch_one(self, statement: str, *values: object) -> Row | None:
        self.statements += 1
        epoch = self._epochs.pop(0) if len(self._epochs) > 1 else self._epochs[0]
        if epoch is None:
            return None
        found: dict[str, object] = {"epoch": epoch, "rules": 1, "until": None, "suspended": None, "registered": None}
        return found | {"issuers": None, "names": [epoch.to_bytes(16)]}

    async def fetch_all(self, statement: str, *values: object) -> Sequence[Row]:
        raise AssertionError("a snapshot is one row of each statement")

    async def check(self, timeout: float) -> Checked:
        raise NotImplementedError

    async def dispose(self) -> None:
        """Have nothing to close."""


@pytest.mark.parametrize(
    ("epochs", "epoch", "newest", "statements"),
    [
        pytest.param([7], 7, 7, 2, id="quiet"),
        pytest.param([7, 8, 8], 8, 8, 4, id="changed-once"),
        # It never claims an epoch whose rules it has not read, and keeps later revocations.
        pytest.param([*range(1, 11)], 9, 10, 10, id="changed-every-time"),
    ],
)
async def test_a_snapshot_has_the_epoch_that_its_older_part_has(
    *, epochs: list[int | None], epoch: int, newest: int, statements: int
) -> None:
    database = Database(*epochs)
    snapshot = await RevocationRepository(database, closed=False).snapshot(now=1_000.0)  # type: ignore[arg-type]
    assert snapshot.epoch == epoch
    assert snapshot.exact == {newest.to_bytes(16)}
    assert database.statements == statements


async def test_a_database_without_its_epoch_is_an_error_and_not_an_empty_list() -> None:
    repository = RevocationRepository(Database(None), closed=False)  # type: ignore[arg-type]
    with pytest.raises(InternalError):
        await repository.additions(since=1, rules=1, most=1)
    with pytest.raises(InternalError):
        await repository.snapshot(now=1_000.0)
