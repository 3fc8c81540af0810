"""A key that the issuer publishes while a fetch of the earlier key set is pending: its tokens are accepted."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from tenantgate.errors.tokens import UnknownKey
from tenantgate.tokens.jwks import CachedIssuerKeys, Timings
from tenantgate.tokens.waiting import awaited
from tests.fixtures.tokens.issuer import ISSUER, public_jwks


class SlowIssuer:
    """Sends each key set as it was at the request, when `gate` opens."""

    def __init__(self) -> None:
        self.published = public_jwks("rsa-1")
        self.gate = threading.Event()
        self.gate.set()
        self.requests = 0

    def load(self, _: float) -> Mapping[str, object]:
        self.requests += 1
        asked_for = self.published
        self.gate.wait(5)
        return asked_for


def by_thread(keys: CachedIssuerKeys, kid: str) -> None:
    keys.find(kid, "RS256", fetch=True)


def by_event_loop(keys: CachedIssuerKeys, kid: str) -> None:
    asyncio.run(awaited(lambda: keys.find(kid, "RS256", fetch=False)))


type Look = Callable[[CachedIssuerKeys, str], None]
WAYS = pytest.mark.parametrize("look", [by_thread, by_event_loop])


@pytest.fixture
def issuer() -> SlowIssuer:
    return SlowIssuer()


@WAYS
def test_a_token_by_a_new_key_waits_for_a_fetch_that_begins_after_it_came(look: Look, issuer: SlowIssuer) -> None:
    keys = CachedIssuerKeys(ISSUER, issuer.load, timings=Timings())
    look(keys, "rsa-1")
    issuer.gate.clear()
    with ThreadPoolExecutor(2) as pool:
        unknown = pool.submit(look, keys, "rsa-2")
        _until(lambda: issuer.requests == 2)
        issuer.published = public_jwks("rsa-1", "rsa-2")
        known = pool.submit(look, keys, "rsa-2")
        # It has joined the fetch that asked before.
        time.sleep(0.1)
        issuer.gate.set()
        known.result()
        assert 3 <= issuer.requests <= 4
        # Its token came before the key was published.
        assert isinstance(unknown.exception(), UnknownKey | None)


@WAYS
def test_an_unknown_key_costs_one_fetch(look: Look, issuer: SlowIssuer) -> None:
    keys = CachedIssuerKeys(ISSUER, issuer.load, timings=Timings())
    look(keys, "rsa-1")
    for fetches in (2, 3, 4, 4, 4):
        with pytest.raises(UnknownKey):
            look(keys, "nowhere")
        assert issuer.requests == fetches


@WAYS
def test_unknown_keys_that_join_a_fetch_stay_within_the_allowance(look: Look, issuer: SlowIssuer) -> None:
    keys = CachedIssuerKeys(ISSUER, issuer.load, timings=Timings())
    look(keys, "rsa-1")
    issuer.gate.clear()
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(look, keys, "nowhere")
        _until(lambda: issuer.requests == 2)
        others = [pool.submit(look, keys, "nowhere") for _ in range(4)]
        time.sleep(0.1)
        issuer.gate.set()
        assert all(isinstance(one.exception(), UnknownKey) for one in (first, *others))
    # The first one, and three for unknown keys at once.
    assert 3 <= issuer.requests <= 4


def _until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.005)
