"""A running issuer, and a key cache that asks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tenantgate.tokens.fetch import fetch_json
from tenantgate.tokens.jwks import Bundle, CachedIssuerKeys, Timings
from tests.fixtures.providers.issuer_server import IssuerServer
from tests.fixtures.tokens.issuer import ManualClock

type MakeKeys = Callable[..., CachedIssuerKeys]


@pytest.fixture
def issuer() -> Iterator[IssuerServer]:
    with IssuerServer().running() as server:
        yield server


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def make_keys(issuer: IssuerServer, clock: ManualClock) -> MakeKeys:
    """Return a factory of key caches; time passes only by the clock, and pauses between tries take no time."""

    def make(bundle: Bundle | None = None, **timings: float) -> CachedIssuerKeys:
        return CachedIssuerKeys(
            issuer.url,
            lambda timeout: fetch_json(f"{issuer.url}/jwks", timeout=timeout),
            timings=Timings(**timings),  # type: ignore[arg-type]
            bundle=lambda: bundle,
            clock=clock,
            pause=clock.pass_by,
        )

    return make
