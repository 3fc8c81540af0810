"""The checks of an ID token after its signature (OpenID Connect Core §3.1.3.7, §3.1.3.8, §3.3.2.11)."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from types import MappingProxyType

from tenantgate.errors.tokens import InvalidClaim, MissingClaim, WrongAudience, WrongTokenType
from tenantgate.tokens.claims import Claims, VerifiedToken, check_expiry, check_times, required_text, shown
from tenantgate.tokens.jws import Header

_ID_TOKEN_TYPES = frozenset({"jwt", ""})
_DIGESTS = {"256": "sha256", "384": "sha384", "512": "sha512"}


def check_id_token(
    claims: dict[str, object],
    header: Header,
    *,
    kid: str | None,
    client_id: str,
    nonce: str | None,
    access_token: str | None,
    code: str | None,
    now: float,
    leeway: int,
    allow_expired: bool,
) -> VerifiedToken:
    """Check the claims and return the token. `kid`: of the key that signed it.

    Raises the `TokenError` of the first check that fails.
    """
    if header.typ not in _ID_TOKEN_TYPES or claims.get("events") is not None:
        raise WrongTokenType("this is not an ID token", actual=shown(header.typ))
    if claims.get("token_use") not in (None, "id"):
        raise WrongTokenType("this is not an ID token", actual=shown(claims["token_use"]))
    issued_at, expires_at, _ = check_times(claims, now, leeway)
    if not allow_expired:
        check_expiry(expires_at, now, leeway)
    check_client(claims, client_id)
    subject = required_text(claims, "sub")
    if nonce is not None:
        # Binds the ID token to this browser's sign-in: a stolen one can't be injected into another sign-in.
        _require_equal("nonce", required_text(claims, "nonce"), nonce)
    for name, value in (("at_hash", access_token), ("c_hash", code)):
        if value is not None and claims.get(name) is not None:
            _require_equal(name, required_text(claims, name), half_hash(value, header.alg))
    return VerifiedToken(
        str(claims["iss"]), subject, issued_at, expires_at, frozenset(), MappingProxyType(claims), None, kid
    )


def half_hash(value: str, alg: str) -> str:
    """Return the left half of the hash that `alg` uses, base64url (§3.1.3.6); SHA-512 for EdDSA with Ed25519."""
    digest = hashlib.new(_DIGESTS.get(alg[2:], "sha512"), value.encode()).digest()
    return urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


def check_client(claims: Claims, client_id: str) -> None:
    """Refuse a token for another client (§3.1.3.7, 3 to 5)."""
    if claims.get("aud") is None:
        raise MissingClaim("aud is missing", claim="aud")
    audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if not audiences or not all(isinstance(audience, str) for audience in audiences):
        raise InvalidClaim("aud is neither a text nor a list of texts", claim="aud", actual=shown(claims["aud"]))
    if client_id not in audiences:
        raise WrongAudience("aud is another client", expected=client_id, actual=shown(claims["aud"]))
    # An ID token for several audiences names its client in azp.
    authorized_party = claims.get("azp")
    if (authorized_party is not None or len(audiences) > 1) and authorized_party != client_id:
        raise WrongAudience("azp is another client", expected=client_id, actual=shown(authorized_party))


def _require_equal(name: str, actual: str, expected: str) -> None:
    if not hmac.compare_digest(actual.encode(), expected.encode()):
        raise InvalidClaim(f"{name} doesn't match", claim=name)
