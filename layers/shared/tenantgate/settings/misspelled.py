"""Names of variables that probably misspell a setting. Other programs use the same environment: they cause no note."""

from __future__ import annotations

from collections.abc import Collection, Iterable

# Common names of other programs resemble these: too short for a guess, or another part of the same family.
_NOT_SUGGESTED = frozenset({"PORT", "AWS_REGION"})
# A name without its last word is another program's unless it begins as ours do.
_OUR_BEGINNINGS = ("OIDC_", "JWT_", "JWKS_", "COOKIE_", "ROUTE_RULES")
_OMITTED_WORDS = ("_URL", "_ID", "_KEYS", "_FILE", "_NAME", "_SECONDS", "_MINUTES")
# One edit may make a short name out of another program's; two need a longer one.
_LONG = 14


def misspelling_notes(names: Iterable[str], known: Collection[str]) -> list[str]:
    """Return a note for each name that is close to one of `known` and isn't one."""
    pairs = [(name, setting) for name in sorted(names) if (setting := meant(name, known)) is not None]
    return [f"{name} is not a setting; did you mean {setting}?" for name, setting in pairs]


def meant(name: str, known: Collection[str]) -> str | None:
    """Return the setting whose name `name` probably misspells, or None."""
    if name in known or not 6 <= len(name) <= 40 or not name.isascii() or not name.replace("_", "").isalnum():
        return None
    folded = name.upper()
    if folded in known:
        return folded if folded not in _NOT_SUGGESTED else None
    if folded.startswith(_OUR_BEGINNINGS):
        complete = [folded + word for word in _OMITTED_WORDS if folded + word in known]
        if len(complete) == 1:
            return complete[0]
    begin, end, length = folded[:3], folded[-4:], len(folded)
    # A quick selection first, because a cold start compares every variable with every setting.
    alike = [
        setting for setting in known if -3 < len(setting) - length < 3 and (setting[:3] == begin or setting[-4:] == end)
    ]
    near = [
        (edits, setting)
        for setting in alike
        if setting not in _NOT_SUGGESTED and (edits := _edits(folded, setting)) <= (2 if len(setting) >= _LONG else 1)
    ]
    return min(near)[1] if near else None


def _edits(one: str, other: str) -> int:
    """Count insertions, deletions, substitutions and swaps of neighbours (the optimal string alignment distance)."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, left in enumerate(one, start=1):
        current = [row]
        for column, right in enumerate(other, start=1):
            cost = min(last[column] + 1, current[-1] + 1, last[column - 1] + (left != right))
            if row > 1 and column > 1 and left == other[column - 2] and one[row - 2] == right:
                cost = min(cost, before[column - 2] + 1)
            current.append(cost)
        before, last = last, current
    return last[-1]
