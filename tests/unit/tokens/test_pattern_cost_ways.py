"""The bound on the ways in which an expression may be tried, for each kind of item that it may hold.

A repetition of 0 to 128 rounds has 129 ways when the next character may begin another round, and one otherwise.
"""

from __future__ import annotations

import pytest

from tenantgate.tokens.pattern_cost import ways

NONE, ONE_REPETITION, TWO_REPETITIONS = 1, 129, 129**2
# Fifteen rounds of two ways; more rounds don't count.
MANY_ROUNDS = 2**15


@pytest.mark.parametrize(
    ("expression", "bound"),
    [
        ("", NONE),
        ("a", NONE),
        ("a*b", NONE),
        ("a*a", ONE_REPETITION),
        ("a+a", 128),
        ("a?a", 2),
        ("a{2,5}a", 4),
        ("a{3}a", NONE),
        ("a*+a", ONE_REPETITION),
        ("a*?a", ONE_REPETITION),
        ("a*b*c", NONE),
        ("a*b*a", ONE_REPETITION),
        ("a*a*", ONE_REPETITION),
        ("a*a*a", TWO_REPETITIONS),
        ("(?:a*)?", NONE),
        ("(?:a*a)?", ONE_REPETITION),
        ("(?:a?a)?", 2),
        ("(?:a?){2}", 2**2),
        ("(?:a?){3}", 2**3),
        ("(?:a?)*", MANY_ROUNDS),
        ("(?:a*){2}b", 129**2),
        ("(?:(?=a))?a", NONE),
        ("(?:(?=a)){2}a", 2**2),
        (r"\x00*(?:a?){2}c", 2**2),
        (r"\x00*(?:a?){2}\x00", 129 * 2**2),
        ("(?:ab?)*c", NONE),
        ("(?:ab?)*b", MANY_ROUNDS),
        ("(?:a{2,3}){2,3}b", 2**3),
        ("(?:a|b)*", NONE),
        ("(?:a|a)", NONE),
        ("(?:a|a)*", MANY_ROUNDS),
        ("x(?:a|b|c)*d", NONE),
        ("x(?:a|b|c)*c", ONE_REPETITION),
        (r"(a)(?(1)b*|c)b", ONE_REPETITION),
        (r"(a*)\1", ONE_REPETITION),
        ("(?=a*a)b", ONE_REPETITION),
        ("(?!a*a)b", ONE_REPETITION),
        ("(?=a*)a", NONE),
        ("a*$a", ONE_REPETITION),
        (r"a*\b", NONE),
        ("(?>a*)a", ONE_REPETITION),
    ],
)
def test_repetitions_and_groups(expression: str, bound: int) -> None:
    assert ways(expression) == bound


@pytest.mark.parametrize(
    ("begins", "follows", "common"),
    [
        ("[a-c]", "c", True),
        ("[a-c]", "d", False),
        ("[^a]", "a", True),  # beyond ASCII, a negation may leave out anything
        ("[^a]", "b", True),
        ("[^a]", "é", True),
        ("[a-z]", "é", False),
        ("é", "ü", True),  # characters beyond ASCII count as one
        (r"[\x00-\x7f]", "ü", False),
        (r"[a-\xff]", r"\xff", True),
        (r"[a\x7f]", r"\x7f", True),
        (r"[a-\x80]", r"\x80", True),
        (r"[\x80-\xff]", "ü", True),
        (".", "a", True),
        (r"\d", "5", True),
        (r"\d", "x", False),
        (r"\D", "x", True),
        (r"\s", "x", False),
        (r"\s", " ", True),
        (r"\S", "a", True),
        (r"\w", "_", True),
        (r"\w", "-", False),
        (r"\W", "-", True),
        ("a", "A", False),
        ("[a-c]", "C", False),
    ],
)
def test_characters_in_common(begins: str, follows: str, common: bool) -> None:
    assert ways(f"{begins}*{follows}") == (ONE_REPETITION if common else NONE)


@pytest.mark.parametrize("expression", ["a*A", "[a-c]*C", "b*[A-C]", "ſ*s"])
def test_without_regard_to_case_both_cases_count(expression: str) -> None:
    assert ways(expression) == NONE
    assert ways(f"(?i:{expression})") == ONE_REPETITION
