"""The reason of a denial in a few words: its code and its most important value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from tenantgate_cli.denials.values import as_text, duration, pattern_text

_LONGEST = 120


def in_brief(reason: str, context: Mapping[str, object]) -> str:
    """Return the reason code with its most important value in parentheses, as the request lines show it.

    `context` is that of the decision's log line.
    """
    detail = _DETAILS.get(reason, _no_detail)(context)
    if not detail:
        return reason
    return f"{reason} ({detail if len(detail) <= _LONGEST else f'{detail[:_LONGEST]}…'})"


def _no_detail(_context: Mapping[str, object]) -> str:
    return ""


def _expected(context: Mapping[str, object]) -> str:
    return as_text(context.get("expected"))


def _missing(context: Mapping[str, object]) -> str:
    """Return the expected members that the token lacks."""
    expected, actual = context.get("expected"), context.get("actual")
    if not isinstance(expected, list) or not isinstance(actual, list):
        return as_text(expected)
    return as_text([item for item in expected if item not in actual])


def _one_of(context: Mapping[str, object]) -> str:
    expected = context.get("expected")
    several = isinstance(expected, list) and len(expected) > 1
    return f"one of {as_text(expected)}" if several else as_text(expected)


def _instead(context: Mapping[str, object]) -> str:
    actual, expected = as_text(context.get("actual")), as_text(context.get("expected"))
    return f"{actual} instead of {expected}" if actual and expected else actual or expected


def _pattern(context: Mapping[str, object]) -> str:
    actual, pattern = as_text(context.get("actual")), pattern_text(_expected(context))
    return f"{actual} doesn't match {pattern}" if actual and pattern else actual


def _claim(context: Mapping[str, object]) -> str:
    return as_text(context.get("claim"))


def _claims(context: Mapping[str, object]) -> str:
    names = _expected(context)
    return f"none of {names}" if names else ""


def _ago(context: Mapping[str, object]) -> str:
    end, now = re.search(r"\d+", _expected(context)), context.get("actual")
    return f"{duration(now - int(end.group()))} ago" if end is not None and isinstance(now, int) else ""


def _age(context: Mapping[str, object]) -> str:
    age, limit = context.get("actual"), context.get("expected")
    if not isinstance(age, int) or not isinstance(limit, int):
        return ""
    return f"{duration(age)}, at most {duration(limit)}"


_DETAILS: Mapping[str, Callable[[Mapping[str, object]], str]] = {
    "algorithm_not_allowed": _instead,
    "cache_unavailable": lambda context: as_text(context.get("failure")),
    "cross_site_request": lambda context: as_text(context.get("actual")),
    "authentication_too_old": _age,
    "acr_too_weak": _one_of,
    "invalid_claim": _claim,
    "issuer_not_allowed": _instead,
    "missing_any_scope": _one_of,
    "missing_claim": _claim,
    "missing_role": _one_of,
    "missing_scope": _missing,
    "session_ended": lambda context: as_text(context.get("actual")),
    "tenant_malformed": _pattern,
    "tenant_missing": _claims,
    "tenant_not_allowed": lambda context: as_text(context.get("actual")),
    "token_expired": _ago,
    "wrong_audience": _instead,
    "wrong_issuer": _instead,
}
