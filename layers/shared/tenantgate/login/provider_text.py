"""What a provider says went wrong, in a form fit for the log."""

from __future__ import annotations

_LONGEST = 300


def provider_text(value: object) -> str | None:
    """A provider's free text (`error_description`, RFC 6749 §4.1.2.1, §5.2) on one line; None when there is none.

    A line break would begin a forged log line, a bidirectional override would reverse what is read: every character
    that isn't printable counts as white space, runs of it as one space. At most 300 characters are kept.
    """
    if not isinstance(value, str):
        return None
    # Cut before the work: the text may be as long as a whole response.
    printable = "".join(character if character.isprintable() else " " for character in value[: 4 * _LONGEST])
    text = " ".join(printable.split())
    if not text:
        return None
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
