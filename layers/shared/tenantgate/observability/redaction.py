"""What keeps secrets and personal data out of the logs. Standard library only, since the authorizer logs too.

Three nets, each on its own: members are masked by their name, text by its form (tokens, credentials, query strings),
and whatever the current request carried in its credentials, cookies, query and body is masked verbatim, wherever it
shows up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextvars import ContextVar
from functools import cache, cached_property, lru_cache
from urllib.parse import unquote_plus

# Made of characters that every pattern below leaves alone, so that masking twice changes nothing.
MASK = "***"

_LONGEST_TEXT = 4096
_MOST_ITEMS = 50
_DEEPEST = 6
# Shorter values would mask ordinary words all over a line.
_SHORTEST_KNOWN = 6

_SENSITIVE_NAMES = frozenset(
    {
        "address", "api_key", "apikey", "assertion", "authorization", "birthdate", "birthday", "claims", "code",
        "code_verifier", "cookie", "cookies", "credential", "credentials", "diagnosis", "dob", "email", "first_name",
        "id_token_hint", "insurance", "last_name", "login_hint", "medical_record", "mrn", "nonce", "passphrase",
        "passwd", "password", "patient", "patient_id", "patient_name", "phone", "postcode", "private_key", "pwd",
        "sid", "sig", "signature", "ssn", "state", "token", "username", "x_api_key", "zip",
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


def sanitize_query(query: str) -> str:
    """A query string fit for a log: names kept where they look like names, values masked but for a short list."""
    if not query:
        return ""
    patterns = _patterns()
    parts = []
    for pair in query.split("&", _MOST_ITEMS)[:_MOST_ITEMS]:
        name, separator, value = pair.partition("=")
        if not patterns.parameter_name.fullmatch(name):
            parts.append(MASK)
        elif not separator:
            parts.append(name)
        elif name in _HARMLESS_PARAMETERS and patterns.harmless_value.fullmatch(value):
            parts.append(pair)
        else:
            parts.append(f"{name}={MASK}")
    return "&".join(parts)


def redact(value: object, *, depth: int = 0) -> object:
    """A copy of `value` made of JSON types alone, without secrets, and bounded in depth, length and text."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        # JSON has no NaN and no infinity.
        return value if value - value == 0 else str(value)
    if isinstance(value, (Mapping, list, tuple, set, frozenset)):
        return MASK if depth >= _DEEPEST else _redact_items(value, depth + 1)
    return redact_text(_text_of(value))


def _redact_items(
    value: Mapping[object, object] | list[object] | tuple[object, ...] | AbstractSet[object], depth: int
) -> object:
    if isinstance(value, Mapping):
        return {
            redact_text(str(name)): MASK if is_sensitive(str(name)) and item else redact(item, depth=depth)
            for name, item in list(value.items())[:_MOST_ITEMS]
        }
    return [redact(item, depth=depth) for item in list(value)[:_MOST_ITEMS]]


def redact_text(text: str) -> str:
    """`text` without anything that has the form of a secret or that the current request carried as one."""
    if len(text) > _LONGEST_TEXT:
        text = text[:_LONGEST_TEXT] + "…"
    if (carried := _carried.get(None)) is not None:
        for secret in carried.values:
            if secret in text:
                text = text.replace(secret, MASK)
    if text in _found_clean:
        return text
    redacted = _mask_members(text)
    for pattern, replacement in _patterns().substitutions:
        redacted = pattern.sub(replacement, redacted)
    if redacted == text and len(text) <= 256 and len(_found_clean) < 1024:
        # Most messages and paths are the same few; what is remembered here has nothing to hide.
        _found_clean.add(text)
    return redacted


def _mask_members(text: str) -> str:
    """Mask the values of `name=value`, `"name": "value"` and the like whose name is sensitive."""
    patterns, parts, written, at = _patterns(), [], 0, 0
    while (member := patterns.member.search(text, at)) is not None:
        at = member.end()
        # Not sensitive: on with the value itself, since "Error: password=..." holds a member within a member.
        if is_sensitive(member[1]) and (value := patterns.value.match(text, at)) is not None:
            parts += [text[written:at], MASK]
            written = at = value.end()
    return "".join([*parts, text[written:]])


_found_clean: set[str] = set()


class CarriedSecrets:
    """What the current request carries that no log may repeat; worked out when the first line is written."""

    def __init__(self, headers: Iterable[tuple[bytes, bytes]], query: bytes) -> None:
        self._headers = headers
        self._query = query
        self._body = b""

    def add_body(self, chunk: bytes) -> None:
        self._body += chunk
        self.__dict__.pop("values", None)

    @cached_property
    def values(self) -> tuple[str, ...]:
        """Longest first, so that a part never spoils the masking of the whole."""
        found: set[str] = set()
        for name, value in self._headers:
            label = name.decode("latin-1")
            if is_sensitive(label):
                found.update(_credential_parts(label, value.decode("latin-1")))
        found.update(_pairs(self._query.decode("latin-1")))
        if self._body:
            found.update(_body_values(self._body))
        return tuple(sorted((item for item in found if len(item) >= _SHORTEST_KNOWN), key=len, reverse=True))


