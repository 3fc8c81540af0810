"""The store of anchors, and the objects in it.

    checkpoints/2026/11/27/033000.123456-1f0c2ab49d7e4f21   the checkpoints that a run of the sealer made
    erasures/…                                              entries of the ledger of erasures

An object of checkpoints is JSON, `{"version": 1, "checkpoints": [note, …]}`. Its name only sorts it: the times that
count are signed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from secrets import token_hex
from typing import Protocol

from tenantgate.transparency.errors import CheckpointMalformed

CHECKPOINTS, ERASURES = "checkpoints/", "erasures/"

# Parts of letters, digits and a few signs: no name leaves the folder or the prefix that it is in.
_NAME = re.compile(r"[a-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)|/(?![./]))*[A-Za-z0-9]")
_LONGEST_NAME = 200


class Anchors(Protocol):
    """A store that keeps every object as it was written. Every method raises `AnchorUnavailable`."""

    async def put(self, name: str, content: bytes) -> None:
        """Store an object durably. Raises `AnchorExists` if there is one of this name, and `ValueError`."""
        ...

    async def names(self, prefix: str) -> Sequence[str]:
        """Return the names that begin with `prefix`, in their order, also of objects that were hidden later.

        Objects that others stored can have names that `is_name` refuses, and `get`, too. A file manager's hidden files
        and S3's markers of folders are left out: `put` writes no such name, and renaming an object to one only removes
        it.
        """
        ...

    async def get(self, name: str) -> bytes:
        """Return an object as it was first written. Raises `AnchorUnavailable` if it doesn't exist."""
        ...


def is_name(name: str) -> bool:
    """Tell whether an anchor can have this name."""
    return len(name) <= _LONGEST_NAME and _NAME.fullmatch(name) is not None


def require_name(name: str) -> None:
    """Raise `ValueError` for a name that no anchor has."""
    if not is_name(name):
        raise ValueError("not the name of an anchor")


def checkpoints_name(now: datetime) -> str:
    """Return a new name for checkpoints, which sorts by its time."""
    return f"{CHECKPOINTS}{now.astimezone(UTC):%Y/%m/%d/%H%M%S.%f}-{token_hex(8)}"


def checkpoints_object(notes: Iterable[str]) -> bytes:
    """Return the object of signed checkpoints."""
    return json.dumps({"version": 1, "checkpoints": [*notes]}, ensure_ascii=False, indent=0).encode()


def read_checkpoints(content: bytes) -> list[str]:
    """Return the notes of an object, none of them verified. Raises `CheckpointMalformed`."""
    try:
        read = json.loads(content)
    except (ValueError, RecursionError):
        read = None
    notes = read.get("checkpoints") if isinstance(read, dict) and read.get("version") == 1 else None
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise CheckpointMalformed("not an object of checkpoints")
    return notes
