"""Expected and actual values of a finding as text."""

from __future__ import annotations

import re

from tenantgate.tokens.forms import PLACEHOLDERS


def as_text(value: object) -> str:
    """Return the value as text: empty for None, the members of a collection in order."""
    if value is None:
        return ""
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(sorted(map(str, value)))
    return str(value)


def duration(seconds: float) -> str:
    """Return `45 s`, `3 min`, `5 h` or `2 d`; at least two of a unit."""
    whole = int(seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if abs(whole) >= 2 * size:
            return f"{whole // size} {unit}"
    return f"{whole} s"


def pattern_text(expression: str) -> str:
    """Return a tenant pattern as `TENANT_ID_PATTERN` writes it, such as `org-{uuid}`."""
    text = expression
    for placeholder, meaning in PLACEHOLDERS.items():
        text = text.replace(meaning, placeholder)
    return re.sub(r"\\([^\w\s])", r"\1", text)
