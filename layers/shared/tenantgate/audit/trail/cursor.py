"""Cursors: the place where the next page begins, sealed for one tenant and one set of filters."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from uuid import UUID

from tenantgate.audit.trail.models import Filters, Position
from tenantgate.crypto.envelopes import framed
from tenantgate.crypto.sealing import SealBroken, Sealer
from tenantgate.errors.base import ValidationFailed

# Of every cursor, with room for a later version.
LONGEST = 200

_PURPOSE = "audit-cursor"
# Microseconds since the epoch, and the event's id.
_FORM = struct.Struct(">q16s")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNIT = timedelta(microseconds=1)


def sealed(sealer: Sealer, position: Position, *, tenant_id: str, filters: Filters) -> str:
    """Return the cursor of a position. It shows nothing, and opens only for this tenant with these filters."""
    plain = _FORM.pack((position.recorded_at - _EPOCH) // _UNIT, position.event_id.bytes)
    return sealer.seal(plain, purpose=_PURPOSE, context=_context(tenant_id, filters))


def opened(sealer: Sealer, cursor: str, *, tenant_id: str, filters: Filters) -> Position:
    """Return the position. Raises `ValidationFailed` for a forged cursor, or one of another tenant or other filters."""
    try:
        plain = sealer.open(cursor, purpose=_PURPOSE, context=_context(tenant_id, filters))
    except (SealBroken, ValueError):
        problem = {"field": "cursor", "problem": "isn't one that this API returned for these filters"}
        raise ValidationFailed("a cursor doesn't open", detail=[problem]) from None
    microseconds, event_id = _FORM.unpack(plain)
    return Position(_EPOCH + timedelta(microseconds=microseconds), UUID(bytes=event_id))


def _context(tenant_id: str, filters: Filters) -> bytes:
    return framed(tenant_id, *filters.texts())
