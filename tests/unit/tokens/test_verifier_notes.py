"""The verifier's log line for an issuer whose clock is ahead, and its error when only a fetch could find the key."""

from __future__ import annotations

import pytest

from tenantgate.errors.base import TenantgateError
from tenantgate.errors.tokens import IdTokenRefused, ProviderTimeout, UnknownKey
from tenantgate.identity.bearer import BearerCredential
from tenantgate.tokens.jwks import CachedIssuerKeys, JwksCache, Timings
from tenantgate.tokens.verifier import KeyFetchNeeded, TokenVerifier
from tests.fixtures.tokens.issuer import (
    ISSUER,
    NOW,
    ManualClock,
    good_claims,
    policy_of,
    public_jwks,
    sign,
    static_verifier,
)


class TestClockSkew:
    """An issuer whose clock is ahead is named in the log before its tokens begin to be refused."""

    @staticmethod
    def _noted(caplog: pytest.LogCaptureFixture, *ahead: float) -> list[dict[str, object]]:
        clock = ManualClock()
        verifier = static_verifier(clock=clock)
        with caplog.at_level("INFO", logger="tenantgate.tokens.verifier"):
            for number, seconds in enumerate(ahead):
                clock.now = NOW - seconds
                verifier.verify(sign(good_claims(iat=NOW, jti=str(number))))
        return [record.context for record in caplog.records if "clock" in record.message]  # type: ignore[attr-defined]

    def test_it_is_logged_with_the_issuer_and_the_seconds(self, caplog: pytest.LogCaptureFixture) -> None:
        assert self._noted(caplog, 30.25) == [{"issuer": ISSUER, "seconds": 30.2}]

    def test_it_is_logged_again_only_when_it_grew_by_a_second(self, caplog: pytest.LogCaptureFixture) -> None:
        noted = self._noted(caplog, 10, 10.5, 9, 11, 11.5, 59)
        assert [each["seconds"] for each in noted] == [10, 11.5, 59]

    def test_half_a_second_is_logged_and_then_the_next_whole_second(self, caplog: pytest.LogCaptureFixture) -> None:
        assert [each["seconds"] for each in self._noted(caplog, 0.5, 0.9, 1, 1.1)] == [0.5, 1.1]

    def test_a_clock_that_is_right_is_not_mentioned(self, caplog: pytest.LogCaptureFixture) -> None:
        assert self._noted(caplog, 0, -5) == []


@pytest.mark.parametrize("at", ["cold", "unknown-kid"])
def test_without_permission_to_fetch_the_verifier_raises_that_it_needs_one(at: str) -> None:
    clock, fetched = ManualClock(), []

    def load(_: float) -> dict[str, object]:
        fetched.append(clock.now)
        return public_jwks("rsa-1")

    keys = CachedIssuerKeys(ISSUER, load, timings=Timings(), clock=clock)
    verifier = TokenVerifier(policy_of(), JwksCache({ISSUER: keys}), clock=clock)
    credential = BearerCredential(verifier, policy_of())
    if at == "unknown-kid":
        verifier.verify(sign(good_claims()))
    before = len(fetched)
    token = sign(good_claims(), kid="rsa-1" if at == "cold" else "rsa-2")
    for attempt in (verifier.verify, credential.principal):
        with pytest.raises(KeyFetchNeeded) as needed:
            attempt(token, fetch=False)
        assert isinstance(needed.value.failure, ProviderTimeout if at == "cold" else UnknownKey)
    assert len(fetched) == before


@pytest.mark.parametrize(("at", "failure"), [("cold", ProviderTimeout), ("unknown-kid", IdTokenRefused)])
def test_an_id_token_that_needs_a_fetch_fails_as_an_id_token_or_with_the_providers_failure(
    at: str, failure: type[TenantgateError]
) -> None:
    clock = ManualClock()
    keys = CachedIssuerKeys(ISSUER, lambda _: public_jwks("rsa-1"), timings=Timings(), clock=clock)
    verifier = TokenVerifier(policy_of(), JwksCache({ISSUER: keys}), clock=clock)
    if at == "unknown-kid":
        verifier.verify(sign(good_claims()))
    token = sign(good_claims(aud="a-client"), kid="rsa-1" if at == "cold" else "rsa-2", typ="JWT")

    with pytest.raises(KeyFetchNeeded) as needed:
        verifier.verify_id_token(token, client_id="a-client", nonce=None, access_token=None, fetch=False)

    assert type(needed.value.failure) is failure
