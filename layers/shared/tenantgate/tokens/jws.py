"""The compact serialization of a JWS (RFC 7515 §3.1, §5.2), read strictly: no lenient base64, JSON or header.

These are all checks of a token that need no key. Their cost grows only with the token's length, which is limited.
"""

from __future__ import annotations

import json
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from tenantgate.errors.tokens import MalformedToken, UnsupportedHeader
from tenantgate.tokens.forms import is_plain_text

if TYPE_CHECKING:
    from typing import Final, NoReturn

# API Gateway passes at most 10 KB of headers; a container's server little more.
MAX_TOKEN_LENGTH = 16 * 1024
_MAX_HEADER_LENGTH = 4 * 1024
# Some issuers send their certificate chain with every token (`x5c`, RFC 7515 §4.1.6): three or four certificates.
_MAX_HEADER_LENGTH_WITH_CHAIN = 12 * 1024

# Members that must be understood (crit, b64), bring the token's own key (jwk), or belong to JWE. Members that only help
# to find a key (jku, x5u, x5c, x5t, x5t#S256: RFC 7515 §4.1) are ignored: the keys come from the issuer.
_REFUSED_HEADERS = frozenset({"crit", "b64", "jwk", "enc", "zip", "epk", "p2c", "p2s"})

# base64url to base64; `+`, `/` and `=` become a character that strict decoding refuses.
_BASE64URL = bytes.maketrans(b"-_+/=", b"+/!!!")
_PADDING = (b"", b"", b"==", b"=")
# RFC 4648 §3.5: the unused bits of the last character must be zero, so that no two texts mean the same bytes. The index
# is the number of characters after the last group of four; a single one is impossible.
_LAST_CHARACTERS = (b"", b"", b"AQgw", b"AEIMQUYcgkosw048")


class Header:
    """The members of a JOSE header that verification uses.

    `typ` is lower-case, without `application/`, and empty when absent.
    """

    # Not a record, because every token reads its members, and plain attributes are faster.
    __slots__ = ("alg", "kid", "typ")

    def __init__(self, alg: str, kid: str | None, typ: str) -> None:
        self.alg: Final = alg
        self.kid: Final = kid
        self.typ: Final = typ


def read_jws(token: str, headers: Mapping[bytes, Header]) -> tuple[Header, dict[str, object], bytes, bytes, bytes]:
    """Return header, claims, signature, the bytes that were signed, and the header's segment.

    `headers` holds headers that were read before, by segment. Raises `MalformedToken` or `UnsupportedHeader`.
    """
    header_segment, payload, signature, signed = take_apart(token)
    header = headers.get(header_segment) or parse_header(header_segment)
    claims = json_object(decode(payload, "payload"), "payload")
    return header, claims, decode(signature, "signature"), signed, header_segment


def take_apart(token: str) -> tuple[bytes, bytes, bytes, bytes]:
    """Return header, payload and signature, still in base64 (of the standard alphabet), and the bytes that were signed.

    Raises `MalformedToken` unless there are three segments of a limited length in ASCII.
    """
    if len(token) > MAX_TOKEN_LENGTH:
        raise MalformedToken("token is too long", expected=MAX_TOKEN_LENGTH, actual=len(token))
    try:
        raw = token.encode("ascii")
    except UnicodeEncodeError:
        raise MalformedToken("token has characters outside ASCII") from None
    if "+" in token or "/" in token or "=" in token:
        standard = raw.translate(_BASE64URL)
    else:
        # The same, in half the time.
        standard = raw.replace(b"-", b"+").replace(b"_", b"/")
    # `split` takes twice the time of two partitions.
    header, _, rest = standard.partition(b".")
    payload, dot, signature = rest.partition(b".")
    if not dot or signature.find(b".") >= 0:
        number = raw.count(b".") + 1
        kind = "encrypted token (JWE)" if number == 5 else "not a compact JWS"
        raise MalformedToken(kind, expected="3 segments", actual=number)
    return header, payload, signature, raw[: -len(signature) - 1]


