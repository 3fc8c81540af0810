"""The revocations after a snapshot, as Valkey has them: a reader that holds the snapshot gets only these.

They only add to the snapshot. A change that takes something back, or that concerns a tenant's status, issuers or
registration, needs a whole snapshot.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tenantgate.revoked.forms import is_count, json_object, packed, unpacked
from tenantgate.tokens.records import Record

if TYPE_CHECKING:
    from typing import Self

_FORM = 1


class Additions(Record):
    """The additions of the epochs after `base`, up to `epoch`. `exact`, `until`: as in `Snapshot`."""

    __slots__ = ()

    base: int
    epoch: int
    exact: frozenset[bytes]
    until: Mapping[bytes, int]

    @property
    def size(self) -> int:
        return len(self.exact) + len(self.until)

    def followed_by(self, later: Additions) -> Additions:
        """Return these and the later ones, which begin at the epoch at which these end."""
        return Additions(self.base, later.epoch, self.exact | later.exact, {**self.until, **later.until})

    def to_json(self) -> bytes:
        values = {
            "form": _FORM,
            "base": self.base,
            "epoch": self.epoch,
            "exact": packed(self.exact),
            "until": packed(self.until),
            "times": [*self.until.values()],
        }
        return json.dumps(values, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, raw: bytes | None) -> Self | None:
        """Read what `to_json` wrote; None for a missing value and for anything else."""
        values = json_object(raw)
        if values is None or values.get("form") != _FORM:
            return None
        try:
            base, epoch = values["base"], values["epoch"]
            if not is_count(base) or not is_count(epoch) or base >= epoch:
                return None
            return cls(base, epoch, frozenset(unpacked(values["exact"])), times_by_name(values))
        except (KeyError, TypeError, ValueError):
            return None


def times_by_name(values: Mapping[str, object]) -> dict[bytes, int]:
    """Return `until`, from its names and times. Raises `KeyError`, `ValueError`, `TypeError`."""
    until, times = unpacked(values["until"]), values["times"]
    if not isinstance(times, list) or not all(map(is_count, times)):
        raise TypeError("times are counts")
    return dict(zip(until, times, strict=True))
