"""The plain form of a token: what PyJWT and joserfc understand of the forms that only the product accepts.

Each difference is named here, and no other is forgiven. The product follows RFC 7515 and RFC 7519 where these libraries
are stricter: hints at keys are ignored whatever their form, `null` members count as absent, times may have fractions
(the libraries differ on them), an empty `typ` or `jti` says as much as none, and `Ed25519` is `EdDSA` with that curve
(RFC 9864 §2.2), which they know by the older name only.
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
    """Without hints and null members (an empty `typ` is one as well), and with the older name of the algorithm."""
    plain = {
        name: value
        for name, value in header.items()
        if name not in _HINTS
        and not (value is None and name in _HEADERS)
        and not (value == "" and name == "typ")
        # A content type that isn't a token's.
        and name != "cty"
    }
    return plain | {"alg": "EdDSA"} if plain.get("alg") == "Ed25519" else plain


def plain_claims(claims: Mapping[str, object]) -> Members:
    """With whole seconds, never more generous than the fraction, and without optional claims that are null."""
    plain = {name: value for name, value in claims.items() if not (value is None and name in _CLAIMS)}
    if plain.get("jti") == "":
        del plain["jti"]
    # Never earlier than it says for what must be past, never later for what must be in the future.
    for name, whole in (("iat", math.ceil), ("nbf", math.ceil), ("exp", math.floor)):
        value = plain.get(name)
        if isinstance(value, float) and math.isfinite(value):
            plain[name] = whole(value)
    return plain
