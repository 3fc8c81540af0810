"""Erasures: the order of their steps, keys that are made meanwhile, and how recent a sign-in must be."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast
from uuid import uuid4

import pytest

from tenantgate.audit.declarations import Actor
from tenantgate.audit.models import Event
from tenantgate.crypto.envelopes import KeyOwner
from tenantgate.database.unit import Unit
from tenantgate.errors.access import StepUpRequired
from tenantgate.errors.base import InternalError
from tenantgate.identity.principal import Principal
from tenantgate.privacy.models import LedgerEntry, Source, Subject
from tenantgate.privacy.repository import Erasers, HeldKey, KeysChanged
from tenantgate.privacy.service import ErasureService, require_recent

NOW = 1_800_000_000.0
UNIT = cast("Unit", None)  # no eraser here uses it
SUBJECT = Subject("org-1", "https://issuer.example", "user-1")


class World:
    """Everything that an erasure calls, and the order in which it did. `late`: how often a key is made meanwhile."""

    def __init__(self, *, keys: int = 1, late: int = 0) -> None:
        self.calls: list[str] = []
        self.entries: list[LedgerEntry] = []
        self.ids = [uuid4() for _ in range(keys)]
        self.late = late

    async def held_keys(self, subject: Subject) -> Sequence[HeldKey]:
        return [HeldKey(one, "audit-subject", "local:1", datetime.now(UTC), None) for one in self.ids]

    async def erase(
        self, subject: Subject, entry: LedgerEntry, erasers: Erasers, *, source: Source, actor: Actor, anchored: bool
    ) -> tuple[int, int]:
        if self.late:
            self.late -= 1
            self.ids.append(uuid4())
            raise KeysChanged
        assert {*self.ids} <= {*entry.key_ids}
        self.calls.append(f"erase anchored={anchored} {source} {actor}")
        return await erasers.sessions(UNIT, subject), 0

    async def record(self, event: Event) -> None:
        raise AssertionError

    async def put(self, name: str, content: bytes) -> None:
        self.calls.append("anchor")
        self.entries.append(LedgerEntry.from_json(content))
        assert name == f"erasures/{self.entries[-1].id}-{len(self.entries)}.json"

    def forget(self, owner: KeyOwner) -> None:
        self.calls.append(f"forget {owner.purpose}")

    async def __call__(self, unit: Unit, subject: Subject) -> int:
        return 2

    async def spread(self) -> None:
        self.calls.append("spread")

    def service(self, *, anchored: bool = True) -> ErasureService:
        return ErasureService(self, self, lambda: self, anchors=self if anchored else None, clock=lambda: NOW)


@pytest.mark.anyio
async def test_the_entry_is_anchored_before_the_commit_and_the_ends_are_published_after_it() -> None:
    world = World(keys=2)
    erased = await world.service().erase(SUBJECT, source="command", actor="operator")
    assert world.calls == ["anchor", "erase anchored=True command operator", "forget audit-subject", "spread"]
    assert erased.entry == LedgerEntry(erased.entry.id, "org-1", tuple(sorted(world.ids)), int(NOW))
    assert erased.sessions == 2


@pytest.mark.anyio
async def test_a_key_that_is_made_meanwhile_is_anchored_before_it_is_destroyed() -> None:
    world = World(late=2)
    erased = await world.service().erase(SUBJECT, source="request", actor="user")
    assert [len(entry.key_ids) for entry in world.entries] == [1, 2, 3]
    assert {entry.id for entry in world.entries} == {erased.entry.id}


@pytest.mark.anyio
async def test_keys_that_are_made_again_and_again_end_the_attempts() -> None:
    world = World(late=99)
    with pytest.raises(InternalError):
        await world.service().erase(SUBJECT, source="request", actor="user")
    assert not [call for call in world.calls if call.startswith(("erase", "spread"))]


@pytest.mark.anyio
@pytest.mark.parametrize("keys", [0, 1])
async def test_an_erasure_is_anchored_also_without_keys_and_says_so_without_anchors(keys: int) -> None:
    for anchored, first in ((True, ["anchor"]), (False, [])):
        world = World(keys=keys)
        await world.service(anchored=anchored).erase(SUBJECT, source="request", actor="user")
        assert world.calls[: len(first) + 1] == [*first, f"erase anchored={anchored} request user"]


@pytest.mark.parametrize("age", [-60, 0, 300], ids=str)
def test_a_sign_in_of_the_last_five_minutes_is_recent(age: int) -> None:
    require_recent(principal(auth_time=int(NOW) - age), now=NOW, leeway=60)


@pytest.mark.parametrize("auth_time", [None, 0, int(NOW) - 301, int(NOW) + 61, 10**11], ids=str)
def test_an_older_missing_or_future_sign_in_isnt(auth_time: int | None) -> None:
    with pytest.raises(StepUpRequired) as raised:
        require_recent(principal(auth_time=auth_time), now=NOW, leeway=60)
    assert raised.value.challenge_parameters() == {"max_age": "300"}


def principal(**changes: Any) -> Principal:
    return Principal("user-1", "org-1", "https://issuer.example", frozenset(), 1_900_000_000, **changes)


def test_an_unverified_claim_of_the_caller_doesnt_count() -> None:
    with pytest.raises(StepUpRequired):
        require_recent(principal(claims={"auth_time": int(NOW)}), now=NOW, leeway=60)


def test_the_keys_of_a_person_are_those_of_its_audit_events() -> None:
    assert [owner.subject for owner in SUBJECT.owners] == ["https://issuer.example\0user-1"]
