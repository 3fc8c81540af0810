"""Names of members, headers and parameters whose values are masked, and of the few parameters that aren't."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache

from tenantgate.masking import MASK, POLICIES

_MOST_PAIRS = 50

_SENSITIVE_NAMES = frozenset[str]().union(*(policy.names for policy in POLICIES.values() if not policy.logged))
_SENSITIVE_PARTS = (
    "authorization",
    "cookie",
    "credential",
    "passphrase",
    "passwd",
    "password",
    "secret",
    "_token",
    "token_hint",
    "apikey",
    "api_key",
    "private_key",
    "sealing_key",
    "patient",
    "verifier",
)
_HARMLESS_NAMES = frozenset({"authorization_url", "authorization_endpoint", "cookie_name", "secret_name", "secret_id"})

# The only parameters whose values are logged, and only if they look like a protocol's words or numbers.
_HARMLESS_PARAMETERS = frozenset(
    {
        "code_challenge_method", "display", "grant_type", "limit", "max_age", "offset", "order", "page", "prompt",
        "response_mode", "response_type", "scope", "sort", "token_type_hint",
    }
)  # fmt: skip


@lru_cache(maxsize=512)
def is_sensitive(name: str) -> bool:
    """Tell whether every value of a member, header or parameter with this name is masked."""
    folded = name.lower().replace("-", "_")
    if folded in _HARMLESS_NAMES:
        return False
    return folded.rpartition(".")[2] in _SENSITIVE_NAMES or any(part in folded for part in _SENSITIVE_PARTS)


def is_parameter_name(text: str) -> bool:
    """Tell whether a text looks like the name of a parameter, not like a value."""
    return _patterns()[0].fullmatch(text) is not None


def is_harmless(name: str, value: str) -> bool:
    """Tell whether a parameter may be logged unmasked."""
    return name in _HARMLESS_PARAMETERS and _patterns()[1].fullmatch(value) is not None


def sanitize_query(query: str) -> str:
    """Mask a query string for the log: keep names that look like names, and the values of a short list."""
    parts, written = [], 0
    for start, end in query_spans(query, 0, len(query)):
        parts += [query[written:start], MASK]
        written = end
    return "".join([*parts, query[written:]])


def query_spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Find the parts to mask in the query string `text[start:end]`."""
    parameter_name, _, flag = _patterns()
    for _ in range(_MOST_PAIRS):
        if start >= end:
            return
        stop = text.find("&", start, end)
        stop = end if stop < 0 else stop
        equals = text.find("=", start, stop)
        name = text[start : stop if equals < 0 else equals]
        if equals < 0:
            # A value sent without a name would be taken for a name.
            if name and not flag.fullmatch(name):
                yield start, stop
        elif not parameter_name.fullmatch(name):
            yield start, stop
        elif not is_harmless(name, text[equals + 1 : stop]):
            yield equals + 1, stop
        start = stop + 1
    if start < end:
        yield start, end


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """Compile the patterns of a parameter's name, of a harmless value, and of a name without a value."""
    return (
        re.compile(r"[A-Za-z][A-Za-z0-9_\[\].-]{0,39}"),
        re.compile(r"(?:[a-z0-9_ +-]|%20){0,80}"),
        re.compile(r"[A-Za-z_.-]{1,20}"),
    )