_carried: ContextVar[CarriedSecrets | None] = ContextVar("tenantgate_carried_secrets")


def carry_secrets(secrets: CarriedSecrets | None) -> None:
    """Mask these in every line of this task or invocation."""
    _carried.set(secrets)


def _credential_parts(label: str, value: str) -> Iterable[str]:
    yield value
    if "cookie" in label.lower():
        for pair in value.split(";"):
            cookie = pair.partition("=")[2].strip()
            yield from (cookie, *cookie.split("."))
        return
    scheme, _, credentials = value.partition(" ")
    credentials = credentials.strip() or scheme
    yield from (credentials, *credentials.split("."))
    if scheme.lower() == "basic":
        import base64  # noqa: PLC0415  (a rare header; the authorizer's cold start does without it)

        try:
            decoded = base64.b64decode(credentials).decode("latin-1")
        except ValueError:
            return
        yield from (decoded, decoded.partition(":")[2])


def _pairs(text: str) -> Iterable[str]:
    for pair in text.split("&"):
        name, _, value = pair.partition("=")
        if value and not (name in _HARMLESS_PARAMETERS and _patterns().harmless_value.fullmatch(value)):
            yield from (value, unquote_plus(value))


def _body_values(body: bytes) -> Iterable[str]:
    text = body.decode("utf-8", "replace")
    if text.lstrip()[:1] in ("{", "["):
        import json  # noqa: PLC0415

        try:
            yield from _strings(json.loads(text), depth=0)
        except (ValueError, RecursionError):
            yield text
    elif "=" in text:
        yield from _pairs(text)
    else:
        yield text


def _strings(value: object, *, depth: int) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict) and depth < _DEEPEST:
        for name, item in value.items():
            yield from _strings(item, depth=depth + 1)
            if is_sensitive(name) and isinstance(item, (int, float)):
                yield str(item)
    elif isinstance(value, list) and depth < _DEEPEST:
        for item in value:
            yield from _strings(item, depth=depth + 1)


def _text_of(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    try:
        return str(value)
    except Exception:  # noqa: BLE001  (a broken __str__ must not lose the line that it is logged in)
        return f"<{type(value).__name__}>"


class _Patterns:
    """Compiled at first use: a cold start that logs nothing unusual pays nothing."""

    def __init__(self) -> None:
        self.parameter_name = re.compile(r"[A-Za-z][A-Za-z0-9_\[\].-]{0,39}")
        self.harmless_value = re.compile(r"[a-z0-9_ +-]{0,40}|(?:[a-z0-9_-]|%20)*")
        self.member = re.compile(r"(?<![\w.-])([A-Za-z_][\w.-]{0,63})['\"]?\s{0,8}[:=]\s{0,8}b?")
        self.value = re.compile(r"\"(?:[^\"\\]|\\.)*\"?|'(?:[^'\\]|\\.)*'?|[^\s&,;}\])\"']+")
        self.substitutions: list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = [
            (
                re.compile(r"(?s)-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}-----|\Z)"),
                MASK,
            ),
            # Compact JWS and JWE, cut off ones too: "eyJ" is how base64url writes `{"`.
            (re.compile(r"eyJ[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*){0,4}"), MASK),
            # Whole header lines, as text, as a dictionary's or as an ASGI scope's items.
            (
                re.compile(
                    r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie|x-api-key|x-amz-security-token)"
                    r"(['\"]?\s*[:=,]\s*b?['\"]?)[^\r\n]+"
                ),
                rf"\1\2{MASK}",
            ),
            (re.compile(r"(?i)\b(bearer|basic|digest|dpop|apikey)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {MASK}"),
            (re.compile(r"://[^\s/@]{1,256}@"), f"://{MASK}@"),
            (re.compile(r"\?([^\s\"'<>#]*=[^\s\"'<>#]*)"), lambda found: "?" + sanitize_query(found[1])),
            (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), MASK),
            (re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}\.[\w.-]{1,63}"), MASK),
            (re.compile(r"\b\d{3}-\d{2}-\d{4}\b"), MASK),
            # Opaque values: session ids, codes, sealed cookies, digests. A tenant id (a word and a UUID) is none.
            (
                re.compile(r"[A-Za-z0-9+_=-]{40,}"),
                lambda found: found[0] if self.tenant_like.fullmatch(found[0]) else MASK,
            ),
            (re.compile(r"([0-9a-f]{12})\.[A-Za-z0-9_-]{16,}"), rf"\1.{MASK}"),
        ]
        self.tenant_like = re.compile(r"[a-z]{0,12}-?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@cache
def _patterns() -> _Patterns:
    return _Patterns()
