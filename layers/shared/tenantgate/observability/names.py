"""Names that decide: members, headers and parameters whose values are masked, and the few that may be read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache

# Made of characters that every pattern leaves alone, so that masking twice changes nothing.
MASK = "***"

_MOST_PAIRS = 50

_SENSITIVE_NAMES = frozenset(
    {
        "address", "api_key", "apikey", "assertion", "authorization", "birthdate", "birthday", "claims", "code",
        "code_verifier", "cookie", "cookies", "credential", "credentials", "diagnosis", "dob", "email", "first_name",
        "id_token_hint", "insurance", "last_name", "login_hint", "medical_record", "mrn", "nonce", "passphrase",
        "passwd", "password", "patient", "patient_id", "patient_name", "phone", "postcode", "private_key", "pwd",
        "sec_websocket_protocol", "sid", "sig", "signature", "ssn", "state", "token", "tokens", "username",
        "x_api_key", "zip",
    }
)  # fmt: skip
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

# The only parameters whose values may be read in a log, and only when they look like words or numbers of a protocol.
_HARMLESS_PARAMETERS = frozenset(
    {
        "code_challenge_method", "display", "grant_type", "limit", "max_age", "offset", "order", "page", "prompt",
        "response_mode", "response_type", "scope", "sort", "token_type_hint",
    }
)  # fmt: skip


@lru_cache(maxsize=512)
def is_sensitive(name: str) -> bool:
    """Whether a member, header or parameter of this name is masked whatever it holds."""
    folded = name.lower().replace("-", "_")
    if folded in _HARMLESS_NAMES:
        return False
    return folded.rpartition(".")[2] in _SENSITIVE_NAMES or any(part in folded for part in _SENSITIVE_PARTS)


def is_parameter_name(text: str) -> bool:
    """Whether it looks like the name of a parameter rather than like a value."""
    return _patterns()[0].fullmatch(text) is not None


def is_harmless(name: str, value: str) -> bool:
    """Whether a parameter may be read in a log as it is."""
    return name in _HARMLESS_PARAMETERS and _patterns()[1].fullmatch(value) is not None


def sanitize_query(query: str) -> str:
    """A query string fit for a log: names kept where they look like names, values masked but for a short list."""
    parts, written = [], 0
    for start, end in query_spans(query, 0, len(query)):
        parts += [query[written:start], MASK]
        written = end
    return "".join([*parts, query[written:]])


def query_spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """What to mask in the query string that is `text[start:end]`."""
    parameter_name, _, flag = _patterns()
    for _ in range(_MOST_PAIRS):
        if start >= end:
            return
        stop = text.find("&", start, end)
        stop = end if stop < 0 else stop
        equals = text.find("=", start, stop)
        name = text[start : stop if equals < 0 else equals]
        if equals < 0:
            # A value that was sent without a name would pass for one.
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
    """Of a parameter's name, of a harmless value, and of a name that has no value."""
    return (
        re.compile(r"[A-Za-z][A-Za-z0-9_\[\].-]{0,39}"),
        re.compile(r"(?:[a-z0-9_ +-]|%20){0,80}"),
        re.compile(r"[A-Za-z_.-]{1,20}"),
    )
