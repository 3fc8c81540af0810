"""The times of a token at their limits (RFC 7519 §2, §4.1.4 to §4.1.6)."""

from __future__ import annotations

import math

import pytest

from tenantgate.errors.tokens import (
    InvalidClaim,
    IssuedInFuture,
    LifetimeTooLong,
    MissingClaim,
    NotYetValid,
    TokenExpired,
)
from tenantgate.tokens.claims import check_expiry, check_times

NOW = 1_800_000_000
LAST = 253402300799


def times(
    *, now: float = NOW, leeway: int = 60, longest: int | None = 3600, **claims: object
) -> tuple[int, int, float]:
    return check_times({"iat": NOW - 10, "exp": NOW + 600, **claims}, now, leeway, longest)


def test_the_times_are_whole_seconds_and_the_leeway_comes_off_the_beginning() -> None:
    assert times() == (NOW - 10, NOW + 600, NOW - 70)
    assert times(iat=NOW - 10.5, exp=NOW + 600.5) == (NOW - 11, NOW + 600, NOW - 70.5)
    assert times(nbf=NOW - 5) == (NOW - 10, NOW + 600, NOW - 65)
    assert times(nbf=NOW - 20) == (NOW - 10, NOW + 600, NOW - 70)
    assert times(nbf=NOW - 5.5) == (NOW - 10, NOW + 600, NOW - 65.5)
    assert times(nbf=None) == times()


@pytest.mark.parametrize("value", [LAST, float(LAST)])
def test_the_last_second_of_the_year_9999_is_a_time(value: float) -> None:
    assert times(exp=value, longest=None)[1] == LAST
    assert times(now=LAST, iat=value - 1, exp=value, nbf=value - 1)[1] == LAST
    assert times(now=LAST, nbf=value, iat=LAST - 10, exp=value)[1] == LAST


@pytest.mark.parametrize("value", [0, 0.0])
def test_the_first_second_of_1970_is_a_time(value: float) -> None:
    assert times(iat=value, longest=None)[0] == 0
    assert times(nbf=value)[2] == NOW - 70


@pytest.mark.parametrize("name", ["iat", "exp", "nbf"])
@pytest.mark.parametrize(
    "value",
    [-1, -0.5, LAST + 1, LAST + 0.5, True, False, "1800000000", [], {}, math.nan, math.inf, -math.inf, 10**400],
    ids=str,
)
def test_anything_else_is_not_a_time(name: str, value: object) -> None:
    with pytest.raises(InvalidClaim) as refused:
        times(**{name: value})  # type: ignore[arg-type]
    assert refused.value.private["claim"] == name


@pytest.mark.parametrize("name", ["iat", "exp"])
def test_both_ends_are_required(name: str) -> None:
    with pytest.raises(MissingClaim) as refused:
        times(**{name: None})  # type: ignore[arg-type]
    assert refused.value.private["claim"] == name


@pytest.mark.parametrize("second", [0, 0.5])
def test_a_token_may_come_from_a_clock_that_is_ahead_by_the_leeway(second: float) -> None:
    assert times(iat=NOW + 60, nbf=NOW + 60)
    assert times(now=NOW + second, iat=NOW + 60 + second)
    with pytest.raises(IssuedInFuture):
        times(iat=NOW + 60 + 0.5 + second)
    with pytest.raises(NotYetValid):
        times(nbf=NOW + 60 + 0.5 + second)


def test_a_token_ends_after_it_begins() -> None:
    assert times(iat=NOW, exp=NOW + 1)
    for expires_at in (NOW, NOW - 1):
        with pytest.raises(InvalidClaim, match="not after"):
            times(iat=NOW, exp=expires_at)


def test_a_token_lives_for_at_most_the_longest_time() -> None:
    assert times(iat=NOW, exp=NOW + 3600)
    assert times(iat=NOW, exp=NOW + 3601, longest=None)
    for expires_at in (NOW + 3601, NOW + 3600.5):
        with pytest.raises(LifetimeTooLong):
            times(iat=NOW, exp=expires_at)


def test_a_token_expires_at_its_end_and_the_leeway() -> None:
    check_expiry(NOW, NOW + 59.999, 60)
    for now in (NOW + 60, NOW + 61):
        with pytest.raises(TokenExpired):
            check_expiry(NOW, now, 60)
