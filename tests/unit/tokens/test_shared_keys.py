"""Key sets that other processes fetched: used as if this process had fetched them at that time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from tenantgate.errors.tokens import ProviderUnreachable, UnknownKey
from tenantgate.tokens.copies import Copy
from tenantgate.tokens.jwks import Bundle, Timings
from tenantgate.tokens.keys import KeySet
from tenantgate.tokens.shared_keys import SharedIssuerKeys
from tenantgate.tokens.waiting import awaited
from tests.fixtures.provider_copies.memory import FakeCopies
from tests.fixtures.tokens.issuer import ISSUER, NOW, ManualClock, public_jwks

TIMINGS = Timings(ttl=1000, max_age=5000, refresh_ahead=0.8, retries=0)
FIRST, BOTH, SECOND = public_jwks("rsa-1"), public_jwks("rsa-1", "rsa-2"), public_jwks("rsa-2")


@dataclass
class Setting:
    """An issuer, a process with shared keys, and its clock."""

    clock: ManualClock = field(default_factory=ManualClock)
    copies: FakeCopies = field(default_factory=FakeCopies)
    published: Mapping[str, object] | ProviderUnreachable = field(default_factory=lambda: FIRST)
    fetches: int = 0
    takes: float = 0
    bundle: Bundle | None = None
    timings: Timings = TIMINGS

    def load(self, _: float) -> Mapping[str, object]:
        self.fetches += 1
        self.clock.pass_by(self.takes)
        if isinstance(self.published, ProviderUnreachable):
            raise ProviderUnreachable("away")
        return self.published

    def keys(self) -> SharedIssuerKeys:
        return SharedIssuerKeys(
            ISSUER,
            self.load,
            copies=self.copies,
            timings=self.timings,
            bundle=lambda: self.bundle,
            clock=self.clock,
            pause=self.clock.pass_by,
        )


@pytest.fixture
def setting() -> Iterator[Setting]:
    yield Setting()
    for thread in threading.enumerate():
        if thread.name == "tenantgate-jwks-refresh":
            thread.join()


def landed() -> None:
    for thread in threading.enumerate():
        if thread.name == "tenantgate-jwks-refresh":
            thread.join()


def has(keys: SharedIssuerKeys, kid: str) -> bool:
    try:
        keys.find(kid, "RS256", fetch=True)
    except UnknownKey:
        return False
    return True


def test_a_cold_process_uses_a_copy_without_the_issuer(setting: Setting) -> None:
    setting.copies.copy, setting.published = Copy(FIRST, NOW - 500), ProviderUnreachable("away")
    keys = setting.keys()
    assert has(keys, "rsa-1")
    assert (setting.fetches, setting.copies.written) == (0, [])
    # Every age counts from the copy's own fetch.
    assert keys.held.tend_at == NOW - 500 + 800
    assert keys.held.stale_at == NOW - 500 + 1000
    assert keys.held.dropped_at == NOW - 500 + 5000


def test_a_fetched_key_set_is_written_with_the_time_before_the_fetch(setting: Setting) -> None:
    setting.takes = 1
    assert has(setting.keys(), "rsa-1")
    assert setting.copies.written == [Copy(FIRST, NOW)]


def test_an_unusable_key_set_is_not_written(setting: Setting) -> None:
    setting.published = {"keys": []}
    with pytest.raises(ProviderUnreachable):
        setting.keys().find("rsa-1", "RS256", fetch=True)
    assert setting.copies.written == []


@pytest.mark.parametrize("unusable", [{}, {"keys": []}, {"keys": "x"}], ids=range(3))
def test_an_unusable_copy_is_ignored(setting: Setting, unusable: Mapping[str, object]) -> None:
    setting.copies.copy = Copy(unusable, NOW)
    assert has(setting.keys(), "rsa-1")
    assert setting.fetches == 1


def test_a_copy_that_is_due_for_its_refresh_is_not_used_while_the_issuer_responds(setting: Setting) -> None:
    setting.copies.copy, setting.published = Copy(FIRST, NOW - 800), SECOND
    keys = setting.keys()
    assert has(keys, "rsa-2")
    assert not has(keys, "rsa-1")
    assert keys.held.dropped_at == NOW + 5000


@pytest.mark.parametrize(("age", "is_used"), [(800, True), (4999, True), (5000, False), (9000, False)])
def test_an_older_copy_is_used_while_the_issuer_is_away_until_the_age_cap(
    setting: Setting, age: float, is_used: bool
) -> None:
    setting.copies.copy, setting.published = Copy(FIRST, NOW - age), ProviderUnreachable("away")
    keys = setting.keys()
    if not is_used:
        with pytest.raises(ProviderUnreachable):
            keys.find("rsa-1", "RS256", fetch=True)
        return
    assert has(keys, "rsa-1")
    assert keys.held.dropped_at == NOW - age + 5000
    # The pause after the failure applies: not every request fetches.
    assert has(keys, "rsa-1")
    assert setting.fetches == 1
    setting.clock.pass_by(2)
    setting.published = SECOND
    # Stale keys are refreshed as without copies.
    keys.find("rsa-2", "RS256", fetch=True)
    assert not has(keys, "rsa-1")


def test_a_copy_ends_when_it_is_too_old_though_it_is_read_again_and_again(setting: Setting) -> None:
    setting.copies.copy, setting.published = Copy(FIRST, NOW), ProviderUnreachable("away")
    keys = setting.keys()
    for _ in range(49):
        assert has(keys, "rsa-1")
        landed()
        setting.clock.pass_by(100)
    setting.clock.now = NOW + 5000
    with pytest.raises(ProviderUnreachable):
        keys.find("rsa-1", "RS256", fetch=True)


def test_a_key_that_the_issuer_removed_is_gone_after_the_refresh_time_in_every_process(setting: Setting) -> None:
    # One process has just fetched the key; the issuer then removes it, and the others take their copies.
    setting.copies.copy, setting.published = Copy(BOTH, NOW), SECOND
    others = [setting.keys() for _ in range(3)]
    for moment, keys in zip((0, 400, 799), others, strict=True):
        setting.clock.now = NOW + moment
        assert has(keys, "rsa-1")
    setting.clock.now = NOW + 800
    for keys in others:
        keys.find("rsa-2", "RS256", fetch=True)
        landed()
        assert not has(keys, "rsa-1")


def test_a_refresh_asks_the_issuer_and_only_after_a_failure_takes_the_newer_copy(setting: Setting) -> None:
    keys, other = setting.keys(), setting.keys()
    assert has(keys, "rsa-1")
    assert has(other, "rsa-1")
    setting.clock.now = NOW + 800
    setting.copies.copy, setting.published = Copy(SECOND, NOW + 790), BOTH
    assert has(keys, "rsa-1")
    landed()
    assert has(keys, "rsa-1")
    assert keys.held.dropped_at == NOW + 800 + 5000
    setting.published = ProviderUnreachable("away")
    assert has(other, "rsa-1")
    landed()
    assert has(other, "rsa-2")
    assert not has(other, "rsa-1")
    assert other.held.dropped_at == NOW + 790 + 5000


@pytest.mark.anyio
async def test_a_key_newer_than_the_copy_is_fetched_in_the_same_request(setting: Setting) -> None:
    setting.copies.copy, setting.published = Copy(FIRST, NOW - 100), BOTH
    keys = setting.keys()
    await awaited(lambda: keys.find("rsa-2", "RS256", fetch=False))
    assert (setting.copies.reads, setting.fetches) == (1, 1)
    # After a fetch from the issuer, an unknown key is unknown: one wait, as without copies.
    with pytest.raises(UnknownKey):
        await awaited(lambda: keys.find("unknown", "RS256", fetch=False))
    assert setting.fetches == 2


@pytest.mark.anyio
async def test_callers_of_a_cold_process_get_the_old_and_the_new_key(setting: Setting) -> None:
    setting.copies.copy, setting.published = Copy(FIRST, NOW - 100), BOTH
    keys = setting.keys()
    kids = ["rsa-1", "rsa-2"] * 20
    await asyncio.gather(*(awaited(lambda kid=kid: keys.find(kid, "RS256", fetch=False)) for kid in kids))  # type: ignore[misc]
    assert setting.fetches == 1


def test_a_key_newer_than_the_copy_is_fetched_by_a_caller_that_blocks(setting: Setting) -> None:
    setting.copies.copy, setting.published = Copy(FIRST, NOW - 100), BOTH
    assert has(setting.keys(), "rsa-2")
    assert setting.fetches == 1


@pytest.mark.parametrize("copy_at", [NOW - 700, NOW, NOW + 0.001])
def test_an_older_copy_or_the_own_one_replaces_nothing(setting: Setting, copy_at: float) -> None:
    keys = setting.keys()
    assert has(keys, "rsa-1")
    # A replayed copy of another key set, in time.
    setting.copies.copy, setting.published = Copy(SECOND, copy_at), ProviderUnreachable("away")
    setting.clock.now = NOW + 800
    assert has(keys, "rsa-1")
    landed()
    assert has(keys, "rsa-1")
    assert keys.held.dropped_at == NOW + 5000
    assert setting.fetches == 2


def test_an_unknown_kid_asks_the_issuer_and_not_a_copy(setting: Setting) -> None:
    keys = setting.keys()
    assert has(keys, "rsa-1")
    reads = setting.copies.reads
    # A newer copy without the key must not prevent the fetch.
    setting.clock.pass_by(10)
    setting.copies.copy, setting.published = Copy(FIRST, NOW + 9), BOTH
    assert has(keys, "rsa-2")
    assert (setting.copies.reads, setting.fetches) == (reads, 2)
    assert setting.copies.written[-1] == Copy(BOTH, NOW + 10)


def test_the_allowance_for_unknown_kids_is_unchanged(setting: Setting) -> None:
    keys = setting.keys()
    assert has(keys, "rsa-1")
    for number in range(20):
        assert not has(keys, f"unknown-{number}")
    assert setting.fetches == 1 + TIMINGS.unknown_kid_burst


def test_a_bundle_comes_first_and_a_newer_copy_if_the_issuer_is_away_at_its_refresh(setting: Setting) -> None:
    setting.bundle = Bundle(KeySet.parse(FIRST), NOW - 2000)
    setting.copies.copy, setting.published = Copy(SECOND, NOW - 100), ProviderUnreachable("away")
    keys = setting.keys()
    assert has(keys, "rsa-1")
    assert (setting.copies.reads, setting.fetches) == (0, 0)
    setting.clock.pass_by(TIMINGS.bundle_rest)
    has(keys, "rsa-1")
    landed()
    assert has(keys, "rsa-2")
    assert keys.held.dropped_at == NOW - 100 + 5000


def test_the_issuers_failure_after_a_copy_leaves_no_older_key_set_behind(setting: Setting) -> None:
    setting.copies.copy, setting.published = Copy(FIRST, NOW - 900), ProviderUnreachable("away")
    keys = setting.keys()
    assert has(keys, "rsa-1")
    setting.clock.pass_by(10)
    setting.published = SECOND
    keys.find("rsa-2", "RS256", fetch=True)
    setting.published = ProviderUnreachable("away")
    assert not has(keys, "unknown")
    assert has(keys, "rsa-2")
    assert not has(keys, "rsa-1")
