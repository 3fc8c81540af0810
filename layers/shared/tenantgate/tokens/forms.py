"""The written forms of the verification settings, and their parsers.

Each parser raises `ValueError` with the allowed form as its text, never the value. `urllib.parse` is not used: the
authorizer parses its settings at every cold start, and that import would add a tenth to it.
"""

from __future__ import annotations

import re

from tenantgate.urls import is_endpoint_url

ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"},
)

_PARAMETER_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
_SIGN_OUT_PARAMETERS = frozenset({"client_id", "id_token_hint", "state"})
_URL_FORM = "an https:// URL without user info or fragment"
_LOOPBACK_FORM = " (http:// for localhost, 127.0.0.0/8 or [::1])"
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
PLACEHOLDERS = {"{uuid}": _UUID, "{slug}": "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", "{digits}": "[0-9]{1,20}"}
_MAX_NAME = 256


def parse_whole_number(text: str, *, low: int, high: int) -> int:
    """Parse a whole number in decimal digits from `low` to `high`, both included."""
    stripped = text.strip()
    if stripped.isascii() and stripped.isdigit() and len(stripped) <= 18 and low <= int(stripped) <= high:
        return int(stripped)
    raise ValueError(f"a whole number from {low} to {high}")


def parse_issuer(text: str) -> str:
    """Parse an issuer identifier. It is kept exactly as written, because `iss` is compared byte for byte.

    Providers use mixed-case hosts, plain http, URNs and bare words (RFC 7519 §4.1.1: a StringOrURI). It need not be a
    URL when its keys come from elsewhere.
    """
    issuer = text.strip()
    if not is_plain_text(issuer):
        raise ValueError(f"a text of at most {_MAX_NAME} printable characters")
    return issuer


def parse_issuer_url(text: str, *, allow_loopback_http: bool) -> str:
    """Parse an issuer with a discovery document under it: no query (OpenID Connect Discovery §2, RFC 8414 §2)."""
    issuer = text.strip()
    if "?" in issuer or len(issuer) > _MAX_NAME or not is_endpoint_url(issuer, loopback_http=allow_loopback_http):
        form = _URL_FORM.replace("user info or", "user info, query or")
        raise ValueError(form + (_LOOPBACK_FORM if allow_loopback_http else ""))
    return issuer


def parse_url(text: str, *, allow_loopback_http: bool) -> str:
    """Parse a URL to fetch, or to send a browser to: see `is_endpoint_url`."""
    url = text.strip()
    if not is_endpoint_url(url, loopback_http=allow_loopback_http):
        raise ValueError(_URL_FORM + (_LOOPBACK_FORM if allow_loopback_http else ""))
    return url


def parse_parameter_name(text: str) -> str:
    """Parse the name of a query parameter that the sign-out doesn't set itself."""
    name = text.strip()
    if 0 < len(name) <= 64 and _PARAMETER_CHARACTERS.issuperset(name) and name not in _SIGN_OUT_PARAMETERS:
        return name
    raise ValueError(f"letters, digits, hyphens or underscores, and none of {', '.join(sorted(_SIGN_OUT_PARAMETERS))}")


def parse_list(text: str, *, what: str) -> tuple[str, ...]:
    """Parse comma-separated words: without blanks or repetitions, in the order written."""
    words = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    if not words or not all(is_plain_text(word) for word in words):
        raise ValueError(f"comma-separated {what}, at least one, each of at most {_MAX_NAME} printable characters")
    return words


def parse_audiences(text: str) -> tuple[str, ...]:
    """Parse `OIDC_AUDIENCE`: the values of `aud` that mean this API, comma-separated."""
    return parse_list(text, what="audiences")


def parse_claim_names(text: str) -> tuple[str, ...]:
    """Parse `JWT_TENANT_CLAIM_NAME` (in priority order) or `JWT_ROLES_CLAIM_NAME`: claim names, comma-separated."""
    return parse_list(text, what="claim names")


def parse_tenant_id_pattern(text: str) -> re.Pattern[str]:
    """Parse `TENANT_ID_PATTERN` into a regular expression for `fullmatch`.

    Either literal text with the placeholders `{uuid}`, `{slug}` and `{digits}`, or, when it starts with `^` and ends
    with `$`, a regular expression, whose classes mean ASCII. UUIDs and slugs are lower-case only: a tenant has one
    spelling.
    """
    pattern = text.strip()
    if pattern.startswith("^") and pattern.endswith("$") and len(pattern) > 2:
        return _tenant_id_expression(pattern[1:-1])
    expression, literal = re.escape(pattern), pattern
    for placeholder, meaning in PLACEHOLDERS.items():
        expression = expression.replace(re.escape(placeholder), meaning)
        literal = literal.replace(placeholder, "")
    if literal != pattern and not set("{}") & set(literal):
        return re.compile(expression, re.ASCII)
    raise ValueError("text with {uuid}, {slug} or {digits} in it, such as org-{uuid}, or a regular expression ^...$")


def _tenant_id_expression(expression: str) -> re.Pattern[str]:
    # Imported here: most patterns are placeholders, and the authorizer's cold start pays for imports.
    from tenantgate.tokens.pattern_cost import MOST_WAYS, ways  # noqa: PLC0415

    try:
        too_slow = len(expression) > 512 or ways(expression) > MOST_WAYS
        compiled = re.compile(expression, re.ASCII)
    except (re.error, OverflowError, RecursionError):
        raise ValueError("a regular expression ^...$ that Python's `re` can read") from None
    if too_slow:
        # A claim must not keep the authorizer busy: `(a+)+` needs years for 128 characters.
        raise ValueError(
            "a regular expression ^...$ of at most 512 characters in which the next character settles how often a "
            "repetition within another one continues: ^[a-z]+(?:-[a-z]+)*$, not ^(?:[a-z]+-?)+$"
        )
    return compiled


def is_plain_text(value: object) -> bool:
    """Test for a non-empty string of at most 256 printable characters."""
    return isinstance(value, str) and 0 < len(value) <= _MAX_NAME and value.isprintable()
