"""The signed statement by which retention removes events: the positions of a log that it removes.

    acme.example/audit/org-1
    retention
    0
    999
    1764201600000000

The lines are the log's origin, a fixed word, the first and last position, and the time before which all these events
were recorded, in microseconds since 1970. The bytes of this text are signed like those of a checkpoint, whose second
line is a number: neither signature serves for the other. The numbers and the signature are the detail of the event
`AUDIT_RETENTION`; a later statement begins at position 0 again, so that it replaces the earlier ones.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from tenantgate.transparency.errors import NoteMalformed, NoteUnsigned
from tenantgate.transparency.notes import VerifierKey, decoded, encoded

EVENT_TYPE = "AUDIT_RETENTION"


class Removed(NamedTuple):
    """The positions from `first` to `last`, whose events were recorded before `before` (microseconds since 1970)."""

    first: int
    last: int
    before: int


def retention_text(origin: str, removed: Removed) -> str:
    """Return the text whose UTF-8 bytes are signed."""
    return "".join(f"{line}\n" for line in (origin, "retention", *removed))


def retention_detail(removed: Removed, key: VerifierKey, signature: bytes) -> dict[str, object]:
    """Return the detail of the event. `signature`: 64 bytes, of the key that has the name of the log's origin."""
    return {**removed._asdict(), "signature": encoded(key.id + signature)}


def open_retention(detail: str, keys: Sequence[VerifierKey]) -> Removed:
    """Return the positions that the detail of an event removes. `keys`: of the log. Raises `Unproven`."""
    try:
        given = json.loads(detail)
        removed = Removed(*(given[name] for name in Removed._fields))
        signature = decoded(given["signature"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise NoteMalformed("not a statement of retention") from None
    if signature is None or any(type(number) is not int for number in removed):
        raise NoteMalformed("not a statement of retention")
    known = [key for key in keys if key.id == signature[: len(key.id)]]
    if not known:
        raise NoteUnsigned("no known key signed the statement of retention")
    known[0].verify(signature[len(known[0].id) :], retention_text(known[0].name, removed))
    return removed
