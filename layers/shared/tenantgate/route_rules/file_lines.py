"""The lines of tables and keys in a TOML text. The standard library's parser reports lines only for syntax errors."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tenantgate.route_rules.file_checks import Place

_HEADER = re.compile(r"[ \t]*(\[\[?)\s*([^\]]+?)\s*\]\]?")
_KEY = re.compile(r"[ \t]*([A-Za-z0-9_-]+|\"[^\"\n]*\"|'[^'\n]*')\s*=")
# Tokens that end a value, or that may contain such characters: strings of four kinds, comments, brackets.
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"""|'
    r"'''.*?'''|"
    r'"(?:\\.|[^"\\\n])*"|'
    r"'[^'\n]*'|#[^\n]*|[\[\]{}]|\n",
    re.DOTALL,
)


def lines_of(text: str) -> dict[Place, int]:
    """Return the line of each table header and key in a valid TOML document, by its place in the parsed document.

    Lines count from 1. Tables and keys within inline tables have no entry.
    """
    lines: dict[Place, int] = {}
    table: Place = ()
    counts: dict[Place, int] = {}
    position = 0
    while position < len(text):
        line = text.count("\n", 0, position) + 1
        if (header := _HEADER.match(text, position)) is not None:
            names = [name.strip().strip("\"'") for name in header[2].split(".")]
            table = _entered(names, repeated=header[1] == "[[", counts=counts)
            lines[table] = line
            position = header.end()
        elif (key := _KEY.match(text, position)) is not None:
            lines[(*table, key[1].strip("\"'"))] = line
            position = key.end()
        position = _end_of_line(text, position)
    return lines


def line_of(lines: Mapping[Place, int], place: Place) -> int | None:
    """Return the line of `place`, or of the innermost table around it; None if neither has one."""
    while place:
        if place in lines:
            return lines[place]
        place = place[:-1]
    return None


def _entered(names: list[str], *, repeated: bool, counts: dict[Place, int]) -> Place:
    place: Place = ()
    for depth, name in enumerate(names):
        place = (*place, name)
        if depth == len(names) - 1 and repeated:
            counts[place] = counts.get(place, -1) + 1
        if place in counts:
            place = (*place, counts[place])
    return place


def _end_of_line(text: str, position: int) -> int:
    """The position after the line break that ends the value or header: the first outside brackets and strings."""
    depth = 0
    for token in _TOKEN.finditer(text, position):
        found = token[0]
        if found == "\n" and depth <= 0:
            return token.end()
        if found in "[{":
            depth += 1
        elif found in "]}":
            depth -= 1
    return len(text)
