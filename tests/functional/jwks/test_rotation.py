"""A withdrawn key under load: what was verified with it must not be remembered past the moment when it went."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tenantgate.errors.tokens import UnknownKey
from tenantgate.tokens.jwks import CachedIssuerKeys, JwksCache, Timings
from tenantgate.tokens.verifier import TokenVerifier
from tests.fixtures.tokens.issuer import ISSUER, NOW, ManualClock, good_claims, policy_of, public_jwks, sign

ROTATIONS = 300


class _SlowLog(logging.Handler):
    """Takes its time over each line, as a pipe to a log collector does."""

    def emit(self, _: logging.LogRecord) -> None:
        time.sleep(0.001)


@pytest.fixture
def busy_process() -> Iterator[None]:
    logger, handler = logging.getLogger("tenantgate.tokens"), _SlowLog()
    level, interval = logger.level, sys.getswitchinterval()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(interval)
    logger.removeHandler(handler)
    logger.setLevel(level)


@contextmanager
def _load_of(request: Callable[[], object]) -> Iterator[None]:
    """Three threads that do nothing else; what they raise is raised in the end."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            request()

    with ThreadPoolExecutor(3) as pool:
        workers = [pool.submit(work) for _ in range(3)]
        try:
            yield
        finally:
            stop.set()
        for worker in workers:
            worker.result()


def _publishes(keys: CachedIssuerKeys, kid: str) -> bool:
    try:
        keys.find(kid, "RS256", fetch=True)
    except UnknownKey:
        return False
    return True


@pytest.mark.usefixtures("busy_process")
def test_no_token_of_a_withdrawn_key_lives_on_through_rotations_under_load() -> None:
    clock, both, second = ManualClock(), public_jwks("rsa-1", "rsa-2"), public_jwks("rsa-2")
    published = [both]
    timings = Timings(ttl=3600, max_age=1e9, refresh_ahead=1.0, unknown_kid_burst=0, stale_budget=60.0)
    keys = CachedIssuerKeys(ISSUER, lambda _: published[0], timings=timings, clock=clock)
    # The tokens' own time stands still: only the keys age.
    verifier = TokenVerifier(policy_of(), JwksCache({ISSUER: keys}), clock=lambda: NOW)
    withdrawn = sign(good_claims(), kid="rsa-1")

    def is_accepted() -> bool:
        try:
            verifier.verify(withdrawn)
        except UnknownKey:
            return False
        return True

    # Before the load: a clock that jumps during the first fetch would be a frozen process.
    assert is_accepted()
    lived_on = 0
    with _load_of(is_accepted):
        for _ in range(ROTATIONS):
            published[0] = second
            clock.pass_by(3600)
            while _publishes(keys, "rsa-1"):
                pass
            lived_on += is_accepted()
            published[0] = both
            clock.pass_by(3600)
            while not _publishes(keys, "rsa-1"):
                pass
    assert lived_on == 0
