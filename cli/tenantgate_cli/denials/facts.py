"""The facts about a denial for people: cause, rule, expected and actual values, remedy, code."""

from __future__ import annotations

from collections.abc import Mapping

from tenantgate_cli.denials.reasons import REASONS
from tenantgate_cli.denials.values import as_text, pattern_text

_NOTHING = "none"
_ABSENT = (None, "")


def facts_of(reason: str, context: Mapping[str, object]) -> dict[str, str]:
    """Return the facts in their order by name: `cause`, `finding`, `claim`, `rule`, `expected`, `actual`, `remedy`.

    `context` is that of the decision's log line, with any of the members finding, claim, rule, expected and actual.
    """
    words = REASONS.get(reason)
    facts = {"cause": words.words if words is not None else ""}
    facts |= {name: as_text(context.get(name)) for name in ("finding", "claim", "rule")}
    expected, actual = shown_expected(reason, context.get("expected")), context.get("actual")
    if expected not in _ABSENT:
        facts["expected"] = _labelled(words.expected if words is not None else "", expected)
    # Compared with an expected value, an absent one is a value too.
    if expected not in _ABSENT or actual not in _ABSENT:
        facts["actual"] = _labelled(words.actual if words is not None else "", actual)
    facts["remedy"] = words.remedy if words is not None else ""
    return {name: text for name, text in facts.items() if text}


def shown_expected(reason: str, expected: object) -> object:
    """Return the expected value as the settings write it."""
    return pattern_text(expected) if reason == "tenant_malformed" and isinstance(expected, str) else expected


def _labelled(label: str, value: object) -> str:
    text = as_text(value) or _NOTHING
    return f"{label}: {text}" if label else text
