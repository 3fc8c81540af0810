"""Decoding of escapes, one layer after another, with each character's position in the original text.

A URL-encoded or JSON-escaped secret is still the secret: the search covers every layer, and masks the original text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

# URL-encoded twice and once more inside JSON; no code of this product writes more layers.
_MOST_LAYERS = 3
_SINGLE = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_ENTITIES = {"&amp;": "&", "&quot;": '"', "&apos;": "'", "&lt;": "<", "&gt;": ">", "&#39;": "'", "&#34;": '"'}


class Layer:
    """A decoded text: `text[i]` is `starts[i]` to `ends[i]` of the original one."""

    __slots__ = ("ends", "starts", "text")

    def __init__(self, text: str, starts: Sequence[int], ends: Sequence[int]) -> None:
        self.text = text
        self.starts = starts
        self.ends = ends

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the original span of `text[start:end]`, which must not be empty."""
        return self.starts[start], self.ends[end - 1]


def layers(text: str) -> Iterator[Layer]:
    """Yield `text` itself, then with one, two and three layers of escapes decoded, while there are any."""
    layer = Layer(text, range(len(text)), range(1, len(text) + 1))
    yield layer
    for _ in range(_MOST_LAYERS):
        if not any(sign in layer.text for sign in "%\\&"):
            return
        inner = _without_escapes(layer)
        if inner is None:
            return
        layer = inner
        yield layer


def unescaped(text: str) -> list[str]:
    """Return the text in each of its layers, the original first."""
    if "%" in text or "\\" in text or "&" in text:
        return [layer.text for layer in layers(text)]
    return [text]


def _without_escapes(outer: Layer) -> Layer | None:
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    for found in _escaped().finditer(outer.text):
        run, begin, end = found[0], found.start(), found.end()
        parts.append(outer.text[at:begin])
        starts += outer.starts[at:begin]
        ends += outer.ends[at:begin]
        meant = _meant(run)
        parts.append(meant)
        if meant and len(run) % len(meant) == 0:
            width = len(run) // len(meant)
            starts += outer.starts[begin:end:width]
            ends += outer.ends[begin + width - 1 : end : width]
        else:
            # Several escapes are one character: its span is the whole run.
            starts += [outer.starts[begin]] * len(meant)
            ends += [outer.ends[end - 1]] * len(meant)
        at = end
    if at == 0:
        return None
    parts.append(outer.text[at:])
    starts += outer.starts[at:]
    ends += outer.ends[at:]
    return Layer("".join(parts), starts, ends)


def _meant(run: str) -> str:
    if run[0] == "%":
        return bytes.fromhex(run.replace("%", "")).decode("utf-8", "replace")
    if run[0] == "&":
        return _ENTITIES.get(run.lower(), "'")
    return _unescaped(run)


def _unescaped(run: str) -> str:
    kind = run[1]
    if kind == "x":
        # Either the bytes of a text, or its characters.
        written = bytes.fromhex(run.replace("\\x", ""))
        try:
            return written.decode()
        except UnicodeDecodeError:
            return written.decode("latin-1")
    if kind == "u":
        return bytes.fromhex(run.replace("\\u", "")).decode("utf-16-be", "replace")
    if kind == "U":
        number = int.from_bytes(bytes.fromhex(run[2:]))
        return chr(number) if number <= 0x10FFFF else "\ufffd"
    return _SINGLE.get(kind, kind)


@cache
def _escaped() -> re.Pattern[str]:
    return re.compile(
        r"(?:%[0-9A-Fa-f]{2})+|(?:\\u[0-9A-Fa-f]{4})+|(?:\\x[0-9A-Fa-f]{2})+|\\U[0-9A-Fa-f]{8}|\\[\"'\\/bfnrt]"
        r"|&(?:amp|quot|apos|lt|gt|#39|#34|#[xX]27);"
    )
