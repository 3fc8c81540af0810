"""The plain form of a token: a form that PyJWT and joserfc also accept.

Each accepted difference is listed here, and any other is a finding. These libraries are stricter than RFC 7515 and RFC
7519, which the product follows: key hints are ignored in any form, `null` members count as absent, times may have
fractions (the libraries differ on them), an empty `typ` or `jti` counts as absent, and `Ed25519` is `EdDSA` with that
curve (RFC 9864 §2.2), which the libraries know only by the older name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

type Members = dict[str, object]

_HINTS = frozenset({"jku", "x5u", "x5c", "x5t", "x5t#S256"})
_HEADERS = frozenset({"kid", "typ", "cty"})
_CLAIMS = frozenset(
    {"nbf", "jti", "scope", "scp", "nonce", "at_hash", "c_hash", "s_hash", "events", "token_use", "typ"}
)


def plain_header(header: Mapping[str, object]) -> Members:
    """Remove hints, null members and an empty `typ`, and use the older name of the algorithm."""
    plain = {
        name: value
        for name, value in header.items()
        if name not in _HINTS
        and not (value is None and name in _HEADERS)
        and not (value == "" and name == "typ")
        # A content type other than a token's.
        and name != "cty"
    }
    return plain | {"alg": "EdDSA"} if plain.get("alg") == "Ed25519" else plain


def plain_claims(claims: Mapping[str, object]) -> Members:
    """Round times to whole seconds, never more generous than the fraction, and remove optional null claims."""
    plain = {name: value for name, value in claims.items() if not (value is None and name in _CLAIMS)}
    if plain.get("jti") == "":
        del plain["jti"]
    # Times that must be in the past are rounded up, times that must be in the future down.
    for name, whole in (("iat", math.ceil), ("nbf", math.ceil), ("exp", math.floor)):
        value = plain.get(name)
        if isinstance(value, float) and math.isfinite(value):
            plain[name] = whole(value)
    return plain
