"""The tokens that the clients of a session got, as its row has them."""

from __future__ import annotations

from typing import Any

import pytest

from tenantgate.identity.principal import Principal
from tenantgate.revoked.names import token_name
from tenantgate.sessions.ending.issued_tokens import MOST_TOKENS, IssuedToken, name_of, unexpired, with_token

ISSUER = "https://issuer.example"
NOW = 1_800_000_000.0
LEEWAY = 60


def principal(number: int = 1, *, expires_at: int = int(NOW) + 600, **claims: Any) -> Principal:
    return Principal("user-1", "org-1", ISSUER, frozenset(), expires_at, claims={"jti": f"id-{number}", **claims})


def issue(issued: tuple[bytes, ...], token: Principal, *, now: float = NOW) -> tuple[bytes, ...]:
    return with_token(issued, token, "a.b.c", now=now, leeway=LEEWAY)


def expected(number: int, expires_at: int) -> bytes:
    return token_name(ISSUER, f"id-{number}", "") + expires_at.to_bytes(4, "big")


def test_a_token_is_its_name_and_its_expiry() -> None:
    issued = issue(issue((), principal(1)), principal(2, expires_at=int(NOW) + 900))
    assert issued == (expected(1, int(NOW) + 600), expected(2, int(NOW) + 900))


def test_one_token_twice_is_held_once() -> None:
    assert issue(issue((), principal()), principal()) == issue((), principal())


@pytest.mark.parametrize(("age", "kept"), [(0, True), (659, True), (660, False), (10_000, False)])
def test_a_token_is_held_until_its_leeway_ends(age: int, kept: bool) -> None:
    issued = issue((), principal(1))
    again = issue(issued, principal(2, expires_at=int(NOW) + 20_000), now=NOW + age)
    assert (issued[0] in again) is kept
    assert len(again) == 1 + kept
    assert bool(unexpired(issued, now=NOW + age, leeway=LEEWAY)) is kept


@pytest.mark.parametrize("token_id", [None, ""])
def test_without_an_id_a_token_is_named_by_its_text(token_id: str | None) -> None:
    assert name_of(principal(jti=token_id), "a.b.c") == token_name(ISSUER, None, "a.b.c")


@pytest.mark.parametrize(("expires_at", "held"), [(2**40, 2**32 - 1), (2**32 - 1, 2**32 - 1)])
def test_an_expiry_beyond_four_bytes_is_held_as_the_latest(expires_at: int, held: int) -> None:
    assert issue((), principal(expires_at=expires_at)) == (expected(1, held),)


def test_more_tokens_than_are_held_leave_one_element_that_expires_with_the_last_of_them() -> None:
    issued: tuple[bytes, ...] = ()
    for number in range(MOST_TOKENS + 3):
        # The second one lives longest.
        issued = issue(issued, principal(number, expires_at=int(NOW) + (5000 if number == 1 else 1000)))
    assert len(issued) == MOST_TOKENS + 1
    assert issued[0] == bytes(16) + (int(NOW) + 5000).to_bytes(4, "big")
    assert [IssuedToken.unpacked(one).is_named for one in issued] == [False] + [True] * MOST_TOKENS
    assert issued[1] == expected(3, int(NOW) + 1000)
    later = issue(issued, principal(9999, expires_at=int(NOW) + 9000), now=NOW + 1060)
    assert later == (issued[0], expected(9999, int(NOW) + 9000)), "those that aren't held are alive"
    assert issue(later, principal(9999, expires_at=int(NOW) + 9000), now=NOW + 5060) == later[1:]
