"""A session's entry in Valkey."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tenantgate.identity.session_entry import (
    TOMBSTONE,
    SessionEntry,
    last_use,
    live_entry,
    needs_mark,
    session_keys,
)
from tests.fixtures.tokens.issuer import ISSUER, NOW, TENANT

ENTRY = SessionEntry(
    session_id="0b5c6f3e-7d7c-4f6e-9c57-8f0f7d1f2a11",
    tenant_id=TENANT,
    user_id="user-1",
    issuer=ISSUER,
    csrf_token="c" * 43,
    scopes=("orders:read",),
    roles=("clerk",),
    amr=("pwd",),
    acr="urn:acr:2",
    auth_time=NOW - 100,
    provider_auth_time=None,
    expires_at=NOW + 3600,
    idle_seconds=1800,
    last_used_at=NOW - 30,
    fresh_until=NOW + 300,
    version=1,
)


def test_an_entry_survives_its_json() -> None:
    assert SessionEntry.from_json(ENTRY.to_json()) == ENTRY
    rotated = copy.replace(ENTRY, good_until=NOW + 10, acr=None, provider_auth_time=NOW - 500, scopes=())
    assert SessionEntry.from_json(rotated.to_json()) == rotated


_MALFORMED: dict[str, tuple[object, ...]] = {
    "expires_at": (True, "1", None, 1.5),
    "version": (None, "1"),
    "fresh_until": (float("inf"), None),
    "tenant_id": (None, 7, ["x"]),
    "csrf_token": (None, 7),
    "scopes": ("orders:read", None, [1]),
    "roles": ({}, [None]),
    "amr": (7, [[]]),
    "acr": (7, []),
    "provider_auth_time": ("1", True),
    "good_until": ("1", 1.5),
}


def _changed(**members: object) -> bytes:
    return json.dumps(json.loads(ENTRY.to_json()) | members).encode()


@pytest.mark.parametrize(
    "raw",
    [
        *(pytest.param(raw, id=repr(raw)) for raw in (b"", b"ended", b"null", b"[]", b"{}", b"\xff", b"[" * 100_000)),
        pytest.param(_changed(more=1), id="an unknown member"),
        *(
            pytest.param(_changed(**{name: value}), id=f"{name}-{value!r}")
            for name, values in _MALFORMED.items()
            for value in values
        ),
    ],
)
def test_anything_else_is_not_an_entry(raw: bytes) -> None:
    assert SessionEntry.from_json(raw) is None
    assert live_entry(raw, None, now=NOW) is None


@pytest.mark.parametrize(
    ("changes", "used", "now", "live"),
    [
        pytest.param({}, None, NOW, True, id="live"),
        pytest.param({}, None, NOW + 299, True, id="fresh for another second"),
        pytest.param({}, None, NOW + 300, False, id="no longer fresh"),
        pytest.param({"expires_at": NOW}, None, NOW, False, id="past the absolute timeout"),
        pytest.param({"last_used_at": NOW - 1799}, None, NOW, True, id="idle for a second less than allowed"),
        pytest.param({"last_used_at": NOW - 1800}, None, NOW, False, id="idle"),
        pytest.param({"last_used_at": NOW - 1800}, b"%d" % (NOW - 60), NOW, True, id="used elsewhere"),
        pytest.param({"last_used_at": NOW - 1800}, b"soon", NOW, False, id="a use that is not a time"),
        pytest.param({"last_used_at": NOW - 60}, b"%d" % (NOW - 4000), NOW, True, id="PostgreSQL knows a later use"),
        pytest.param({"good_until": NOW + 1}, None, NOW, True, id="rotated, in its grace"),
        pytest.param({"good_until": NOW}, None, NOW, False, id="rotated, after its grace"),
    ],
)
def test_the_entry_of_a_live_session(changes: dict[str, Any], used: bytes | None, now: int, live: bool) -> None:
    entry = copy.replace(ENTRY, **changes)
    assert live_entry(entry.to_json(), used, now=now) == (entry if live else None)


def test_a_missing_entry_and_a_tombstone_are_not_live() -> None:
    assert live_entry(None, None, now=NOW) is None
    assert live_entry(TOMBSTONE, b"%d" % NOW, now=NOW) is None


def test_the_last_use_is_a_time_or_unknown() -> None:
    assert [last_use(raw) for raw in (None, b"", b"-1", b"1e3", b"9" * 13, b"%d" % NOW)] == [0, 0, 0, 0, 0, NOW]


@pytest.mark.parametrize(
    ("used", "now", "needed"),
    [(None, NOW + 29, False), (None, NOW + 30, True), (b"%d" % NOW, NOW + 59, False), (b"%d" % NOW, NOW + 60, True)],
)
def test_a_use_is_written_at_most_once_a_minute(used: bytes | None, now: int, needed: bool) -> None:
    assert needs_mark(ENTRY, used, now=now) is needed


def test_a_genuine_secret_under_another_tenants_name_has_other_keys() -> None:
    digest = bytes(range(32))
    keys = [session_keys(tenant, digest) for tenant in (TENANT, TENANT + "x", "org", "org\0")]
    assert len({key for pair in keys for key in pair}) == 8
    entry, used = session_keys(TENANT, digest)
    assert isinstance(entry, str)
    assert isinstance(used, str)
    # One hash tag, so that a cluster keeps both in one slot.
    assert entry.partition("{")[2] == used.partition("{")[2]


def test_the_principal_of_a_session() -> None:
    principal = ENTRY.principal()
    assert (principal.user_id, principal.tenant_id, principal.issuer) == ("user-1", TENANT, ISSUER)
    assert (principal.auth_method, principal.session_id) == ("session", ENTRY.session_id)
    assert (principal.scopes, principal.roles) == (frozenset({"orders:read"}), frozenset({"clerk"}))
    assert (principal.expires_at, principal.auth_time) == (NOW + 3600, NOW - 100)
    assert principal.claims == {"auth_time": NOW - 100, "acr": "urn:acr:2", "amr": ["pwd"]}


def test_a_rule_on_the_age_of_the_sign_in_sees_the_providers_time() -> None:
    # A provider's own session may make our sign-in much later than the moment at which the user proved who they are.
    principal = copy.replace(ENTRY, provider_auth_time=NOW - 5000, acr=None).principal()
    assert principal.claims == {"auth_time": NOW - 5000, "amr": ["pwd"]}
    assert principal.auth_time == NOW - 100
