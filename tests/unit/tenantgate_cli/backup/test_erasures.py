"""Reading the ledger of erasures, in which anyone who can write objects can put forged ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from tenantgate.privacy.models import LEDGER, LedgerEntry
from tenantgate_cli.backup.erasures import Ledger, read_ledger
from tenantgate_cli.console import Failure
from tests.fixtures.transparency.anchors import Store

pytestmark = pytest.mark.anyio
ONE, TWO, THREE = (UUID(int=number) for number in (1, 2, 3))
GENUINE = LedgerEntry(UUID(int=9), "org-1", (ONE,), 1_800_000_000)


async def test_attempts_of_an_erasure_are_one_entry(store: Store) -> None:
    last = replace(GENUINE, key_ids=(ONE, TWO), erased_at=GENUINE.erased_at + 1)
    for attempt, entry in enumerate((GENUINE, last), 1):
        await store.anchors.put(f"{LEDGER}{entry.id}-{attempt}.json", entry.to_json())
    assert (await read_ledger(store.anchors)).entries == [last]


async def test_a_forged_entry_of_another_tenant_hides_no_erasure(store: Store) -> None:
    forged = replace(GENUINE, tenant_id="org-2", key_ids=(ONE, TWO, THREE))
    for name, entry in (("a", forged), ("b", GENUINE), ("c", forged)):
        store.plant(f"{LEDGER}{name}", entry.to_json())
    assert (await read_ledger(store.anchors)).entries == [GENUINE, forged]


async def test_a_forged_entry_of_the_same_tenant_hides_no_key(store: Store) -> None:
    forged = replace(GENUINE, key_ids=(TWO, THREE), erased_at=0)
    for name, entry in (("a", GENUINE), ("b", forged)):
        store.plant(f"{LEDGER}{name}", entry.to_json())
    assert (await read_ledger(store.anchors)).entries == [replace(GENUINE, key_ids=(ONE, TWO, THREE))]


@pytest.mark.parametrize("name", ["A b", ".x/a", "a.", "a" * 200])
async def test_an_object_of_another_name_is_reported(store: Store, name: str) -> None:
    store.plant(f"{LEDGER}{name}", GENUINE.to_json())
    with pytest.raises(Failure, match="isn't the name of an entry") as failed:
        await read_ledger(store.anchors)
    assert name in str(failed.value)
    assert failed.value.remedy


async def test_traces_of_file_managers_and_consoles_arent_entries(store: Store) -> None:
    store.plant(f"{LEDGER}a", GENUINE.to_json())
    store.plant_trace()
    assert (await read_ledger(store.anchors)).entries == [GENUINE]


async def test_an_empty_store_is_not_one_without_erasures(store: Store, tmp_path: Path) -> None:
    (tmp_path / "anchors").mkdir(exist_ok=True)
    store.plant_trace()
    assert await read_ledger(store.anchors) == Ledger([], is_store_empty=True)
    store.plant("checkpoints/a", b"{}")
    assert await read_ledger(store.anchors) == Ledger([], is_store_empty=False)
