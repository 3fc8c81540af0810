"""Redaction: keep secrets and personal data out of the logs. Standard library only, because the authorizer logs too.

Three independent methods: mask members by name (`names.py`), text by pattern (`forms.py`: tokens, credentials, query
strings), and the current request's secrets verbatim, anywhere in a line (`carried.py`). All three also search inside
URL encoding and JSON escapes (`escapes.py`). `masking.py` has the policies.

A caller chooses the contents of its request, so the third method leaves the product's own words: a `Word`, the names of
a context's members, and the literals of the code that logs or raises (`speakers.py`). Texts are masked before they are
cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from tenantgate.errors.base import Exact, Figure, Word
from tenantgate.masking import MASK
from tenantgate.observability.carried import CarriedSecrets, carried_secrets, carry_secrets
from tenantgate.observability.carried_values import SHORTEST
from tenantgate.observability.escapes import layers
from tenantgate.observability.forms import form_spans
from tenantgate.observability.names import is_sensitive, sanitize_query
from tenantgate.observability.speakers import UNKNOWN, Speaker

__all__ = [
    "MASK",
    "CarriedSecrets",
    "carry_secrets",
    "disclose",
    "is_sensitive",
    "masked",
    "redact",
    "redact_context",
    "redact_text",
    "sanitize_query",
    "text_of",
]

_LONGEST_TEXT = 4096
# A secret that begins before this limit may end so far past it: longer than any escaped piece of a search.
_BEYOND = 1024
_MOST_ITEMS = 50
_DEEPEST = 6
# Limits for one context: no request can make a log line expensive.
_MOST_VALUES = 500
_MOST_CHARACTERS = 32 * 1024
# RFC 9110's methods of at least `SHORTEST` characters.
_PROTOCOL_WORDS = frozenset({"CONNECT", "DELETE", "OPTIONS"})

_found_clean: set[str] = set()


def redact(value: object) -> object:
    """Copy `value` into JSON types, without secrets, with limited depth, length and text."""
    return _Copy(UNKNOWN).of(value, 0)


def redact_context(context: object, speaker: Speaker = UNKNOWN) -> dict[str, object]:
    """Redact the context of a log line, whose member names and own numbers are the product's."""
    copy = _Copy(speaker)
    if not isinstance(context, Mapping):
        return {"value": copy.of(context, 1)} if context else {}
    return {
        name if name in _found_clean else redact_text(Word(name)): copy.member(name, value, 1)
        for name, value in ((str(name), value) for name, value in list(context.items())[:_MOST_ITEMS])
    }


def disclose(text: str) -> None:
    """Allow exactly this text in the request's log lines, although the request contained it.

    For a third party's text that came through the caller, once its origin is verified and it is sanitized. Patterns of
    secrets are still masked.
    """
    if (carried := carried_secrets()) is not None:
        carried.disclose(text)


def redact_text(text: str, speaker: Speaker = UNKNOWN) -> str:
    """Mask the parts of `text` that match a pattern of secrets or are secrets of the current request."""
    if isinstance(text, Exact):
        return str(text)
    by_form = text not in _found_clean
    carried = None if _is_our_own(text) else carried_secrets()
    if carried is not None and (carried.public(text) or speaker.says(text)):
        carried = None
    if carried is None and not by_form:
        return text
    window = text[: _LONGEST_TEXT + _BEYOND]
    repeated: set[tuple[int, int]] = set()
    formed: set[tuple[int, int]] = set()
    for layer in layers(window):
        if carried is not None:
            repeated.update(layer.span(*span) for span in carried.spans(layer.text))
        if by_form:
            formed.update(layer.span(*span) for span in form_spans(layer.text) if span[0] < span[1])
    if by_form and not formed and len(text) <= 256:
        # Most messages and paths repeat; the remembered ones match no pattern.
        if len(_found_clean) >= 1024:
            _found_clean.clear()
        _found_clean.add(str(text))
    if repeated:
        repeated = set(speaker.foreign(window, repeated))
    return masked(text, formed | repeated)


def _is_our_own(text: str) -> bool:
    return isinstance(text, Word) or len(text) < SHORTEST or text in _PROTOCOL_WORDS


def masked(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """Mask these spans of `text`, then cut it."""
    parts: list[str] = []
    written = 0
    for start, end in sorted(spans):
        if start >= _LONGEST_TEXT:
            break
        if start > written:
            parts += [text[written:start], MASK]
        elif not parts:
            parts.append(MASK)
        written = max(written, end)
    if written < _LONGEST_TEXT:
        parts.append(text[written:_LONGEST_TEXT])
    if max(written, _LONGEST_TEXT) < len(text):
        parts.append("…")
    return "".join(parts)


class _Copy:
    """Copies one value into JSON types, within the limits of one line."""

    def __init__(self, speaker: Speaker) -> None:
        self._speaker = speaker
        self._values_left = _MOST_VALUES
        self._characters_left = _MOST_CHARACTERS

    def of(self, value: object, depth: int) -> object:
        """Copy a value; `depth` is the number of containers around it."""
        self._values_left -= 1
        if self._values_left < 0 or self._characters_left <= 0:
            return MASK
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, (int, float)):
            return self._number(value, depth)
        # Most values are texts, and `isinstance` with an abstract class is slow.
        if not isinstance(value, str) and isinstance(value, (Mapping, list, tuple, set, frozenset)):
            return MASK if depth >= _DEEPEST else self._items(value, depth + 1)
        speaker = Speaker(error=value) if isinstance(value, BaseException) else self._speaker
        return self._text(text_of(value), speaker)

    def member(self, name: str, value: object, depth: int) -> object:
        """Copy a member's value, or mask it if its name is sensitive."""
        return MASK if value and is_sensitive(name) else self.of(value, depth)

    def _items(
        self, value: Mapping[object, object] | list[object] | tuple[object, ...] | AbstractSet[object], depth: int
    ) -> object:
        if isinstance(value, Mapping):
            named = [(text_of(name), item) for name, item in list(value.items())[:_MOST_ITEMS]]
            return {self._text(name, self._speaker): self.member(name, item, depth) for name, item in named}
        if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], (str, bytes)):
            # A header or a parameter, in the form of servers and client libraries.
            name = text_of(value[0])
            return [self.of(name, depth), self.member(name, value[1], depth)]
        return [self.of(item, depth) for item in list(value)[:_MOST_ITEMS]]

    def _number(self, value: float, depth: int) -> object:
        if isinstance(value, Figure):
            return int(value) if value.is_integer() else float(value)
        if depth > 1 and (carried := carried_secrets()) is not None and any(carried.spans(str(value))):
            return MASK
        # JSON has no NaN and no infinity.
        return value if value - value == 0 else str(value)

    def _text(self, text: str, speaker: Speaker = UNKNOWN) -> str:
        self._characters_left -= min(len(text), _LONGEST_TEXT) + 1
        return redact_text(text, speaker)


def text_of(value: object) -> str:
    """Return any value as text; of a class, its name as a `Word`."""
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray)):
        return value.decode("utf-8", "replace")
    if isinstance(value, type):
        return Word(value.__name__)
    try:
        return str(value)
    except Exception:  # noqa: BLE001  (a broken __str__ must not lose the line that it is logged in)
        return f"<{type(value).__name__}>"
