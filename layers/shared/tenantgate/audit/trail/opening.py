"""Opening the encrypted parts of stored events, by the keys that their envelopes name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol
from uuid import UUID

from tenantgate.audit.models import detail_place, log_owner, user_place
from tenantgate.audit.trail.models import OpenedEvent, Person, StoredRow, reference
from tenantgate.crypto.envelopes import named_key
from tenantgate.crypto.errors import EnvelopeBroken
from tenantgate.data_keys.models import NamedKeys


class Keys(Protocol):
    """The part of `data_keys.service.DataKeys` that opens."""

    async def named(self, tenant_id: str, purpose: str, key_ids: Iterable[UUID]) -> NamedKeys:
        """Return the keys that envelopes name. Raises `KeyServiceUnavailable` and `SecretsUnavailable`."""
        ...


async def opened(keys: Keys, tenant_id: str, rows: Sequence[StoredRow]) -> Sequence[OpenedEvent]:
    """Return the events of a tenant with their personal data.

    An event whose key was destroyed, or that doesn't open, is returned without them, and says so. While a key can't be
    read, none is returned: no reader may take an outage for an erasure. Raises as `Keys.named`, and
    `DatabaseUnreachable`.
    """
    named = {key_id for row in rows for key_id in _named(row)}
    found = await keys.named(tenant_id, log_owner(tenant_id).purpose, named)
    return [_opened(row, found) for row in rows]


def _named(row: StoredRow) -> Iterator[UUID]:
    for envelope in (row.encrypted_user, row.encrypted_detail):
        try:
            if envelope is not None:
                yield named_key(envelope)
        except EnvelopeBroken:
            continue


def _opened(row: StoredRow, keys: NamedKeys) -> OpenedEvent:
    user_state, user = _part(row.encrypted_user, keys, () if row.user_digest is None else user_place(row.user_digest))
    detail_state, personal = _part(row.encrypted_detail, keys, detail_place(row.id))
    states = [state for state in (user_state, detail_state) if state is not None]
    detail: dict[str, object] = json.loads(row.detail)
    address = personal.pop("address", None)
    return OpenedEvent(
        *row[:9],
        person=next((state for state in ("unavailable", "erased", "known") if state in states), None),
        user_ref=None if row.user_digest is None else reference(row.user_digest),
        issuer=_text(user.get("issuer")),
        user_id=_text(user.get("user_id")),
        address=_text(address),
        detail=detail | personal,
        occurred_at=row.occurred_at,
        recorded_at=row.created_at,
    )


def _part(envelope: str | None, keys: NamedKeys, place: Sequence[str]) -> tuple[Person | None, dict[str, object]]:
    if envelope is None:
        return None, {}
    try:
        key_id = named_key(envelope)
        if key_id in keys.destroyed:
            return "erased", {}
        members = json.loads(keys.keys[key_id].decrypt(envelope, place=place))
    except (EnvelopeBroken, KeyError):
        return "unavailable", {}
    return "known", members


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
