"""Only declared events can be made, and their stored form has no personal data in clear text."""

from __future__ import annotations

import json
from typing import Any, get_args
from uuid import uuid4

import pytest

from tenantgate.audit.declarations import LONGEST_TEXT
from tenantgate.audit.models import Event, detail_place, stored_user, user_owner
from tenantgate.audit.types import EVENT_TYPES, EventType
from tenantgate.context import RequestContext, begin_request
from tenantgate.crypto.envelopes import DataKey
from tenantgate.observability import security_events
from tenantgate.tokens.tenant import DEPLOYMENT

OWNER = user_owner("org-1", "https://issuer.example", "person@example.com")
KEY = DataKey(OWNER, uuid4(), bytes(range(32)))


def sign_in(**changes: Any) -> Event:
    values: dict[str, Any] = {"resource_type": "session", "resource_id": "s-1", **changes}
    return Event("AUTH_LOGIN_SUCCESS", "org-1", **values)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"outcome": "denied"}, id="another-outcome"),
        pytest.param({"resource_type": "tenant"}, id="another-resource"),
        pytest.param({"resource_type": None}, id="without-its-resource"),
        pytest.param({"detail": {"cookie": "secret"}}, id="an-undeclared-detail"),
        pytest.param({"detail": {"acr": 1}}, id="a-number-for-a-text"),
        pytest.param({"detail": {"amr": "pwd"}}, id="a-text-for-a-list"),
        pytest.param({"detail": {"amr": [1]}}, id="a-list-of-numbers"),
    ],
)
def test_nothing_undeclared_becomes_an_event(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="AUTH_LOGIN_SUCCESS is declared"):
        sign_in(**changes)


def test_a_member_with_declared_values_has_no_other() -> None:
    values: dict[str, Any] = {"resource_type": "session", "resource_id": "s"}
    Event("AUTH_LOGOUT", "org-1", **values, detail={"reason": "sign_out"})
    with pytest.raises(ValueError, match="another detail than reason"):
        Event("AUTH_LOGOUT", "org-1", **values, detail={"reason": "person@example.com"})
    with pytest.raises(ValueError, match="another detail than sessions"):
        Event("BACKCHANNEL_LOGOUT", DEPLOYMENT, resource_type="logout_token", detail={"sessions": True})


def test_a_resource_never_names_a_person() -> None:
    with pytest.raises(ValueError, match="encrypted"):
        Event("REVOKED", "org-1", resource_type="user", resource_id="person@example.com")


def test_the_stored_form_has_nothing_personal_in_clear_text() -> None:
    user = stored_user(KEY, "https://issuer.example", "person@example.com")
    event = sign_in(user=user, address="203.0.113.0/24", detail={"device": "Firefox on Linux", "amr": ("pwd",)})
    stored = event.stored(KEY)
    assert stored.encrypted_detail is not None
    opened = json.loads(KEY.decrypt(stored.encrypted_detail, place=detail_place(event.id)))
    assert opened == {"address": "203.0.113.0/24", "device": "Firefox on Linux"}
    assert json.loads(stored.detail) == {"amr": ["pwd"]}
    assert event.stored(None).encrypted_detail is None
    for text in (repr(stored), repr(event), repr(event.stored(None))):
        for personal in ("person", "issuer.example", "203.0.113", "Firefox"):
            assert personal not in text


def test_a_user_has_one_digest_and_ever_new_envelopes() -> None:
    first, second = (stored_user(KEY, "https://issuer.example", "u") for _ in range(2))
    other = stored_user(DataKey(OWNER, uuid4(), bytes(32)), "https://issuer.example", "u")
    assert first.digest == second.digest != other.digest
    assert first.encrypted != second.encrypted


def test_an_event_takes_the_request_and_bounds_its_texts() -> None:
    begin_request(RequestContext("request-1"))
    try:
        event = sign_in(detail={"acr": "x" * 10_000 + "\0", "amr": ["y" * 10_000] * 1_000})
    finally:
        begin_request(RequestContext())
    stored = event.stored(None)
    assert stored.request_id == "request-1"
    detail = json.loads(stored.detail)
    assert len(detail["acr"]) == LONGEST_TEXT
    assert len(detail["amr"]) == 20
    assert {len(one) for one in detail["amr"]} == {LONGEST_TEXT}
    assert sign_in().request_id is None


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "\\u0000", 'it\'s \\ "quoted"'])
def test_any_text_can_be_stored(text: str) -> None:
    detail = sign_in(detail={"acr": text}).stored(None).detail
    detail.encode()
    assert "\0" not in json.loads(detail)["acr"]
    if "\0" not in text and "\ud800" not in text:
        assert json.loads(detail)["acr"] == text


def test_every_type_is_declared_and_every_security_event_is_one() -> None:
    assert {*EVENT_TYPES} == {*get_args(EventType.__value__)}
    assert {*get_args(security_events.Event.__value__)} <= EVENT_TYPES.keys()
