"""Mutations of the token's text: base64, segments, characters, spliced tokens. Nothing is signed again."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

from fuzz.building import Base, Bases, Case, pick
from fuzz.mutate_json import flip_bytes

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_VALUE = {char: value for value, char in enumerate(_ALPHABET)}
_BLANKS = (" ", "\n", "\r\n", "\t", "\u00a0", "\u200b", "\x00", "%20", "+", "=", "\ufeff", "\x85")


def _padded(rng: Random, text: str) -> str:
    return text + "=" * pick(rng, (1, 2, 3, -len(text) % 4))


def _loosened(rng: Random, text: str) -> str:
    """Return another spelling of the same bytes: unused bits of the last character set (RFC 4648 §3.5)."""
    if not text or len(text) % 4 == 0 or text[-1] not in _VALUE:
        return text + "A"
    bits = 1 + int(rng.random() * (15 if len(text) % 4 == 2 else 3))
    return text[:-1] + _ALPHABET[_VALUE[text[-1]] ^ bits]


def _standard_alphabet(rng: Random, text: str) -> str:
    return text.replace("-", "+").replace("_", "/")


def _blank(rng: Random, text: str) -> str:
    spot = int(rng.random() * (len(text) + 1))
    return text[:spot] + pick(rng, _BLANKS) + text[spot:]


def _character(rng: Random, text: str) -> str:
    spot, draw = int(rng.random() * (len(text) + 1)), rng.random()
    if draw < 0.5:
        return text[:spot] + pick(rng, list(_ALPHABET)) + text[spot + 1 :]
    if draw < 0.7:
        return text[:spot] + text[spot + 1 + int(rng.random() ** 3 * 8) :]
    if draw < 0.9:
        return text[:spot] + pick(rng, list(_ALPHABET)) + text[spot:]
    return text[:spot] + chr(int(rng.random() ** 2 * 0x3000)) + text[spot:]


def _lookalike(rng: Random, text: str) -> str:
    spot = int(rng.random() * len(text)) if text else 0
    # Full-width forms, which a normalizing parser would read as the letter itself.
    return text[:spot] + "".join(chr(ord(char) + 0xFEE0) for char in text[spot : spot + 1]) + text[spot + 1 :]


_BASE64_EDITS: tuple[Callable[[Random, str], str], ...] = (
    _padded,
    _loosened,
    _standard_alphabet,
    _blank,
    _character,
    _character,
    _lookalike,
)


def base64_text(rng: Random, base: Base) -> Case:
    """Write one or more segments in another spelling or with invalid characters."""
    segments = base.segments
    for _ in range(1 + int(rng.random() ** 3 * 3)):
        spot = int(rng.random() * 3)
        segments[spot] = pick(rng, _BASE64_EDITS)(rng, segments[spot])
    return Case(".".join(segments))


def _rearranged(rng: Random, header: str, payload: str, signature: str) -> str:
    parts = (header, payload, signature)
    forms: tuple[Callable[[], str], ...] = (
        lambda: ".".join(rng.sample(parts, 3)),
        lambda: ".".join(rng.choices(parts, k=1 + int(rng.random() * 6))),
        lambda: ".".join(part for part in parts if rng.random() < 0.6),
        lambda: ".".join(part if rng.random() < 0.6 else "" for part in parts),
        lambda: pick(rng, ("", ".", "..", "...", "....")).join(parts),
        lambda: f".{header}.{payload}.{signature}",
        lambda: f"{header}.{payload}.{signature}.",
        lambda: f"{header}.{payload}.{signature}.{signature}.{header}",
        lambda: json.dumps({"payload": payload, "protected": header, "signature": signature}),
        lambda: json.dumps({"payload": payload, "signatures": [{"protected": header, "signature": signature}]}),
        lambda: f"Bearer {header}.{payload}.{signature}",
        lambda: f'"{header}.{payload}.{signature}"',
        lambda: f"{header}.{payload}.{signature}{pick(rng, _BLANKS)}",
        lambda: f"{pick(rng, _BLANKS)}{header}.{payload}.{signature}",
        lambda: f"{header}.{payload}.{signature},{header}.{payload}.{signature}",
        lambda: f"{header}{pick(rng, list(',;:/|~'))}{payload}.{signature}",
        lambda: f"{header}.{payload * pick(rng, (2, 3, 50))}.{signature}",
        lambda: f"{header}.{payload}.{signature * pick(rng, (2, 50))}",
    )
    return pick(rng, forms)()


def segments(rng: Random, base: Base) -> Case:
    """Drop, double, reorder, empty or add segments, or use another serialization."""
    return Case(_rearranged(rng, *base.segments))


def characters(rng: Random, base: Base) -> Case:
    """Change bytes anywhere in the text."""
    return Case(flip_bytes(rng, base.token.encode()).decode("latin-1"))


class Splicer:
    """Combines segments of several valid tokens."""

    def __init__(self, bases: Bases) -> None:
        self._bases = bases

    def __call__(self, rng: Random, base: Base) -> Case:
        other, third = self._bases.any_of(rng), self._bases.any_of(rng)
        choices = (base.segments, other.segments, third.segments)
        token = ".".join(pick(rng, choices)[spot] for spot in range(3))
        # Header and payload may come from the same token.
        return Case(
            token, next((one.token.rpartition(".")[0] for one in (other, third) if _same_input(one, token)), None)
        )


def _same_input(base: Base, token: str) -> bool:
    return token.rpartition(".")[0] == base.token.rpartition(".")[0]