def decode(segment: bytes, what: str) -> bytes:
    """Decode strict, canonical base64 without padding; raises `MalformedToken`."""
    rest = len(segment) & 3
    if rest:
        if segment[-1] not in _LAST_CHARACTERS[rest]:
            raise MalformedToken(f"{what} is not canonical base64url")
        segment += _PADDING[rest]
    elif not segment:
        raise MalformedToken(f"{what} is empty")
    try:
        return a2b_base64(segment, strict_mode=True)
    except Base64Error:
        raise MalformedToken(f"{what} is not canonical base64url") from None


def decode_base64url(text: str, what: str) -> bytes:
    """Decode a text outside a token, such as a JWK's member; raises `MalformedToken`."""
    try:
        return decode(text.encode("ascii").translate(_BASE64URL), what)
    except UnicodeEncodeError:
        raise MalformedToken(f"{what} is not canonical base64url") from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # RFC 7519 §4: with duplicates, two readers could choose different members, and see different tokens.
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# `decode` calls `scan_once`, and looks for whitespace with a regular expression before and after it.
_scan: Callable[[str, int], tuple[object, int]] = json.JSONDecoder(  # type: ignore[attr-defined]
    object_pairs_hook=_unique, parse_constant=_refuse_constant
).scan_once


def json_object(raw: bytes, what: str) -> dict[str, object]:
    """Read one JSON object in UTF-8 without duplicate members at any depth; raises `MalformedToken`."""
    try:
        text = raw.decode().strip(" \t\r\n")
        value, end = _scan(text, 0)
    except (ValueError, RecursionError, StopIteration):
        raise MalformedToken(f"{what} is not JSON with unique members in UTF-8") from None
    if end != len(text) or not isinstance(value, dict):
        raise MalformedToken(f"{what} is not one JSON object")
    return value


def parse_header(segment: bytes) -> Header:
    """Read a JOSE header; raises `MalformedToken` or `UnsupportedHeader`."""
    if len(segment) > _MAX_HEADER_LENGTH_WITH_CHAIN:
        raise MalformedToken("header is too long", expected=_MAX_HEADER_LENGTH, actual=len(segment))
    members = json_object(decode(segment, "header"), "header")
    if len(segment) > _MAX_HEADER_LENGTH:
        _require_long_for_chain(members.get("x5c"), len(segment))
    if not _REFUSED_HEADERS.isdisjoint(members):
        raise UnsupportedHeader("header has a member that is not supported", actual=_named(members))
    alg, kid, typ = members.get("alg"), members.get("kid"), members.get("typ")
    if not isinstance(alg, str) or not is_plain_text(alg):
        raise MalformedToken("alg is missing or not a text")
    if kid is not None and not is_plain_text(kid):
        raise MalformedToken("kid is not a text of at most 256 printable characters")
    if typ is not None and typ != "" and not is_plain_text(typ):
        raise MalformedToken("typ is not a text")
    if members.get("cty") is not None:
        _refuse_nested(members["cty"])
    kind = typ.lower().removeprefix("application/") if isinstance(typ, str) else ""
    return Header(alg, kid if isinstance(kid, str) else None, kind)


def _require_long_for_chain(chain: object, length: int) -> None:
    certificates = chain if isinstance(chain, list) else ()
    # Base64 within base64: four characters of the header for three of a certificate.
    without_chain = (
        length - sum(len(certificate) for certificate in certificates if isinstance(certificate, str)) * 4 // 3
    )
    if without_chain > _MAX_HEADER_LENGTH:
        raise MalformedToken("header is too long", expected=_MAX_HEADER_LENGTH, actual=without_chain)


def _refuse_nested(content_type: object) -> None:
    # RFC 7519 §5.2: `cty: JWT` means that another token is nested in this one. Other types don't matter.
    kind = content_type.lower().removeprefix("application/") if isinstance(content_type, str) else "jwt"
    if kind == "jwt" or kind.endswith("+jwt"):
        raise UnsupportedHeader("nested tokens are not supported", actual=["cty"])


def _named(members: Iterable[str]) -> list[str]:
    return sorted(_REFUSED_HEADERS.intersection(members))
