"""Rotation and rewrapping of all keys."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from tenantgate.crypto.envelopes import KeyOwner
from tenantgate.crypto.errors import KeyServiceUnavailable
from tenantgate.data_keys.models import KeyGroup, StoredKey
from tenantgate.data_keys.tasks import AllKeys, Done, Selection
from tenantgate.tokens.tenant import DEPLOYMENT
from tests.fixtures.data_keys.memory import KEY, NEW_KEY, MemoryKeyStore, data_keys_in_memory, local_keys

pytestmark = pytest.mark.anyio


class PagedStore(MemoryKeyStore):
    """Its pages have two rows."""

    async def tenants(self, *, after: str, limit: int) -> Sequence[str]:
        return sorted({row.tenant_id for row in self.rows.values() if row.tenant_id > max(after, DEPLOYMENT)})[:2]

    async def page(self, tenant_id: str, *, after: UUID, limit: int) -> Sequence[StoredKey]:
        rows = [row for row in self.rows.values() if row.tenant_id == tenant_id and row.wrapped_key is not None]
        return sorted(row for row in rows if row.id > after)[:2]

    async def groups(self, tenant_id: str) -> Sequence[KeyGroup]:
        purposes = sorted({row.purpose for row in self.rows.values() if row.tenant_id == tenant_id})
        return [KeyGroup(tenant_id, purpose, "local:00", 1, 0, 0, 0, None) for purpose in purposes]


@pytest.fixture
async def store() -> PagedStore:
    made = PagedStore()
    keys = data_keys_in_memory(made, local_keys(KEY))
    for tenant in range(5):
        for purpose in ("audit", "session-tokens", "other"):
            await keys.current(KeyOwner(f"org-{tenant}", purpose))
    # The deployment's own log isn't a tenant of the registry.
    await keys.current(KeyOwner(DEPLOYMENT, "audit-subject"))
    return made


async def test_each_key_is_rotated_once_and_the_old_ones_still_decrypt(store: PagedStore) -> None:
    owner = KeyOwner("org-3", "audit")
    envelope = (await data_keys_in_memory(store).current(owner)).encrypt(b"secret", place=())
    progress: list[int] = []
    done = await AllKeys(store, local_keys()).rotate(Selection(), on_progress=lambda done: progress.append(done.keys))
    assert done == Done(tenants=6, keys=16)
    assert (progress[-1], progress == sorted(progress)) == (16, True)
    assert len(store.rows) == 32
    assert await data_keys_in_memory(store).decrypt(owner, envelope, place=()) == b"secret"
    fresh = await data_keys_in_memory(store).current(owner)
    assert fresh.encrypt(b"secret", place=())[:20] != envelope[:20]


@pytest.mark.parametrize(
    ("selection", "keys"),
    [
        (Selection("org-1"), 3),
        (Selection("org-1", "audit"), 1),
        (Selection(purpose="audit"), 5),
        (Selection("org-9"), 0),
        (Selection(DEPLOYMENT), 1),
        (Selection(made_before=datetime.now(UTC) - timedelta(days=1)), 0),
        (Selection(made_before=datetime.now(UTC) + timedelta(days=1)), 16),
    ],
)
async def test_only_selected_keys_are_rotated(store: PagedStore, selection: Selection, keys: int) -> None:
    assert (await AllKeys(store, local_keys()).rotate(selection)).keys == keys


async def test_rewrapping_leaves_the_old_key_encryption_key_unused(store: PagedStore) -> None:
    owner = KeyOwner("org-2", "session-tokens")
    envelope = (await data_keys_in_memory(store).current(owner)).encrypt(b"secret", place=())
    work = AllKeys(store, local_keys(NEW_KEY, KEY))
    assert (await work.rewrap(Selection())).keys == 16
    assert (await work.rewrap(Selection())).keys == 0
    assert (await work.rewrap(Selection(), again=True)).keys == 16
    assert await data_keys_in_memory(store, local_keys(NEW_KEY)).decrypt(owner, envelope, place=()) == b"secret"


async def test_a_rotation_needs_no_key_encryption_key_of_before(store: PagedStore) -> None:
    """A lost key-encryption key: what it wrapped stays closed, and new data keys take over."""
    owner = KeyOwner("org-2", "session-tokens")
    envelope = (await data_keys_in_memory(store).current(owner)).encrypt(b"secret", place=())
    with pytest.raises(KeyServiceUnavailable):
        await data_keys_in_memory(store, local_keys(NEW_KEY)).current(owner)
    assert (await AllKeys(store, local_keys(NEW_KEY)).rotate(Selection())).keys == 16
    keys = data_keys_in_memory(store, local_keys(NEW_KEY))
    assert await keys.decrypt(owner, (await keys.current(owner)).encrypt(b"new", place=()), place=()) == b"new"
    with pytest.raises(KeyServiceUnavailable):
        await keys.decrypt(owner, envelope, place=())


async def test_the_groups_of_all_tenants_are_listed(store: PagedStore) -> None:
    work = AllKeys(store, local_keys())
    tenants = [f"org-{number}" for number in range(5)]
    listed = [(group.tenant_id, group.purpose) async for group in work.groups(Selection())]
    assert listed[0] == (DEPLOYMENT, "audit-subject")
    assert {tenant for tenant, _ in listed} == {DEPLOYMENT, *tenants}
    assert [group.tenant_id async for group in work.groups(Selection(purpose="other"))] == tenants
    assert [group async for group in work.groups(Selection("org-9"))] == []
