"""Prepare a provider's error text for the log, and for the page that reports a failed sign-in."""

from __future__ import annotations

import re
from collections.abc import Iterable

_LONGEST = 300
_MASK = "***"
# Tokens, codes and secrets. A provider's support asks for UUIDs (Entra ID's trace and correlation ids).
_CREDENTIAL = re.compile(r"[A-Za-z0-9_~+/=.\-]{24,}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\.?\Z")
_WORDS = re.compile(r"[A-Za-z]{1,23}(?:[_.\-/][A-Za-z]{1,23}){0,12}\.?\Z")


def provider_text(value: object, *, secrets: Iterable[str] = ()) -> str | None:
    """Return a provider's free text (`error_description`, RFC 6749 §4.1.2.1, §5.2) in one line, or None without text.

    A line break could forge a log line, and a bidirectional override could reverse the visible text. So each run of
    unprintable characters becomes one space. The `secrets` of the request, and words that look like credentials, are
    masked. At most 300 characters remain.
    """
    if not isinstance(value, str):
        return None
    # Mask before each cut, so that no part of a secret remains.
    for secret in secrets:
        if secret:
            value = value.replace(secret, _MASK)
    # Limit the work: the text may be as long as a whole response.
    printable = "".join(character if character.isprintable() else " " for character in value[: 4 * _LONGEST])
    text = _CREDENTIAL.sub(_masked, " ".join(printable.split()))
    if not text:
        return None
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _masked(found: re.Match[str]) -> str:
    word = found[0]
    return word if _UUID.match(word) or _WORDS.match(word) else _MASK
