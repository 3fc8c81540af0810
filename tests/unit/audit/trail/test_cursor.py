"""Cursors: bound to their tenant and filters, and not to be forged."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantgate.audit.trail import cursor
from tenantgate.audit.trail.models import Filters, Position
from tenantgate.crypto.sealing import Sealer, new_sealing_key
from tenantgate.errors.base import ValidationFailed

KEY = new_sealing_key()
SEALER = Sealer([KEY])
FILTERS = Filters(
    event_type="REVOKED", user=("https://issuer.example", "user-1"), recorded_to=datetime(2026, 1, 1, tzinfo=UTC)
)
PLACE = Position(datetime(2026, 11, 27, 3, 22, 8, 123456, tzinfo=UTC), UUID(int=7))


def sealed(tenant_id: str = "org-1", filters: Filters = FILTERS) -> str:
    return cursor.sealed(SEALER, PLACE, tenant_id=tenant_id, filters=filters)


@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_opens_to_its_position(at: datetime, event_id: UUID) -> None:
    text = cursor.sealed(SEALER, Position(at, event_id), tenant_id="org-1", filters=FILTERS)
    assert len(text) <= cursor.LONGEST
    assert cursor.opened(SEALER, text, tenant_id="org-1", filters=FILTERS) == (at, event_id)


def test_opens_after_a_rotation_of_the_sealing_keys() -> None:
    assert cursor.opened(Sealer([new_sealing_key(), KEY]), sealed(), tenant_id="org-1", filters=FILTERS) == PLACE


def test_shows_nothing_of_the_event() -> None:
    assert PLACE.event_id.bytes not in base64.urlsafe_b64decode(sealed() + "==")


@pytest.mark.parametrize(
    ("tenant_id", "filters"),
    [
        pytest.param("org-2", FILTERS, id="another-tenant"),
        pytest.param("org-1", Filters(), id="without-the-filters"),
        pytest.param("org-1", replace(FILTERS, user=("https://issuer.example", "user-2")), id="another-user"),
        pytest.param("org-1", replace(FILTERS, user=("https://issuer.exampleuser-1", "")), id="moved-texts"),
        pytest.param("org-1", replace(FILTERS, outcome="success"), id="one-more-filter"),
        pytest.param("org-1", replace(FILTERS, recorded_to=None, recorded_from=FILTERS.recorded_to), id="moved-time"),
    ],
)
def test_does_not_open_elsewhere(tenant_id: str, filters: Filters) -> None:
    with pytest.raises(ValidationFailed) as caught:
        cursor.opened(SEALER, sealed(), tenant_id=tenant_id, filters=filters)
    assert caught.value.detail == [{"field": "cursor", "problem": "isn't one that this API returned for these filters"}]


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param("", id="empty"),
        pytest.param("A" * 200, id="another-key"),
        pytest.param("\u0660" * 20, id="not-ascii"),
        pytest.param("a\0b", id="nul"),
        pytest.param(sealed()[:-1], id="cut"),
        pytest.param(sealed() + "A", id="longer"),
        pytest.param(f"{sealed()}=", id="padded"),
        pytest.param(SEALER.seal(bytes(24), purpose="sign-in", context=b""), id="another-purpose"),
        pytest.param(Sealer([new_sealing_key()]).seal(bytes(24), purpose="audit-cursor"), id="another-deployment"),
    ],
)
def test_a_forged_cursor_is_refused(forged: str) -> None:
    with pytest.raises(ValidationFailed):
        cursor.opened(SEALER, forged, tenant_id="org-1", filters=FILTERS)
