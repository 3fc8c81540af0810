"""Unwrapped data keys in the memory of one event loop: for at most 60 seconds, and at most so many."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

from tenantgate.crypto.envelopes import DataKey, KeyOwner

# A destroyed key stops opening everywhere within this time.
HELD_SECONDS = 60.0
# Some hundred bytes each.
HELD_KEYS = 4096


class Moment(NamedTuple):
    """A moment by both clocks: one may have been stepped, and the other stood still while the machine was frozen."""

    wall: float
    monotonic: float


class _Held(NamedTuple):
    key: DataKey
    read_at: Moment


class HeldKeys:
    """The keys in memory. Their time counts from the moment just before PostgreSQL was read, not from the unwrapping:
    a key that is destroyed in between counts as destroyed from then on."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        limit: int = HELD_KEYS,
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._limit = limit
        # By the key's id, and the one that encrypts by its subject too. The one that was used last is the last.
        self._keys: OrderedDict[tuple[str, str, UUID | bytes], _Held] = OrderedDict()
        # The number of times that keys were forgotten: a reading that began before is not kept.
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._keys)

    def now(self) -> Moment:
        return Moment(self._clock(), self._monotonic())

    def find(self, owner: KeyOwner, key_id: UUID | None) -> DataKey | None:
        """Return the owner's key of this id, or with None the one that encrypts, if it is in memory."""
        stored = owner.stored()
        if key_id is None:
            return self._find(stored)
        key = self.find_named(owner.tenant_id, owner.purpose, key_id)
        return key if key is not None and key.owner == stored else None

    def find_named(self, tenant_id: str, purpose: str, key_id: UUID) -> DataKey | None:
        """Return the key of this id, of any subject, if it is in memory."""
        return self._find((tenant_id, purpose, key_id))

    def keep(self, key: DataKey, *, read_at: Moment, is_current: bool) -> None:
        """Keep a key whose row was read at `read_at`."""
        held, by_id = _Held(key, read_at), (key.owner.tenant_id, key.owner.purpose, key.id)
        for place in (by_id, key.owner) if is_current else (by_id,):
            self._keys[place] = held
            self._keys.move_to_end(place)
        while len(self._keys) > self._limit:
            self._keys.popitem(last=False)

    def forget(self, owner: KeyOwner) -> None:
        """Forget every key of an owner, also those that are being read at this moment."""
        self.forgotten += 1
        stored = owner.stored()
        for place in [place for place, held in self._keys.items() if held.key.owner == stored]:
            del self._keys[place]

    def _find(self, place: tuple[str, str, UUID | bytes]) -> DataKey | None:
        held = self._keys.get(place)
        if held is None:
            return None
        if not self._is_live(held):
            del self._keys[place]
            return None
        self._keys.move_to_end(place)
        return held.key

    def _is_live(self, held: _Held) -> bool:
        now = self.now()
        return (
            0 <= now.wall - held.read_at.wall < HELD_SECONDS and now.monotonic - held.read_at.monotonic < HELD_SECONDS
        )
