"""What a provider says went wrong, in a form fit for the log; never shown to a caller."""

from __future__ import annotations

import re
from collections.abc import Iterable

_LONGEST = 300
_MASK = "***"
# Tokens, codes and secrets. A UUID is what a provider's support asks for (Entra ID's trace and correlation ids).
_CREDENTIAL = re.compile(r"[A-Za-z0-9_~+/=.\-]{24,}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\.?\Z")
_WORDS = re.compile(r"[A-Za-z]{1,23}(?:[_.\-/][A-Za-z]{1,23}){0,12}\.?\Z")


def provider_text(value: object, *, secrets: Iterable[str] = ()) -> str | None:
    """A provider's free text (`error_description`, RFC 6749 §4.1.2.1, §5.2) on one line; None when there is none.

    A line break would begin a forged log line, a bidirectional override would reverse what is read: every character
    that isn't printable counts as white space, runs of it as one space. `secrets`, which the request carried, and what
    looks like a credential are masked; at most 300 characters are kept.
    """
    if not isinstance(value, str):
        return None
    # Each cut comes after the masking of what it could cut in two.
    for secret in secrets:
        if secret:
            value = value.replace(secret, _MASK)
    # Cut before the work: the text may be as long as a whole response.
    printable = "".join(character if character.isprintable() else " " for character in value[: 4 * _LONGEST])
    text = _CREDENTIAL.sub(_masked, " ".join(printable.split()))
    if not text:
        return None
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _masked(found: re.Match[str]) -> str:
    word = found[0]
    return word if _UUID.match(word) or _WORDS.match(word) else _MASK
