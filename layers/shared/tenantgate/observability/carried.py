"""What the current request carries that no log may repeat: its credentials, cookies, query values and body.

They are looked for verbatim, in each layer of escapes (`escapes.py`), and in base64 and base64url at any alignment.
A value of fewer than six characters would mask ordinary words all over a line, and stays.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from functools import cached_property

from tenantgate.context import current_request
from tenantgate.observability.carried_values import SHORTEST, carried_values

# A value is looked for in pieces of at most this length: it bounds what looking costs, and finds a value that was cut.
_PIECE = 32
# What somebody else puts where they cut a text.
_CUTS = ("...", "…")
_MOST_CUTS = 20


class CarriedSecrets:
    """One request's secrets; worked out when the first line is written that could repeat them."""

    def __init__(
        self,
        headers: Iterable[tuple[bytes, bytes]],
        query: bytes,
        *,
        public: Callable[[str], bool] = lambda text: False,
        event: Mapping[str, object] | None = None,
    ) -> None:
        """`public`: whether a whole text, such as a path, is one of the application's own. `event`: an authorizer's."""
        self._public = public
        self._disclosed: frozenset[str] = frozenset()
        self._headers = headers
        self._query = query
        self._event = event
        self._body = bytearray()

    def add_body(self, chunk: bytes) -> None:
        self._body += chunk
        self.__dict__.pop("_index", None)
        self.__dict__.pop("_sorted", None)

    def disclose(self, text: str) -> None:
        """Let lines repeat this whole text, though the caller sent it."""
        self._disclosed |= {text}

    def public(self, text: str) -> bool:
        """Whether the whole text may be repeated, as far as the request's own secrets go."""
        return text in self._disclosed or self._public(text)

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where `text` repeats them."""
        lengths = self._index[1]
        if not lengths:
            return
        plain = _alike(text)
        yield from self._found(plain)
        for cut in _cuts(text):
            yield from self._beginning_before(plain, cut)
        for run in re.finditer(r"[A-Za-z0-9+/_-]{8,}+", text):
            standard = run[0].replace("-", "+").replace("_", "/")
            for shift in range(4):
                # As bytes, one character each: four characters of base64 are three of them.
                part = standard[shift : len(standard) - ((len(standard) - shift) % 4 == 1)]
                read = a2b_base64(part + "==")
                for start, end in self._found(_alike(read.decode("latin-1"))):
                    first = run.start() + shift + start * 4 // 3
                    yield first, min(run.end(), run.start() + shift + (end * 4 + 2) // 3)

    def _found(self, plain: str) -> Iterator[tuple[int, int]]:
        pieces, lengths = self._index
        for at in range(len(plain) - SHORTEST + 1):
            if (found := lengths.get(plain[at : at + SHORTEST])) is not None:
                for length in found:
                    piece = plain[at : at + length]
                    if piece in pieces:
                        yield at, at + len(piece)
                        break

    def _beginning_before(self, plain: str, cut: int) -> Iterator[tuple[int, int]]:
        """The beginning of a value, where somebody else cut it off."""
        lengths = self._index[1]
        for start in range(max(0, cut - _PIECE + 1), cut - SHORTEST + 1):
            if plain[start : start + SHORTEST] in lengths:
                beginning = plain[start:cut]
                next_one = bisect_left(self._sorted, beginning)
                if next_one < len(self._sorted) and self._sorted[next_one].startswith(beginning):
                    yield start, cut
                    return

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self._index[0])

    @cached_property
    def _index(self) -> tuple[frozenset[str], dict[str, list[int]]]:
        """All pieces, and for the first characters of any piece the lengths to try, longest first."""
        values = carried_values(self._headers, self._query, bytes(self._body), self._event)
        known = {item for value in values for item in (value, value.strip(" \"'")) if len(item) >= SHORTEST}
        pieces = frozenset(piece for value in known for form in _forms(value) for piece in _pieces(form))
        lengths: dict[str, set[int]] = {}
        for piece in pieces:
            lengths.setdefault(piece[:SHORTEST], set()).add(len(piece))
        return pieces, {beginning: sorted(found, reverse=True) for beginning, found in lengths.items()}


_carried: ContextVar[CarriedSecrets | None] = ContextVar("tenantgate_carried_secrets")


def carry_secrets(secrets: CarriedSecrets | None) -> None:
    """Mask these in every line of this task or invocation."""
    _carried.set(secrets)


def carried_secrets() -> CarriedSecrets | None:
    """What the current request carries; None outside a request."""
    if (carried := _carried.get(None)) is not None:
        return carried
    request = current_request()
    if isinstance(request.carried, Mapping):
        # An authorizer's event: nearly all of them are allowed and write no line.
        request.carried = CarriedSecrets((), b"", event=request.carried)
    return request.carried if isinstance(request.carried, CarriedSecrets) else None


def _alike(text: str) -> str:
    # Form encoding's blank, and base64's two alphabets: the same value, and every character keeps its place.
    return text.replace("+", " ").replace("-", " ").replace("_", "/")


def _cuts(text: str) -> list[int]:
    found: list[int] = []
    for sign in _CUTS:
        at = text.find(sign)
        while at >= 0 and len(found) < _MOST_CUTS:
            found.append(at)
            at = text.find(sign, at + len(sign))
    return found


def _forms(value: str) -> Iterator[str]:
    yield _alike(value)
    if not value.isascii():
        # As base64 holds it.
        yield _alike(value.encode("utf-8", "replace").decode("latin-1"))


def _pieces(form: str) -> Iterator[str]:
    if len(form) <= _PIECE:
        yield form
        return
    for at in range(0, len(form) - _PIECE + 1, _PIECE):
        yield form[at : at + _PIECE]
    yield form[-_PIECE:]
