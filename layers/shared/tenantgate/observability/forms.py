"""Patterns of secrets and personal data: tokens, credentials, query strings, numbers.

Callers choose the text, so every pattern takes linear time. Repetitions that could overlap are possessive, and match
only from the beginning of a run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from tenantgate.observability.names import is_sensitive, query_spans

type Spans = Iterator[tuple[int, int]]


def form_spans(text: str) -> Spans:
    """Find the parts of `text` to mask, unordered and possibly overlapping."""
    yield from secret_spans(text)
    patterns = _patterns()
    for found in patterns.query.finditer(text):
        if "=" in found[1]:
            yield from query_spans(text, found.start(1), found.end(1))
    for found in patterns.opaque.finditer(text):
        # A tenant id (a word and a UUID) isn't secret, and log lines need it.
        if not patterns.tenant_like.fullmatch(found[0]):
            yield found.span()


def secret_spans(text: str) -> Spans:
    """Find the parts to mask, except query strings and opaque values."""
    yield from _members(text)
    yield from _user_infos(text)
    for pattern, group in _patterns().secrets:
        for found in pattern.finditer(text):
            yield found.span(group)


def is_opaque(text: str) -> bool:
    """Tell whether the whole text is an opaque value: a session id, a digest, a key."""
    return _patterns().opaque.fullmatch(text) is not None


def _members(text: str) -> Spans:
    """Find the values of `name=value`, `"name": "value"`, `('name', 'value')` with a sensitive name."""
    patterns, at = _patterns(), 0
    while (member := patterns.member.search(text, at)) is not None:
        at = member.end()
        # If not sensitive, search the value as well: "Error: password=..." is a member within a member.
        if is_sensitive(member[1]) and (value := patterns.value.match(text, at)) is not None:
            yield value.span()
            at = value.end()


def _user_infos(text: str) -> Spans:
    """Find user and password of URLs. An unescaped password may contain `@`, `/`, `:`, `?` and `#`."""
    at, run_end, last_at = 0, 0, -1
    while (at := text.find("://", at)) >= 0:
        start = at + 3
        if start > run_end:
            run_end = len(text) if (stop := _patterns().run_end.search(text, start)) is None else stop.start()
            last_at = text.rfind("@", start, run_end)
        if last_at >= start:
            if not text.endswith(("http", "https"), max(0, at - 5), at):
                # The path of a database or cache URL has no "@": the last one ends the password.
                yield start, last_at
            elif (host := _patterns().authority.match(text, start)) is not None:
                end = host.end()
                if text[end : end + 1] == "@" or not _patterns().host_and_port.fullmatch(host[0]):
                    yield start, last_at
        at = start


class _Patterns:
    """The compiled patterns, created at first use: they would slow a cold start that doesn't need them."""

    def __init__(self) -> None:
        self.member = re.compile(r"(?<![\w.-])([A-Za-z_][\w.-]{0,63}+)(?:['\"]?\s{0,8}[:=]|['\"]\s{0,8},)\s{0,8}b?")
        self.value = re.compile(r"\"(?:[^\"\\]|\\.)*+\"?|'(?:[^'\\]|\\.)*+'?|[^\s&,;}\])\"']+", re.DOTALL)
        self.run_end = re.compile(r"[\s\"'<>]")
        self.authority = re.compile(r"[^\s\"'<>/?#@]*")
        # Any other text with a colon before a later "@" may be a user and a password.
        self.host_and_port = re.compile(
            r"(?:\[[0-9A-Fa-f:.]*\]|[^:\[\].]*\.[^:\[\]]*|localhost)(?::\d{0,5})?|[^:\[\]]*"
        )
        self.query = re.compile(r"[?#]([^\s\"'<>?#]+)")
        # Session ids, codes, sealed cookies, digests.
        self.opaque = re.compile(r"(?<![A-Za-z0-9+_-])[A-Za-z0-9+_-]{40,}+={0,2}")
        self.tenant_like = re.compile(r"[a-z]{0,12}-?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
        self.secrets: list[tuple[re.Pattern[str], int]] = [
            (
                re.compile(
                    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z ]{0,40}-----|\Z)",
                    re.DOTALL,
                ),
                0,
            ),
            # Compact JWS and JWE, even when cut: "eyJ" is `{"` in base64url.
            (re.compile(r"eyJ[A-Za-z0-9_-]{4,}+(?:\.[A-Za-z0-9_-]*+){0,4}"), 0),
            # Whole header lines with continuations: as text, as a dictionary's items or as an ASGI scope's.
            (
                re.compile(
                    r"(?i)\b(?:(?:proxy-)?authorization|(?:set-)?cookie|x-api-key|x-amz-security-token)"
                    r"(?:['\"]?\s{0,8}[:=]|['\"]\s{0,8},)\s{0,8}b?['\"]?([^\r\n]++(?:\r?\n[ \t][^\r\n]*+)*+)"
                ),
                1,
            ),
            (re.compile(r"(?i)\b(?:bearer|basic|digest|dpop|negotiate|apikey)\s{1,8}+([A-Za-z0-9._~+/=-]{8,}+)"), 1),
            (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), 0),
            (re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]++\.[\w.-]++"), 0),
            (re.compile(r"\b\d{3}-\d{2}-\d{4}\b"), 0),
            (re.compile(r"[0-9a-f]{12}\.([A-Za-z0-9_-]{16,}+)"), 1),
        ]


@cache
def _patterns() -> _Patterns:
    return _Patterns()
