"""The snapshot's form, and its judgement of tokens and sessions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantgate.errors.access import SessionEnded
from tenantgate.errors.revocation import TokenRevoked
from tenantgate.errors.tokens import TenantNotAllowed
from tenantgate.revoked.additions import Additions
from tenantgate.revoked.names import (
    EVERY_TENANT,
    NAME_BYTES,
    client_name,
    issuer_name,
    kid_name,
    session_name,
    subject_name,
    tenant_name,
    token_name,
    user_name,
)
from tenantgate.revoked.snapshot import Head, PresentedSession, PresentedToken, Snapshot

NOTHING_REVOKED = Snapshot(7, frozenset(), {}, frozenset(), None, {})
TOKEN = PresentedToken("org-1", "https://i", "u", "jti-1", "a.b.c", ("app", "app-2"), "kid-1", 1_000)
SESSION = PresentedSession("org-1", "https://i", "u", "s-1", 1_000)

NAMES = st.binary(min_size=NAME_BYTES, max_size=NAME_BYTES)
SNAPSHOTS = st.builds(
    Snapshot,
    st.integers(0, 2**53 - 1),
    st.frozensets(NAMES),
    st.dictionaries(NAMES, st.integers(0, 2**40)),
    st.frozensets(NAMES),
    st.none() | st.frozensets(NAMES),
    st.dictionaries(NAMES, st.frozensets(NAMES)),
    st.integers(0, 2**53 - 1),
)


@given(SNAPSHOTS)
def test_a_snapshot_survives_its_form(snapshot: Snapshot) -> None:
    assert Snapshot.from_json(snapshot.to_json()) == snapshot


@given(SNAPSHOTS, st.integers(0, 2**53 - 1))
def test_a_head_survives_its_form(snapshot: Snapshot, read_at: int) -> None:
    head = snapshot.head(read_at)
    assert head == Head(snapshot.epoch, read_at, snapshot.registered is not None, None, snapshot.rules)
    assert Head.from_json(head.to_json()) == head


@given(SNAPSHOTS, st.integers(0, 2**53 - 1), st.booleans())
def test_a_snapshot_begins_with_the_prefix_of_its_head_and_no_other(
    snapshot: Snapshot, epoch: int, closed: bool
) -> None:
    form, other = snapshot.to_json(), Head(epoch, 1, closed, None, snapshot.rules)
    assert form.startswith(Snapshot.prefix(snapshot.head(1)))
    assert form.startswith(Snapshot.prefix(other)) == (other == snapshot.head(1))
    later = snapshot.with_additions(Additions(snapshot.epoch, snapshot.epoch + 1, frozenset(), {}))
    assert later is not None
    assert form.startswith(Snapshot.prefix(later.head(1)))


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", b"ended", b"[]", b"null", b"{}", b"\xff", b"[" * 100_000, b'{"epoch":1}'),
        b'{"epoch":-1,"read_at":1,"closed":true,"base":1,"rules":1}',
        b'{"epoch":true,"read_at":1,"closed":true,"base":1,"rules":1}',
        b'{"epoch":1.0,"read_at":1,"closed":true,"base":1,"rules":1}',
        b'{"epoch":1,"read_at":1,"base":1,"rules":1}',
        b'{"epoch":1,"read_at":1,"closed":null,"base":1,"rules":1}',
        b'{"epoch":1,"read_at":1,"closed":0,"base":1,"rules":1}',
        b'{"epoch":1,"read_at":1,"closed":true,"base":1,"rules":1,"more":1}',
        b'{"epoch":1,"read_at":1,"closed":true}',
        b'{"epoch":1,"read_at":1,"closed":true,"base":2,"rules":1}',
        b'{"epoch":1,"read_at":1,"closed":true,"base":-1,"rules":1}',
        b'{"epoch":1,"read_at":1,"closed":true,"base":null,"rules":1}',
        b'{"epoch":1,"read_at":1,"closed":true,"base":1,"rules":"1"}',
    ],
)
def test_anything_else_is_not_a_head(raw: bytes) -> None:
    assert Head.from_json(raw) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"form": 2},
        {"form": None},
        {"epoch": -1},
        {"epoch": "7"},
        {"exact": "AAAA"},
        {"exact": None},
        {"exact": "?"},
        {"until": "A" * 22 + "=="},
        {"times": [1]},
        {"times": 1},
        {"rules": -1},
        {"rules": None},
        {"suspended": 1},
        {"registered": ["a"]},
        {"issuers": [["", ""]]},
        {"issuers": 1},
    ],
)
def test_anything_else_is_not_a_snapshot(changes: Mapping[str, object]) -> None:
    assert Snapshot.from_json(json.dumps({**json.loads(NOTHING_REVOKED.to_json()), **changes}).encode()) is None


@pytest.mark.parametrize("raw", [b"", b"[]", b"\xff", b"ended", b"[" * 100_000])
def test_a_snapshot_is_an_object(raw: bytes) -> None:
    assert Snapshot.from_json(raw) is None


def test_without_a_revocation_everything_passes() -> None:
    NOTHING_REVOKED.require_token(TOKEN, leeway=0)
    NOTHING_REVOKED.require_session(SESSION)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        (token_name("https://i", "jti-1", ""), replace(TOKEN, token_id="jti-2")),
        (kid_name("https://i", "kid-1"), replace(TOKEN, kid="kid-2")),
        (kid_name("https://i", "kid-1"), replace(TOKEN, kid=None)),
        (kid_name("https://i", "kid-1"), replace(TOKEN, issuer="https://j")),
    ],
)
def test_a_revoked_token_or_key(name: bytes, other: PresentedToken) -> None:
    snapshot = replace(NOTHING_REVOKED, exact=frozenset({name}))
    with pytest.raises(TokenRevoked):
        snapshot.require_token(TOKEN, leeway=0)
    snapshot.require_token(other, leeway=0)


def test_a_token_without_an_id_is_revoked_by_its_text() -> None:
    token = replace(TOKEN, token_id=None)
    snapshot = replace(NOTHING_REVOKED, exact=frozenset({token_name("https://i", None, "a.b.c")}))
    with pytest.raises(TokenRevoked):
        snapshot.require_token(token, leeway=0)
    snapshot.require_token(replace(token, text="a.d.c"), leeway=0)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        (user_name("org-1", "https://i", "u"), replace(TOKEN, user_id="v")),
        (user_name("org-1", "https://i", "u"), replace(TOKEN, tenant_id="org-2")),
        (subject_name("https://i", "u"), replace(TOKEN, user_id="v")),
        (subject_name("https://i", "u"), replace(TOKEN, issuer="https://j")),
        (client_name("https://i", "app-2"), replace(TOKEN, client_ids=("app",))),
        (tenant_name("org-1"), replace(TOKEN, tenant_id="org-2")),
    ],
)
def test_what_was_issued_up_to_a_moment(name: bytes, other: PresentedToken) -> None:
    snapshot = replace(NOTHING_REVOKED, until={name: 1_000})
    with pytest.raises(TokenRevoked):
        snapshot.require_token(TOKEN, leeway=0)
    snapshot.require_token(replace(TOKEN, issued_at=1_001), leeway=0)
    # The issuer's clock may be ahead.
    with pytest.raises(TokenRevoked):
        snapshot.require_token(replace(TOKEN, issued_at=1_060), leeway=60)
    snapshot.require_token(replace(TOKEN, issued_at=1_061), leeway=60)
    snapshot.require_token(other, leeway=60)


def test_a_user_without_a_tenant_is_revoked_in_every_tenant() -> None:
    snapshot = replace(NOTHING_REVOKED, until={subject_name("https://i", "u"): 1_000})
    for tenant_id in ("org-1", "org-2"):
        with pytest.raises(TokenRevoked):
            snapshot.require_token(replace(TOKEN, tenant_id=tenant_id), leeway=0)
        with pytest.raises(SessionEnded):
            snapshot.require_session(replace(SESSION, tenant_id=tenant_id))


def test_what_anyone_in_any_tenant_got_up_to_a_moment() -> None:
    snapshot = replace(NOTHING_REVOKED, until={EVERY_TENANT: 1_000})
    for tenant_id in ("org-1", "org-2"):
        with pytest.raises(TokenRevoked):
            snapshot.require_token(replace(TOKEN, tenant_id=tenant_id), leeway=0)
        with pytest.raises(SessionEnded):
            snapshot.require_session(replace(SESSION, tenant_id=tenant_id))
        snapshot.require_token(replace(TOKEN, tenant_id=tenant_id, issued_at=1_001), leeway=0)
        snapshot.require_session(replace(SESSION, tenant_id=tenant_id, auth_time=1_001))
    assert tenant_name("") != EVERY_TENANT


def test_a_token_without_a_time_of_issue_counts_as_the_oldest() -> None:
    snapshot = replace(NOTHING_REVOKED, until={tenant_name("org-1"): 0})
    with pytest.raises(TokenRevoked):
        snapshot.require_token(replace(TOKEN, issued_at=0), leeway=0)


def test_a_token_at_time_0_passes_without_its_own_revocation() -> None:
    replace(NOTHING_REVOKED, until={tenant_name("org-2"): 1_000}).require_token(replace(TOKEN, issued_at=0), leeway=60)


@pytest.mark.parametrize(
    "name", [user_name("org-1", "https://i", "u"), subject_name("https://i", "u"), tenant_name("org-1")]
)
def test_a_session_that_began_up_to_a_moment(name: bytes) -> None:
    snapshot = replace(NOTHING_REVOKED, until={name: 1_000})
    with pytest.raises(SessionEnded):
        snapshot.require_session(SESSION)
    snapshot.require_session(replace(SESSION, auth_time=1_001))


def test_a_revoked_session() -> None:
    snapshot = replace(NOTHING_REVOKED, exact=frozenset({session_name("org-1", "s-1")}))
    with pytest.raises(SessionEnded):
        snapshot.require_session(SESSION)
    snapshot.require_session(replace(SESSION, session_id="s-2"))
    snapshot.require_session(replace(SESSION, tenant_id="org-2"))


@pytest.mark.parametrize(
    "changes",
    [
        {"suspended": frozenset({tenant_name("org-1")})},
        {"registered": frozenset({tenant_name("org-2")})},
        {"registered": frozenset[bytes]()},
        {"issuers": {tenant_name("org-1"): frozenset({issuer_name("https://j")})}},
    ],
)
def test_a_tenant_that_may_not_take_part(changes: dict[str, Any]) -> None:
    snapshot = replace(NOTHING_REVOKED, **changes)
    with pytest.raises(TenantNotAllowed):
        snapshot.require_token(TOKEN, leeway=0)
    with pytest.raises(TenantNotAllowed):
        snapshot.require_session(SESSION)


def test_a_tenant_that_may() -> None:
    snapshot = replace(
        NOTHING_REVOKED,
        suspended=frozenset({tenant_name("org-2")}),
        registered=frozenset({tenant_name("org-1")}),
        issuers={tenant_name("org-1"): frozenset({issuer_name("https://i")})},
    )
    snapshot.require_token(TOKEN, leeway=0)
    snapshot.require_session(SESSION)


@pytest.mark.parametrize("times", [{}, "", None])
def test_times_that_are_not_a_list_are_malformed_even_without_a_name(times: object) -> None:
    values = json.loads(NOTHING_REVOKED.to_json())
    assert Snapshot.from_json(json.dumps(values).encode()) == NOTHING_REVOKED
    assert Snapshot.from_json(json.dumps(values | {"times": times}).encode()) is None
