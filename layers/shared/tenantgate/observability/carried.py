"""The current request's secrets: credentials, cookies, query values and body. No log line may contain them.

The search is verbatim, in each layer of escapes (`escapes.py`), and in base64 and base64url at any alignment. Values of
fewer than six characters are not masked: they would mask ordinary words everywhere.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextvars import ContextVar
from functools import cache, cached_property
from typing import NamedTuple, Self

from tenantgate.context import current_request
from tenantgate.observability.carried_values import SHORTEST, carried_values

# Longest piece of a value in the search: limits its cost, and finds values that were cut.
_PIECE = 32
# Marks of a text that another program cut.
_CUTS = ("...", "…")
_MOST_CUTS = 20


class _Index(NamedTuple):
    """Pieces to search for, their first characters, and their lengths in descending order."""

    pieces: AbstractSet[str]
    beginnings: AbstractSet[str]
    lengths: list[int]

    @classmethod
    def of(cls, found: Iterable[str]) -> Self:
        pieces = set(found)
        return cls(pieces, {piece[:SHORTEST] for piece in pieces}, sorted(set(map(len, pieces)), reverse=True))

    def found(self, plain: str) -> Iterator[tuple[int, int]]:
        pieces, beginnings, lengths = self
        for at in range(len(plain) - SHORTEST + 1):
            if plain[at : at + SHORTEST] in beginnings:
                for length in lengths:
                    piece = plain[at : at + length]
                    if piece in pieces:
                        yield at, at + len(piece)
                        break


class CarriedSecrets:
    """One request's secrets, computed when the first log line needs them."""

    def __init__(
        self,
        headers: Iterable[tuple[bytes, bytes]],
        query: bytes,
        *,
        public: Callable[[str], bool] = lambda text: False,
        event: Mapping[str, object] | None = None,
    ) -> None:
        """Keep the request's parts.

        `public` tells whether a whole text, such as a path, is the application's own. `event` is an authorizer's event.
        """
        self._public = public
        self._disclosed: frozenset[str] = frozenset()
        self._headers = headers
        self._query = query
        self._event = event
        self._body = bytearray()

    def add_body(self, chunk: bytes) -> None:
        self._body += chunk
        for cached in ("_all_forms", "_index", "_short", "_sorted"):
            self.__dict__.pop(cached, None)

    def disclose(self, text: str) -> None:
        """Allow this whole text in log lines, although the caller sent it."""
        self._disclosed |= {text}

    def public(self, text: str) -> bool:
        """Tell whether the whole text may be logged with respect to the request's secrets."""
        return text in self._disclosed or self._public(text)

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Find them in `text`."""
        cuts = _cuts(text)
        # A short text contains no piece of a longer value, and most values are tokens.
        index = self._index if cuts or len(text) >= _PIECE else self._short
        if not index.pieces:
            return
        plain = _normalized(text)
        yield from index.found(plain)
        for cut in cuts:
            yield from self._beginning_before(plain, cut)
        for run in _base64_runs().finditer(text):
            standard = run[0].replace("-", "+").replace("_", "/")
            readings = [_read_base64(standard, shift) for shift in range(4)]
            # All at once first: nearly always there is no match.
            if not any(True for _ in index.found("\0".join(readings))):
                continue
            for shift, reading in enumerate(readings):
                for start, end in index.found(reading):
                    first = run.start() + shift + start * 4 // 3
                    yield first, min(run.end(), run.start() + shift + (end * 4 + 2) // 3)

    def _beginning_before(self, plain: str, cut: int) -> Iterator[tuple[int, int]]:
        """Find the beginning of a value that another program cut at `cut`."""
        beginnings = self._index.beginnings
        for start in range(max(0, cut - _PIECE + 1), cut - SHORTEST + 1):
            if plain[start : start + SHORTEST] in beginnings:
                beginning = plain[start:cut]
                next_one = bisect_left(self._sorted, beginning)
                if next_one < len(self._sorted) and self._sorted[next_one].startswith(beginning):
                    yield start, cut
                    return

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self._index.pieces)

    @cached_property
    def _index(self) -> _Index:
        return _Index.of(piece for form in self._all_forms for piece in _pieces(form))

    @cached_property
    def _short(self) -> _Index:
        return _Index.of(form for form in self._all_forms if len(form) < _PIECE)

    @cached_property
    def _all_forms(self) -> list[str]:
        values = carried_values(self._headers, self._query, bytes(self._body), self._event)
        known = {item for value in values for item in (value, value.strip(" \"'")) if len(item) >= SHORTEST}
        return [form for value in known for form in _forms(value)]


_carried: ContextVar[CarriedSecrets | None] = ContextVar("tenantgate_carried_secrets")


def carry_secrets(secrets: CarriedSecrets | None) -> None:
    """Mask `secrets` in every log line of this task or invocation."""
    _carried.set(secrets)


def carried_secrets() -> CarriedSecrets | None:
    """Return the current request's secrets; None outside a request."""
    if (carried := _carried.get(None)) is not None:
        return carried
    request = current_request()
    if isinstance(request.carried, Mapping):
        # An authorizer's event, read only now: most requests are allowed and write no line.
        request.carried = CarriedSecrets((), b"", event=request.carried)
    return request.carried if isinstance(request.carried, CarriedSecrets) else None


def _normalized(text: str) -> str:
    # Equates form encoding's blank and base64's two alphabets; every character keeps its position.
    return text.replace("+", " ").replace("-", " ").replace("_", "/")


@cache
def _base64_runs() -> re.Pattern[str]:
    return re.compile(r"[A-Za-z0-9+/_-]{8,}+")


def _read_base64(standard: str, shift: int) -> str:
    """Decode from the character at `shift` on; one character per byte: four of base64 become three."""
    part = standard[shift : len(standard) - ((len(standard) - shift) % 4 == 1)]
    return _normalized(a2b_base64(part + "==").decode("latin-1"))


def _cuts(text: str) -> list[int]:
    found: list[int] = []
    for sign in _CUTS:
        at = text.find(sign)
        while at >= 0 and len(found) < _MOST_CUTS:
            found.append(at)
            at = text.find(sign, at + len(sign))
    return found


def _forms(value: str) -> Iterator[str]:
    yield _normalized(value)
    if not value.isascii():
        # As base64 encodes it.
        yield _normalized(value.encode("utf-8", "replace").decode("latin-1"))


def _pieces(form: str) -> Iterator[str]:
    if len(form) <= _PIECE:
        yield form
        return
    for at in range(0, len(form) - _PIECE + 1, _PIECE):
        yield form[at : at + _PIECE]
    yield form[-_PIECE:]
