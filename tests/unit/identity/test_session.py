"""Sessions by their entries in Valkey: found, not found, and not decided."""

from __future__ import annotations

import pytest

from tenantgate.errors.access import SessionEnded
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.identity.session import CachedSessions
from tenantgate.identity.session_entry import SESSION_SECRETS, TOMBSTONE
from tests.fixtures.authorizer.sessions import MemoryValues, entry, keys_of
from tests.fixtures.tokens.issuer import NOW, TENANT, ManualClock

OTHER_TENANT = "org-0192f5a8-7c1e-7d3a-9b52-3f6f0c1d2e4c"


def _sessions(values: MemoryValues) -> CachedSessions:
    return CachedSessions(values, clock=ManualClock())


def _state(values: MemoryValues, secret: str) -> object:
    with pytest.raises(SessionEnded) as ended:
        _sessions(values).find(secret)
    return ended.value.private["actual"]


def test_a_live_session_is_found_in_one_round_trip() -> None:
    values = MemoryValues()
    secret = values.start()
    found = _sessions(values).find(secret)
    assert (found.entry, found.used_key, values.read) == (entry(), None, 1)


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        pytest.param({"fresh_until": NOW}, "stale", id="read-too-long-ago"),
        pytest.param({"expires_at": NOW}, "expired", id="absolute-time-out"),
        pytest.param({"last_used_at": NOW - 1800}, "idle", id="idle"),
        pytest.param({"good_until": NOW}, "rotated", id="a-replaced-secret"),
        pytest.param({"good_until": NOW + 5, "last_used_at": NOW - 1800}, "idle", id="an-idle-replaced-secret"),
        pytest.param({"tenant_id": OTHER_TENANT}, "malformed", id="another-tenants-entry"),
    ],
)
def test_a_session_ends_this_instant(changes: dict[str, object], state: str) -> None:
    values = MemoryValues()
    secret = SESSION_SECRETS.issue(TENANT).text
    values.values[keys_of(secret).entry] = entry(**changes).to_json()
    assert _state(values, secret) == state


@pytest.mark.parametrize(
    "changes",
    [{"fresh_until": NOW + 1}, {"expires_at": NOW + 1}, {"last_used_at": NOW - 1799}, {"good_until": NOW + 1}],
)
def test_a_session_is_live_until_then(changes: dict[str, object]) -> None:
    values = MemoryValues()
    assert _sessions(values).find(values.start(entry(**changes))).entry == entry(**changes)


@pytest.mark.parametrize(
    ("stored", "state"),
    [
        pytest.param(None, "missing", id="missing"),
        pytest.param(TOMBSTONE, "ended", id="tombstone"),
        pytest.param(b"", "malformed", id="empty"),
        pytest.param(b"ended ", "malformed", id="almost-a-tombstone"),
        pytest.param(b"{}", "malformed", id="no-members"),
        pytest.param(b"[" * 100_000, "malformed", id="nested"),
        pytest.param(b"\xff\xfe", "malformed", id="no-text"),
        pytest.param(entry().to_json().replace(b"null", b'"x"'), "malformed", id="a-member-of-another-type"),
    ],
)
def test_anything_else_proves_nothing(stored: bytes | None, state: str) -> None:
    values = MemoryValues()
    secret = SESSION_SECRETS.issue(TENANT).text
    if stored is not None:
        values.values[keys_of(secret).entry] = stored
    assert _state(values, secret) == state


@pytest.mark.parametrize("secret", ["", "x", "tenant.", "a" * 5000, f"{TENANT}.{'A' * 42}B", "tg_pat_x.y"])
def test_a_malformed_secret_is_rejected_without_a_request(secret: str) -> None:
    values = MemoryValues()
    assert (_state(values, secret), values.read) == ("malformed cookie", 0)


def test_a_genuine_secret_under_another_tenants_name_is_not_found() -> None:
    values = MemoryValues()
    secret = values.start()
    assert _state(values, secret.replace(TENANT, OTHER_TENANT)) == "missing"
    assert _state(values, secret.replace(TENANT, TENANT.upper())) == "missing"


def test_a_server_that_is_down_proves_nothing() -> None:
    values = MemoryValues()
    secret = values.start()
    values.down = True
    with pytest.raises(CacheUnavailable):
        _sessions(values).find(secret)


def test_a_use_is_marked_at_most_once_a_minute() -> None:
    values, clock = MemoryValues(), ManualClock()
    sessions = CachedSessions(values, clock=clock)
    secret = values.start(entry(last_used_at=NOW))
    used = keys_of(secret).used
    marks = []
    for seconds in (0, 59, 60, 61, 119, 120):
        clock.now = NOW + seconds
        sessions.mark_used(sessions.find(secret))
        marks.append(len(values.written))
    assert marks == [0, 0, 1, 1, 1, 2]
    assert values.written == [(used, b"%d" % (NOW + 60), 1800), (used, b"%d" % (NOW + 120), 1800)]


def test_the_later_of_both_last_uses_counts_for_idleness() -> None:
    values = MemoryValues()
    secret = values.start(entry(last_used_at=NOW - 4000))
    assert _state(values, secret) == "idle"
    values.values[keys_of(secret).used] = b"%d" % (NOW - 100)
    assert _sessions(values).find(secret).entry.user_id == "user-1"
    values.values[keys_of(secret).used] = b"%d" % (NOW - 1800)
    assert _state(values, secret) == "idle"


def test_a_use_that_cannot_be_marked_counts(caplog: pytest.LogCaptureFixture) -> None:
    values = MemoryValues()
    secret = values.start(entry(last_used_at=NOW - 100))
    values.read_only = True
    sessions = _sessions(values)
    sessions.mark_used(sessions.find(secret))
    assert [record.getMessage() for record in caplog.records] == ["the use of a session was not marked"]
    assert secret not in caplog.text


def test_the_entry_is_never_prolonged() -> None:
    values, clock = MemoryValues(), ManualClock()
    sessions = CachedSessions(values, clock=clock)
    secret = values.start()
    before = values.values[keys_of(secret).entry]
    for _ in range(5):
        sessions.mark_used(sessions.find(secret))
        clock.now += 59
    assert values.values[keys_of(secret).entry] == before
    clock.now = NOW + 300
    with pytest.raises(SessionEnded):
        sessions.find(secret)
