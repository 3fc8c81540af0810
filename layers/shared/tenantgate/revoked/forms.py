"""The parts of the forms that Valkey has: names joined and encoded, and counts."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tenantgate.revoked.names import NAME_BYTES

if TYPE_CHECKING:
    from typing import Any


def packed(names: Sequence[bytes] | frozenset[bytes] | Mapping[bytes, int]) -> str:
    return b64encode(b"".join(names)).decode()


def unpacked(text: object) -> list[bytes]:
    """Return the names that `packed` joined. Raises `ValueError`, `TypeError`."""
    if not isinstance(text, str):
        raise TypeError("names are text")
    joined = b64decode(text, validate=True)
    if len(joined) % NAME_BYTES:
        raise ValueError("a name has another length")
    return [joined[place : place + NAME_BYTES] for place in range(0, len(joined), NAME_BYTES)]


def json_object(raw: bytes | None) -> Mapping[str, Any] | None:
    """Return the members of an object; None for a missing value and for anything else."""
    if raw is None:
        return None
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**53
