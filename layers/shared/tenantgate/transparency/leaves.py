"""Leaves: the bytes of a stored audit event that the log hashes.

Leaf data are `tenantgate-audit-event/1`, a newline, and for each column that isn't NULL, in the order of `COLUMNS`,

    length (4 bytes, big-endian) ‖ name ‖ length (4) ‖ value

in UTF-8. All columns are in the leaf, encrypted ones as they are stored, so that a changed row has another hash, and a
row whose key was destroyed still has the same one. A column that a later version adds is NULL in older rows, and
so isn't in their leaves: they stay the same.

Values are texts: ids as PostgreSQL prints them, times in microseconds since 1970, bytes in hexadecimal, and the detail
as JSON with sorted names and no spaces: PostgreSQL keeps neither the order nor the
spelling of the text that it was given.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Literal, NoReturn

from tenantgate.transparency.errors import LeafMalformed

type Kind = Literal["uuid", "text", "bytes", "json", "time"]

# The columns of `audit_events`, each with its kind. Append new ones: the order is part of the hash.
COLUMNS: Mapping[str, Kind] = {
    "id": "uuid",
    "tenant_id": "text",
    "event_type": "text",
    "outcome": "text",
    "actor": "text",
    "resource_type": "text",
    "resource_id": "text",
    "request_id": "text",
    "session_id": "uuid",
    "user_digest": "bytes",
    "encrypted_user": "text",
    "encrypted_detail": "text",
    "detail": "json",
    "occurred_at": "time",
    "created_at": "time",
    "updated_at": "time",
}
# Events have a few kilobytes: texts in the detail have a limit, and an encrypted one is a third longer.
MAX_LEAF_BYTES = 1024 * 1024

_PREFIX = b"tenantgate-audit-event/1\n"
_NAMES = [(len(name).to_bytes(4) + name.encode(), name, kind == "json") for name, kind in COLUMNS.items()]
_UNREADABLE = "!"


def leaf_data(row: Mapping[str, str | None]) -> bytes:
    """Return the leaf data of a row, by column, in the text form that this module describes.

    `detail`: as PostgreSQL prints it. Raises `KeyError` if a column is missing.
    """
    parts = [_PREFIX]
    for named, name, is_json in _NAMES:
        value = row[name]
        if value is not None:
            encoded = (canonical_json(value) if is_json else value).encode()
            parts += (named, len(encoded).to_bytes(4), encoded)
    return b"".join(parts)


def read_leaf(data: bytes) -> dict[str, str | None]:
    """Return the row of leaf data, with None for each column that is NULL.

    Raises `LeafMalformed` unless `leaf_data` returns the same bytes for it.
    """
    if len(data) > MAX_LEAF_BYTES or not data.startswith(_PREFIX):
        raise LeafMalformed("not the leaf of an audit event, or of a later version")
    row: dict[str, str | None] = dict.fromkeys(COLUMNS)
    place = len(_PREFIX)
    while place < len(data):
        name, place = _text_at(data, place)
        if name not in COLUMNS:
            raise LeafMalformed("the leaf has an unknown column: it was written by a later version")
        row[name], place = _text_at(data, place)
    # Two forms of one row would be two leaves of one event.
    if leaf_data(row) != data:
        raise LeafMalformed("the leaf of the audit event is malformed")
    return row


def canonical_json(text: str) -> str:
    """Return JSON that doesn't depend on how PostgreSQL printed it.

    No event has a fraction, a huge number or deep nesting. A row that was given one keeps its text, marked: it has a
    hash, and no other row has the same one.
    """
    if text.startswith(_UNREADABLE):
        return text
    try:
        value = json.loads(text, parse_float=_refuse, parse_constant=_refuse)
        return json.dumps(value, sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError):
        return _UNREADABLE + text


def _refuse(_: str) -> NoReturn:
    raise ValueError("no event has such a number")


def _text_at(data: bytes, place: int) -> tuple[str, int]:
    start = place + 4
    end = start + int.from_bytes(data[place:start])
    if start > len(data) or end > len(data):
        raise LeafMalformed("the leaf of the audit event is incomplete")
    try:
        return data[start:end].decode(), end
    except UnicodeDecodeError:
        raise LeafMalformed("the leaf of the audit event isn't UTF-8") from None
