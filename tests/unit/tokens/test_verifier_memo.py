"""The memo of verified tokens: two generations, bounded by number and length, and the moments without its use."""

from __future__ import annotations

import pytest

from tenantgate.tokens.keys import HeldKeys, KeySet
from tenantgate.tokens.verifier import MEMO_SIZE, TokenVerifier
from tests.fixtures.tokens.issuer import NOW, ManualClock, good_claims, policy_of, public_jwks, sign


class CountedKeys:
    """One issuer's keys, with the number of searches: a token that is remembered causes none."""

    def __init__(self) -> None:
        self.held = HeldKeys(KeySet.parse(public_jwks()), 0, NOW + 1e6, NOW + 1e6, NOW + 1e6)
        self.searches = 0

    def of(self, issuer: str) -> CountedKeys:
        return self

    def find(self, kid: str | None, alg: str, *, fetch: bool) -> tuple[object, int]:
        self.searches += 1
        return self.held.keys.find(kid, alg), self.held.generation


@pytest.fixture
def keys() -> CountedKeys:
    return CountedKeys()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def verifier(keys: CountedKeys, clock: ManualClock) -> TokenVerifier:
    return TokenVerifier(policy_of(), keys, clock=clock)  # type: ignore[arg-type]


def token(number: int, length: int = 0) -> str:
    return sign(good_claims(jti=str(number), pad="x" * length), "EdDSA")


def test_a_token_is_remembered_for_a_generation_after_its_own(verifier: TokenVerifier, keys: CountedKeys) -> None:
    first = token(0)
    verifier.verify(first)
    for number in range(1, MEMO_SIZE + 1):
        verifier.verify(token(number))
    assert (len(verifier._memo), len(verifier._older_memo)) == (1, MEMO_SIZE)
    searches = keys.searches
    verifier.verify(first)
    assert keys.searches == searches
    for number in range(MEMO_SIZE + 1, 2 * MEMO_SIZE + 1):
        verifier.verify(token(number))
    searches = keys.searches
    verifier.verify(first)
    assert keys.searches == searches + 1


def test_a_generation_holds_524288_characters(verifier: TokenVerifier) -> None:
    tokens = [token(number, 9000) for number in range(60)]
    fit = next(count for count in range(60) if sum(map(len, tokens[: count + 1])) > 524_288)
    for each in tokens[:fit]:
        verifier.verify(each)
    assert (len(verifier._memo), len(verifier._older_memo)) == (fit, 0)
    verifier.verify(tokens[fit])
    assert (len(verifier._memo), len(verifier._older_memo)) == (1, fit)
    # The room of the new generation counts from its first token.
    for each in tokens[fit + 1 :]:
        verifier.verify(each)
    assert len(verifier._memo) == min(fit, 60 - fit)


def test_a_generation_may_be_filled_to_the_last_character(
    verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = [token(1), token(2)]
    for room, generations in ((sum(map(len, two)), (2, 0)), (sum(map(len, two)) - 1, (1, 1))):
        verifier._memo, verifier._older_memo, verifier._memo_room = {}, {}, room
        for each in two:
            verifier.verify(each)
        assert (len(verifier._memo), len(verifier._older_memo)) == generations


@pytest.mark.parametrize(
    ("at", "remembered"),
    [(NOW - 70, True), (NOW - 70.5, False), (NOW + 659.5, True)],
    ids=["from-its-beginning", "not-before", "to-its-end"],
)
def test_a_remembered_token_counts_from_its_beginning_to_its_end(
    verifier: TokenVerifier, keys: CountedKeys, clock: ManualClock, at: float, remembered: bool
) -> None:
    first = sign(good_claims(iat=NOW - 10, exp=NOW + 600))
    verifier.verify(first)
    clock.now = at
    if remembered:
        verifier.verify(first)
        assert keys.searches == 1
        return
    with pytest.raises(Exception, match="future"):
        verifier.verify(first)


def test_a_remembered_token_does_not_outlive_a_withdrawn_key_or_the_moment_when_keys_are_due(
    verifier: TokenVerifier, keys: CountedKeys, clock: ManualClock
) -> None:
    first = token(0)
    verifier.verify(first)
    held = keys.held
    keys.held = HeldKeys(held.keys, 1, held.tend_at, held.stale_at, held.dropped_at)
    verifier.verify(first)
    assert keys.searches == 2
    keys.held = HeldKeys(held.keys, 1, NOW + 5, held.stale_at, held.dropped_at)
    clock.now = NOW + 4.5
    verifier.verify(first)
    assert keys.searches == 2
    clock.now = NOW + 5
    verifier.verify(first)
    assert keys.searches == 3
