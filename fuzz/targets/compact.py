"""The compact serialization and the JOSE header, compared with the standard library's parsers."""

from __future__ import annotations

import json
from base64 import b64decode

from fuzz.building import b64, json_bytes
from fuzz.judge import Finding
from fuzz.targets import Target, Try
from fuzz.values import HINTS, REFUSED_HEADERS
from fuzz.world import FIRST, good_claims
from tenantgate.errors.tokens import TokenError
from tenantgate.tokens.jws import decode, decode_base64url, json_object, parse_header, take_apart


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("duplicate")
    return dict(pairs)


def _no_constant(name: str) -> object:
    raise ValueError(name)


def _reference(raw: bytes) -> dict[str, object] | None:
    """Parse with the standard library: one object with unique members (RFC 8259), otherwise None."""
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _check_json(raw: bytes) -> None:
    expected = _reference(raw)
    try:
        found = json_object(raw, "text")
    except TokenError:
        found = None
    # Not with `==`: 1, 1.0 and True are equal.
    if repr(found) != repr(expected):
        raise Finding("json_object and json.loads differ")


def _check_base64(text: str) -> None:
    try:
        decoded = decode_base64url(text, "text")
    except TokenError:
        return
    standard = text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4)
    if b64decode(standard, validate=True) != decoded:
        raise Finding("base64url is decoded differently by the standard library")
    if b64(decoded) != text:
        raise Finding("two spellings mean the same bytes")


def _check_header(raw: bytes) -> None:
    segment = b64(raw).encode().replace(b"-", b"+").replace(b"_", b"/")
    try:
        header = parse_header(segment)
    except TokenError:
        return
    members = _reference(raw)
    if members is None:
        raise Finding("accepted a header that is not a JSON object")
    refused = {name for name, _ in REFUSED_HEADERS if name != "cty"} & members.keys()
    if refused or header.alg != members.get("alg") or header.kid != members.get("kid"):
        raise Finding("a header was read incorrectly")
    kind, content = members.get("typ"), str(members.get("cty")).lower()
    if header.typ != (kind.lower().removeprefix("application/") if isinstance(kind, str) else ""):
        raise Finding("a type was read incorrectly")
    if content.removeprefix("application/") == "jwt" or content.endswith("+jwt"):
        raise Finding("accepted a nested token")


def _check_text(text: str) -> None:
    try:
        header, payload, signature, signed = take_apart(text)
    except TokenError:
        return
    spelled = b".".join((header, payload, signature)).replace(b"+", b"-").replace(b"/", b"_")
    if text.count(".") != 2 or signed != text.encode().rpartition(b".")[0]:
        raise Finding("split at another place")
    if b"!" not in spelled and spelled != text.encode():
        raise Finding("split into other segments")
    for segment, spelling in zip((header, payload, signature), text.split("."), strict=True):
        _check_base64(spelling)
        if _decoded(segment) != _decoded_url(spelling):
            raise Finding("a segment is decoded differently from its text")


def _decoded(segment: bytes) -> bytes | None:
    try:
        return decode(segment, "segment")
    except TokenError:
        return None


def _decoded_url(text: str) -> bytes | None:
    try:
        return decode_base64url(text, "text")
    except TokenError:
        return None


def _prepare() -> Try:
    def try_bytes(data: bytes) -> None:
        _check_json(data)
        _check_header(data)
        text = data.decode("latin-1")
        _check_base64(text)
        _check_text(text)

    return try_bytes


def _seeds() -> list[bytes]:
    header, claims = json_bytes({"alg": "ES256", "kid": "p256-1", "typ": "at+jwt"}), json_bytes(good_claims(FIRST))
    return [
        header,
        claims,
        f"{b64(header)}.{b64(claims)}.{b64(bytes(range(64)))}".encode(),
        b'{"alg":"RS256","kid":"\\u0072","x5t":"a","a":[1,-2.5e3,{"b":null,"c":[true,false]}]}',
        *(json_bytes({"alg": "RS256", name: value}) for name, value in (*REFUSED_HEADERS, *HINTS)),
        b'{"alg":"RS256","kid":null,"typ":null,"cty":"json"}',
    ]


_WORDS = (
    '{"',
    '":"',
    '","',
    '":',
    "[]",
    "{}",
    "null",
    "true",
    "NaN",
    "\\u0061",
    "e9",
    "alg",
    "kid",
    "typ",
    "crit",
    ".",
)
TARGET = Target("compact", _prepare, _seeds, _WORDS)
