"""Values as text for a page: printable and bounded.

A caller or a provider may have chosen a text: a control character or a bidirectional override could make the page show
something else.
"""

from __future__ import annotations

import json

LONGEST = 1000


def printable(value: object, *, longest: int = LONGEST) -> str:
    """Return the value in one line of at most `longest` characters: lists with commas, objects as JSON."""
    if isinstance(value, list | tuple):
        text = ", ".join(printable(item, longest=longest) for item in value[:longest])
    elif isinstance(value, str):
        text = value
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
    shown = "".join(character if character.isprintable() else " " for character in text[:longest])
    return shown + "…" if len(text) > longest else shown
