"""A bound on the backtracking of a regular expression, computed from its structure and not measured.

The operator writes the pattern, but the text that it is matched with comes from a token. A choice is expensive only if
the next character doesn't settle it: `[a-z]+-` must stop at the `-`, while `[a-z]+[a-z]` may stop anywhere. Successive
choices multiply. A choice within a repetition is made again and again, which exceeds any bound: `(a+)+`, `(a|a)*`,
`(a?){30}`.
"""

from __future__ import annotations

import re
from re import _constants as op  # type: ignore[attr-defined]  # the tree that `re` itself compiles
from re import _parser  # type: ignore[attr-defined]
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_LONGEST = 128
# Two open ends of repetitions, over the longest tenant id: a few milliseconds.
MOST_WAYS = (_LONGEST + 1) ** 2

# A set of characters is a number: one bit for each ASCII character, and one for all others.
_OTHERS = 1 << 128
_ALL = (_OTHERS << 1) - 1


def _bits(characters: Iterable[int]) -> int:
    found = 0
    for character in characters:
        found |= 1 << character if character < 128 else _OTHERS
    return found


_DIGITS = _bits(b"0123456789")
_SPACES = _bits(b" \t\n\r\f\v")
_WORD = _bits(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_CATEGORIES = {
    op.CATEGORY_DIGIT: _DIGITS,
    op.CATEGORY_NOT_DIGIT: _ALL & ~_DIGITS,
    op.CATEGORY_SPACE: _SPACES,
    op.CATEGORY_NOT_SPACE: _ALL & ~_SPACES,
    op.CATEGORY_WORD: _WORD,
    op.CATEGORY_NOT_WORD: _ALL & ~_WORD,
}
_REPEATS = frozenset({op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT})


def ways(expression: str) -> int:
    """Return an upper bound of the ways in which `fullmatch` may try this expression on a text of 128 characters.

    Raises `re.error`, `OverflowError` or `RecursionError` for an expression that `re` can't read, and `ValueError` for
    one that turns ASCII off (`(?u:...)`), because the characters of its classes aren't known here.
    """
    fold = re.search(r"\(\?[a-z]*i", expression) is not None
    return _ways(_parser.parse(expression, re.ASCII), 0, fold)


def _ways(items: Any, after: int, fold: bool) -> int:
    """Return the ways of these items if characters of `after` may follow; 0 is the end."""
    found = 1
    for kind, value in reversed(items):
        if kind in _REPEATS:
            low, high, body = value
            found *= _repeat_ways(int(low), min(int(high), _LONGEST), body, after, fold=fold)
        elif kind is op.BRANCH:
            found *= _branch_ways(value[1], after, fold)
        else:
            for part in _parts(kind, value):
                found *= _ways(part, 0 if kind in (op.ASSERT, op.ASSERT_NOT) else after, fold)
        if found > MOST_WAYS:
            return found
        after = _first_of(kind, value, after, fold)
    return found


def _repeat_ways(low: int, high: int, body: Any, after: int, *, fold: bool) -> int:
    begins = _first(body, 0, fold)
    inner = _ways(body, after | begins if high > 1 else after, fold)
    if high > 1 and body.getwidth()[0] == 0:
        # A round that matches nothing could be anywhere between the others.
        inner = max(inner, 2)
    stops = high - low + 1 if begins & after else 1
    # Fifteen rounds of two ways are too many already, and the number itself must not grow with the nesting.
    rounds = min(max(high, 1), 15)
    all_rounds: int = min(inner, MOST_WAYS + 1) ** rounds
    return all_rounds * max(stops, 1)


def _branch_ways(branches: Any, after: int, fold: bool) -> int:
    each = [_ways(branch, after, fold) for branch in branches]
    taken = 0
    for branch in branches:
        begins = _first(branch, after, fold)
        if begins & taken:
            return sum(each)
        taken |= begins
    return max(each)


def _parts(kind: Any, value: Any) -> list[Any]:
    """Return the expressions within an item that is neither a repetition nor an alternative."""
    if kind is op.SUBPATTERN:
        _, added_flags, _, body = value
        if added_flags & re.UNICODE:
            raise ValueError("a regular expression ^...$ without the flag u: its classes mean ASCII")
        return [body]
    if kind is op.ATOMIC_GROUP:
        return [value]
    if kind in (op.ASSERT, op.ASSERT_NOT):
        return [value[1]]
    if kind is op.GROUPREF_EXISTS:
        return [part for part in value[1:] if part is not None]
    return []


def _first(items: Any, after: int, fold: bool) -> int:
    """Return the characters that these items may begin with, including those of `after` if the items may be empty."""
    for kind, value in reversed(items):
        after = _first_of(kind, value, after, fold)
    return after


def _first_of(kind: Any, value: Any, after: int, fold: bool) -> int:
    if kind in _REPEATS:
        low, _, body = value
        begins = _first(body, 0, fold)
        return begins | after if low == 0 or body.getwidth()[0] == 0 else begins
    if kind is op.BRANCH:
        return _united(_first(branch, after, fold) for branch in value[1])
    if kind in (op.AT, op.ASSERT, op.ASSERT_NOT):
        return after
    if kind is op.GROUPREF_EXISTS:
        return _united([after, *(_first(part, after, fold) for part in _parts(kind, value))])
    parts = _parts(kind, value)
    return _first(parts[0], after, fold) if parts else _characters(kind, value, fold)


def _united(sets: Iterable[int]) -> int:
    found = 0
    for each in sets:
        found |= each
    return found


def _characters(kind: Any, value: Any, fold: bool) -> int:
    if kind is op.LITERAL:
        cases = (value, *map(ord, chr(value).swapcase())) if fold else (value,)
        return _bits(cases)
    if kind is op.RANGE:
        low, high = value
        ascii_part = range(low, min(high, 127) + 1)
        found = _bits(ascii_part) | (_OTHERS if high > 127 else 0)
        return found | _bits(ord(chr(character).swapcase()) for character in ascii_part) if fold else found
    if kind is op.CATEGORY:
        return _CATEGORIES.get(value, _ALL)
    if kind is op.IN:
        negated = value[0][0] is op.NEGATE
        found = _united(_characters(inner, of, fold) for inner, of in value[negated:])
        # A negation excludes only some of the characters outside ASCII.
        return (_ALL & ~found) | _OTHERS if negated else found
    # A dot, a reference to a group, or an operator of a later `re`: any character.
    return _ALL
