"""Checkpoints (c2sp.org/tlog-checkpoint): the size and root of a log at a time, as the text of a signed note.

    acme.example/audit/org-1
    1000
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
    sealed-at 1764201600000000
    continues 990

The lines are the log's origin, its size, its root, and extensions. `sealed-at` is the time up to which the log was
sealed, in microseconds since 1970: an older row that isn't in the log was added late. If further events waited, the
checkpoint was signed later than that, and `signed-at` tells when. `continues` is the size of the checkpoint before this
one, 0 for the first: a checkpoint that was removed is missed by the next one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from tenantgate.transparency.errors import CheckpointMalformed, NoteUnsigned
from tenantgate.transparency.notes import VerifierKey, decoded, encoded, open_note
from tenantgate.transparency.tree import HASH_BYTES, MAX_SIZE

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_SEALED_AT, _SIGNED_AT, _CONTINUES = "sealed-at ", "signed-at ", "continues "


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log at a time. `root`: 32 bytes. `extensions`: further lines. Raises `ValueError` for impossible values."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MAX_SIZE or len(self.root) != HASH_BYTES:
            raise ValueError("not the size or root of a log")
        if any(not line or "\n" in line for line in (self.origin, *self.extensions)):
            raise ValueError("a line of a checkpoint is not empty, and is one line")

    @property
    def text(self) -> str:
        """The text to sign."""
        return "".join(f"{line}\n" for line in (self.origin, str(self.size), encoded(self.root), *self.extensions))

    @property
    def sealed_at(self) -> int | None:
        """The time up to which the log was sealed, in microseconds since 1970; None if it doesn't say."""
        return self._number(_SEALED_AT)

    @property
    def signed_at(self) -> int | None:
        """The time of its signing, in microseconds since 1970; None if it doesn't say."""
        return self.sealed_at if (later := self._number(_SIGNED_AT)) is None else later

    @property
    def continues(self) -> int | None:
        """The size of the log's checkpoint before this one; None if it doesn't say."""
        return self._number(_CONTINUES)

    def _number(self, name: str) -> int | None:
        found = [line.removeprefix(name) for line in self.extensions if line.startswith(name)]
        return int(found[0]) if len(found) == 1 and _NUMBER.fullmatch(found[0]) else None


def sealed_checkpoint(
    origin: str, size: int, root: bytes, *, sealed_at: int, signed_at: int | None = None, continues: int = 0
) -> Checkpoint:
    """Return a checkpoint with its times, in microseconds since 1970. Raises `ValueError` for impossible values.

    `signed_at`: if it is another time than `sealed_at`. `continues`: the size of the checkpoint before it.
    """
    later = () if signed_at in {None, sealed_at} else (f"{_SIGNED_AT}{signed_at}",)
    return Checkpoint(origin, size, root, (f"{_SEALED_AT}{sealed_at}", *later, f"{_CONTINUES}{continues}"))


def log_origin(host: str, tenant_id: str) -> str:
    """Return the origin of a tenant's log, which is also the name of its verifier key.

    `host`: of `PUBLIC_BASE_URL`, with its port. Two tenants never have the same origin.
    """
    return f"{host}/audit/{quote(tenant_id, safe='')}"


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a note. Raises `CheckpointMalformed`."""
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() or not all(lines):
        raise CheckpointMalformed("not a checkpoint: it has three or more lines, none of them empty")
    origin, size, hashed, *extensions = lines
    root = decoded(hashed)
    if not _NUMBER.fullmatch(size) or root is None:
        raise CheckpointMalformed("not a checkpoint: its size or its root is malformed")
    try:
        return Checkpoint(origin, int(size), root, tuple(extensions))
    except ValueError:
        raise CheckpointMalformed("not a checkpoint: its size or its root is impossible") from None


def open_checkpoint(note: str | bytes, keys: Iterable[VerifierKey]) -> Checkpoint:
    """Return the checkpoint of a note that was signed by a key with the name of its origin.

    Raises `NoteMalformed`, `NoteUnsigned`, `CheckpointMalformed`.
    """
    opened = open_note(note, keys)
    checkpoint = parse_checkpoint(opened.text)
    # Otherwise the key of one tenant's log would sign for another tenant's log.
    if not any(key.name == checkpoint.origin for key in opened.keys):
        raise NoteUnsigned("it is a checkpoint of another log")
    return checkpoint
