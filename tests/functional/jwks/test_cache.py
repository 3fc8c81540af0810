"""The key cache against a real HTTP server: rotation, outage, floods, many at once, a bundled key set."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler

import pytest

from tenantgate.errors.tokens import ProviderTimeout, ProviderUnreachable, TokenError, UnknownKey
from tenantgate.tokens.jwks import Bundle, CachedIssuerKeys, JwksCache
from tenantgate.tokens.keys import KeyFetchNeeded, KeySet
from tenantgate.tokens.verifier import TokenVerifier
from tests.fixtures.providers.issuer_server import IssuerServer, failing, send_json
from tests.fixtures.tokens.issuer import NOW, ManualClock, good_claims, policy_of, public_jwks, sign
from tests.functional.jwks.conftest import MakeKeys


def _refreshed(keys: CachedIssuerKeys) -> None:
    """Wait until a refresh in the background has ended."""
    for thread in threading.enumerate():
        if thread.name == "tenantgate-jwks-refresh":
            thread.join(10)


def _found(keys: CachedIssuerKeys, kid: str, *, fetch: bool = True) -> bool:
    try:
        keys.find(kid, "RS256", fetch=fetch)
    except UnknownKey:
        return False
    return True


def test_fetches_once_and_then_reads_from_memory(issuer: IssuerServer, make_keys: MakeKeys) -> None:
    keys = make_keys()
    assert all(_found(keys, "rsa-1") for _ in range(100))
    assert issuer.fetches() == 1


def test_without_leave_to_fetch_a_miss_says_so_and_a_hit_does_not(issuer: IssuerServer, make_keys: MakeKeys) -> None:
    keys = make_keys()
    with pytest.raises(KeyFetchNeeded):
        keys.find("rsa-1", "RS256", fetch=False)
    assert issuer.fetches() == 0
    keys.find("rsa-1", "RS256", fetch=True)
    assert _found(keys, "rsa-1", fetch=False)
    with pytest.raises(KeyFetchNeeded):
        keys.find("rsa-2", "RS256", fetch=False)
    assert issuer.fetches() == 1


def test_refreshes_in_the_background_before_the_keys_are_stale(
    issuer: IssuerServer, make_keys: MakeKeys, clock: ManualClock
) -> None:
    keys = make_keys()
    assert _found(keys, "rsa-1")
    issuer.jwks = public_jwks("rsa-1", "rsa-2")
    held, entered = threading.Event(), threading.Event()

    def slowly(request: BaseHTTPRequestHandler) -> None:
        entered.set()
        held.wait(10)
        send_json(request, issuer.jwks)

    issuer.custom_response = slowly
    clock.pass_by(3600 * 0.8)
    assert _found(keys, "rsa-1"), "served during the refresh"
    assert entered.wait(10)
    assert _found(keys, "rsa-1", fetch=False)
    held.set()
    _refreshed(keys)
    assert _found(keys, "rsa-2", fetch=False)
    assert issuer.fetches() == 2


def test_a_key_made_a_moment_ago_is_found(issuer: IssuerServer, make_keys: MakeKeys) -> None:
    keys = make_keys()
    assert _found(keys, "rsa-1")
    issuer.jwks = public_jwks("rsa-1", "rsa-2")
    assert _found(keys, "rsa-2")
    issuer.jwks = public_jwks("rsa-2", "rsa-3")
    assert _found(keys, "rsa-3")
    assert issuer.fetches() == 3


def test_a_withdrawn_key_is_refused_after_the_next_refresh_though_the_token_was_remembered(
    issuer: IssuerServer, make_keys: MakeKeys, clock: ManualClock
) -> None:
    keys = make_keys()
    issuer.jwks = public_jwks("rsa-1", "rsa-2")
    verifier = TokenVerifier(
        policy_of(oidc_issuer_url=issuer.url, jwt_max_lifetime_minutes="1440"),
        JwksCache({issuer.url: keys}),
        clock=clock,
    )
    withdrawn = sign(good_claims(iss=issuer.url, exp=NOW + 36000), kid="rsa-1")
    kept = sign(good_claims(iss=issuer.url, exp=NOW + 36000), kid="rsa-2")
    for token in (withdrawn, kept, withdrawn, kept):
        verifier.verify(token)
    issuer.jwks = public_jwks("rsa-2")
    clock.pass_by(3600)
    verifier.verify(kept)
    _refreshed(keys)
    verifier.verify(kept)
    with pytest.raises(UnknownKey):
        verifier.verify(withdrawn)


def test_stale_keys_serve_through_an_outage_with_fewer_and_fewer_tries_until_the_age_cap(
    issuer: IssuerServer, make_keys: MakeKeys, clock: ManualClock
) -> None:
    keys = make_keys(max_age=7200, refresh_ahead=1.0)
    assert _found(keys, "rsa-1")
    issuer.custom_response = failing()
    clock.now = NOW + 3600
    while clock.now < NOW + 7199:
        assert _found(keys, "rsa-1")
        clock.pass_by(1)
    _refreshed(keys)
    tries = issuer.fetches()
    assert 10 <= tries <= 1 + 7 + 3600 / 60, "the pauses grow to a minute"
    clock.now = NOW + 7200
    for _ in range(20):
        with pytest.raises(ProviderUnreachable):
            keys.find("rsa-1", "RS256", fetch=True)
    assert issuer.fetches() <= tries + 4
    assert keys.held.generation == 1, "what was remembered no longer counts"
    issuer.custom_response = None
    clock.pass_by(61)
    assert _found(keys, "rsa-1"), "recovers automatically"


def test_a_first_fetch_is_tried_four_times_and_then_fails_fast(
    issuer: IssuerServer, make_keys: MakeKeys, clock: ManualClock
) -> None:
    keys = make_keys()
    issuer.custom_response = failing(500)
    for _ in range(50):
        with pytest.raises(ProviderUnreachable):
            keys.find("rsa-1", "RS256", fetch=True)
    assert issuer.fetches() == 4
    assert clock.now == pytest.approx(NOW + 0.1 + 0.2 + 0.4)


def test_a_first_fetch_that_fails_once_succeeds_on_the_next_try(issuer: IssuerServer, make_keys: MakeKeys) -> None:
    def once(request: BaseHTTPRequestHandler) -> None:
        issuer.custom_response = None
        failing(502)(request)

    issuer.custom_response = once
    assert _found(make_keys(), "rsa-1")
    assert issuer.fetches() == 2


def test_a_flood_of_unknown_kids_makes_a_bounded_number_of_fetches(
    issuer: IssuerServer, make_keys: MakeKeys, clock: ManualClock
) -> None:
    keys = make_keys()
    assert _found(keys, "rsa-1")
    assert not any(_found(keys, f"made-up-{number}") for number in range(2000))
    assert issuer.fetches() == 1 + 3
    clock.pass_by(30)
    assert not any(_found(keys, f"made-up-{number}") for number in range(2000))
    assert issuer.fetches() == 1 + 4
    assert _found(keys, "rsa-1"), "and the good key stays"
    # While the allowance is exhausted, no caller even waits in a thread that may fetch.
    assert not _found(keys, "made-up", fetch=False)


def test_a_flood_of_unknown_kids_while_the_issuer_is_down_makes_one_try(
    issuer: IssuerServer, make_keys: MakeKeys
) -> None:
    keys = make_keys()
    assert _found(keys, "rsa-1")
    issuer.custom_response = failing()
    assert not any(_found(keys, f"made-up-{number}") for number in range(500))
    assert issuer.fetches() == 1 + 1


def test_a_flood_from_many_threads_is_bounded_too(issuer: IssuerServer, make_keys: MakeKeys) -> None:
    keys = make_keys()
    assert _found(keys, "rsa-1")
    with ThreadPoolExecutor(50) as pool:
        assert not any(pool.map(lambda number: _found(keys, f"made-up-{number}"), range(1000)))
    assert issuer.fetches() <= 1 + 3


def test_fifty_concurrent_misses_make_one_fetch(issuer: IssuerServer, make_keys: MakeKeys) -> None:
    keys = make_keys()
    together = threading.Barrier(50)
    entered, held = threading.Event(), threading.Event()

    def slowly(request: BaseHTTPRequestHandler) -> None:
        entered.set()
        held.wait(10)
        send_json(request, issuer.jwks)

    def miss(_: int) -> bool:
        together.wait(10)
        return _found(keys, "rsa-1")

    issuer.custom_response = slowly
    with ThreadPoolExecutor(50) as pool:
        responses = pool.map(miss, range(50))
        assert entered.wait(10)
        held.set()
        assert all(responses)
    assert issuer.fetches() == 1


def test_fifty_concurrent_misses_of_a_dead_issuer_share_one_failure(issuer: IssuerServer, make_keys: MakeKeys) -> None:
    keys = make_keys(retries=0)
    issuer.custom_response = failing()

    def miss(_: int) -> type[Exception]:
        try:
            keys.find("rsa-1", "RS256", fetch=True)
        except ProviderUnreachable as error:
            return type(error)
        raise AssertionError("found a key that no issuer publishes")

    with ThreadPoolExecutor(50) as pool:
        assert set(pool.map(miss, range(50))) == {ProviderUnreachable}
    assert issuer.fetches() == 1


def test_a_fetch_that_ended_past_its_deadline_is_discarded(
    issuer: IssuerServer, make_keys: MakeKeys, clock: ManualClock
) -> None:
    keys = make_keys()

    def frozen(request: BaseHTTPRequestHandler) -> None:
        # To the cache, the exchange took an hour of the wall clock.
        issuer.custom_response = None
        clock.pass_by(3600)
        send_json(request, public_jwks("rsa-1"))

    issuer.custom_response = frozen
    with pytest.raises(ProviderTimeout):
        keys.find("rsa-1", "RS256", fetch=True)
    assert _found(keys, "rsa-1"), "and the next call fetches again"
    assert issuer.fetches() == 2


def test_a_refresh_stuck_past_its_deadline_is_not_waited_for(
    issuer: IssuerServer, make_keys: MakeKeys, clock: ManualClock
) -> None:
    keys = make_keys()
    assert _found(keys, "rsa-1")
    entered, held = threading.Event(), threading.Event()

    def stuck(request: BaseHTTPRequestHandler) -> None:
        entered.set()
        issuer.custom_response = None
        held.wait(10)
        send_json(request, public_jwks("rsa-stuck"))

    issuer.custom_response = stuck
    clock.pass_by(3000)
    assert _found(keys, "rsa-1")
    assert entered.wait(10)
    clock.pass_by(11)
    issuer.jwks = public_jwks("rsa-1", "rsa-2")
    assert not _found(keys, "rsa-2"), "past its deadline it has failed, and the next one waits its turn"
    clock.pass_by(2)
    assert _found(keys, "rsa-2"), "another fetch began in parallel with the stuck one"
    held.set()
    _refreshed(keys)
    assert _found(keys, "rsa-2", fetch=False), "and the stuck one's late response changed nothing"
    assert not _found(keys, "rsa-stuck")


@pytest.mark.parametrize(
    "jwks",
    [
        pytest.param({}, id="no-keys-member"),
        pytest.param({"keys": []}, id="empty"),
        pytest.param({"keys": "rsa-1"}, id="a-text"),
        pytest.param({"keys": [None, 1, "x", []]}, id="entries-that-are-not-keys"),
        pytest.param({"keys": [{"kty": "oct", "k": "AAAA", "kid": "rsa-1"}]}, id="a-shared-secret"),
        pytest.param({"keys": [{}] * 101}, id="too-many"),
    ],
)
def test_a_useless_key_set_never_replaces_a_good_one(
    jwks: dict[str, object], issuer: IssuerServer, make_keys: MakeKeys, clock: ManualClock
) -> None:
    keys = make_keys()
    assert _found(keys, "rsa-1")
    issuer.jwks = jwks
    clock.pass_by(3600)
    assert _found(keys, "rsa-1")
    _refreshed(keys)
    assert _found(keys, "rsa-1")
    assert keys.held.generation == 0


def _bundle(age: float = 0) -> Bundle:
    return Bundle(KeySet.parse(public_jwks("rsa-1")), NOW - age)


def test_a_bundled_key_set_needs_no_network(make_keys: MakeKeys, issuer: IssuerServer, clock: ManualClock) -> None:
    issuer.custom_response = failing()
    keys = make_keys(_bundle(age=80000))
    assert all(_found(keys, "rsa-1", fetch=fetch) for fetch in (False, True))
    assert issuer.fetches() == 0, "a cold start fetches nothing while the bundle is within its age cap"
    clock.pass_by(3601)
    assert _found(keys, "rsa-1"), "and an issuer that can't be reached changes nothing"
    assert issuer.fetches() > 0


def test_a_bundled_key_set_is_renewed_in_the_background(
    make_keys: MakeKeys, issuer: IssuerServer, clock: ManualClock
) -> None:
    keys = make_keys(_bundle(age=80000))
    assert _found(keys, "rsa-1")
    issuer.jwks = public_jwks("rsa-2")
    clock.pass_by(61)
    assert _found(keys, "rsa-1")
    _refreshed(keys)
    assert not _found(keys, "rsa-1")
    assert _found(keys, "rsa-2")


def test_a_bundle_past_the_age_cap_is_not_trusted(make_keys: MakeKeys, issuer: IssuerServer) -> None:
    issuer.jwks = public_jwks("rsa-2")
    keys = make_keys(_bundle(age=86400))
    assert not _found(keys, "rsa-1")
    assert _found(keys, "rsa-2")


def test_a_bundle_from_the_future_is_as_old_as_its_first_use(
    make_keys: MakeKeys, issuer: IssuerServer, clock: ManualClock
) -> None:
    issuer.custom_response = failing()
    keys = make_keys(_bundle(age=-1e9))
    assert _found(keys, "rsa-1")
    clock.pass_by(86400)
    with pytest.raises((ProviderUnreachable, TokenError)):
        keys.find("rsa-1", "RS256", fetch=True)
