"""Tenant id patterns that would keep the authorizer busy are refused at start-up, by the settings and by it."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantgate.authorizer.environment import InvalidEnvironment, verification_policy
from tenantgate.settings.errors import SettingsError
from tenantgate.settings.model import Settings
from tenantgate.tokens.pattern_cost import MOST_WAYS, ways
from tenantgate.tokens.policy import parse_tenant_id_pattern
from tests.fixtures.tokens.issuer import AUDIENCE, ISSUER

SLOW = [
    "^(a+)+$",
    "^(a*)*$",
    "^(a|a)*$",
    "^(a|aa)+$",
    "^(?:a|)*$",
    "^(a?){30}a{30}$",
    r"^(\w+\s?)*$",
    "^([a-z]+[0-9]*)+$",
    "^(x+x+)+y$",
    "^(?:(?:a{1,9}){1,9}){1,9}$",
    "^a*a*a*a*$",
    "^.*.*.*.*=.*$",
    "^(?=(a+)+b).*$",
    "^(?i:a|A|aa)+$",
    r"^(.)(?:\1|a)+$",
    "^(?>a+)+b$",
    "^(a*?)*?b$",
    "^" + "(" * 60 + "a" + "+)" * 60 + "$",
    "^" + "a?" * 40 + "a" * 40 + "$",
    "^" + "a" * 600 + "$",
]
QUICK = [
    "^org_[A-Za-z0-9]{16}$",
    "^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
    "^[a-z0-9]+(?:-[a-z0-9]+)*$",
    "^(?:[a-z0-9]+-)*[a-z0-9]+$",
    "^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$",
    r"^(?:org|team)-\d+$",
    "^(?!admin$)[a-z]+$",
    r"^[a-z]{3,63}(?:\.[a-z]{3,63}){0,3}$",
    r"^(\w)\1*$",
    "^(a|b)*c$",
    "^.+$",
    r"^\S+@\S+$",
    "^[^,]+,[^,]+$",
]


@pytest.mark.parametrize("pattern", SLOW, ids=range(len(SLOW)))
def test_a_pattern_that_backtracks_is_refused_without_being_tried(pattern: str) -> None:
    started = time.process_time()
    with pytest.raises(ValueError, match=r"a regular expression \^\.\.\.\$ of at most 512 characters"):
        parse_tenant_id_pattern(pattern)
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize("pattern", QUICK)
def test_a_pattern_that_the_next_character_settles_is_accepted(pattern: str) -> None:
    assert parse_tenant_id_pattern(pattern).flags & re.ASCII


@pytest.mark.parametrize(
    "pattern",
    [
        # Both branches take the same character of Unicode: each more of it doubles the time.
        pytest.param(r"^(?u:(?:\s|\x1cx?)+)!$", id="spaces"),
        pytest.param(r"^(?u:(?:\d|\u0663x?)+)!$", id="digits"),
        pytest.param(r"^org-(?:a|(?iu:\w))$", id="within-a-branch"),
        pytest.param(r"^(?=(?u:\w))a$", id="within-an-assertion"),
    ],
)
def test_classes_cannot_be_turned_back_into_unicode(pattern: str) -> None:
    with pytest.raises(ValueError, match="without the flag u"):
        parse_tenant_id_pattern(pattern)


@pytest.mark.parametrize(
    "pattern", ["^(a$", "^a{4294967296}$", "^*$", "^" + "(" * 400 + "a" + ")" * 399 + "$", r"^\8$"]
)
def test_an_invalid_regular_expression_is_rejected(pattern: str) -> None:
    with pytest.raises(ValueError, match="a regular expression"):
        parse_tenant_id_pattern(pattern)


def test_the_settings_and_the_authorizer_both_refuse_it() -> None:
    variables = {"TENANT_ID_PATTERN": "^(a+)+$", "OIDC_ISSUER_URL": ISSUER, "OIDC_AUDIENCE": AUDIENCE}
    with pytest.raises(InvalidEnvironment, match="TENANT_ID_PATTERN"):
        verification_policy(variables)
    with pytest.raises(SettingsError) as refusal:
        Settings.from_mapping({**variables, "ENVIRONMENT": "test", "OIDC_CLIENT_ID": "client-1"})
    assert list(refusal.value.problems) == ["TENANT_ID_PATTERN"]


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """`re` looks for signals while it matches."""

    def stop(number: int, frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_the_patterns_above_would_have_been_slow() -> None:
    slow = 0
    for pattern in SLOW[:4]:
        with pytest.raises(TimeoutError), _at_most(0.2):
            re.fullmatch(pattern, "a" * 127 + "!")
        slow += 1
    assert slow == 4


_ATOMS = st.sampled_from(["a", "b", "[ab]", ".", "-", "[^-]", "(?:ab|a)", "(?:a|b)", r"\w"])
_REPEATED = st.sampled_from(["", "", "*", "+", "?", "{0,3}", "{2}", "*?", "{1,40}"])


def _compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    sequence = st.lists(st.tuples(inner, _REPEATED).map("".join), min_size=1, max_size=4).map("".join)
    branches = st.lists(sequence, min_size=1, max_size=3).map("|".join)
    return branches.map("(?:{})".format)


@given(st.recursive(_ATOMS, _compound, max_leaves=8))
@settings(max_examples=400, deadline=None)
def test_no_accepted_pattern_is_slow_on_the_texts_that_slow_patterns_down(expression: str) -> None:
    if ways(expression) > MOST_WAYS:
        return
    pattern = re.compile(expression, re.ASCII)
    for text in ("a" * 127 + "!", "ab" * 63 + "!", "a-" * 63 + "!", "b" * 127 + "!", "-" * 128, "aab" * 42 + "\n"):
        with _at_most(1.0):
            pattern.fullmatch(text)


@pytest.mark.timed
def test_the_longest_way_that_is_accepted_takes_milliseconds() -> None:
    pattern = parse_tenant_id_pattern("^a*a*a*$")
    started = time.process_time()
    assert pattern.fullmatch("a" * 127 + "!") is None
    assert time.process_time() - started < 0.1
