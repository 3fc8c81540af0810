"""The first half of verification: from a token's text to claims that a trusted issuer has signed (RFC 7515 §5.2).

`SIGNATURE_STEPS` is the table of its checks. `signed_token` makes them in a straight line, because a loop over the
table would cost a twentieth of the signature, and stops at the first failure; `tenantgate explain` makes every check
of the table. A test keeps the straight line and the table equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature as BadSignature

from tenantgate.errors.tokens import AlgorithmNotAllowed, InvalidSignature, MissingClaim, WrongIssuer
from tenantgate.tokens.claims import Claims, shown
from tenantgate.tokens.issuers import ACCESS_TOKEN_TYPE, IssuerPolicy
from tenantgate.tokens.jws import Header, read_jws

if TYPE_CHECKING:
    from tenantgate.tokens.key_source import IssuerKeys
    from tenantgate.tokens.keys import Check, Found

type Step = tuple[str, Callable[..., object], tuple[str, ...]]
"""One check: its name, the function that makes it, and the names of the values that the function returns.

The function's parameters name the values that it reads: results of earlier steps and inputs of the verification.
"""

# At most 12 KB each, and nearly always a hundred bytes.
_MOST_HEADERS = 64


class TrustedIssuer:
    """An issuer's policy and keys. The policy's members that every token is compared with are attributes."""

    __slots__ = (
        "algorithms", "audience", "issuer", "keys", "needs_aud_only", "policy", "scope_claims", "scopes", "sure_type",
        "user_claim",
    )  # fmt: skip

    def __init__(self, policy: IssuerPolicy, keys: IssuerKeys) -> None:
        self.policy = policy
        self.keys = keys
        self.issuer = policy.issuer
        self.algorithms = policy.algorithms
        # A header of this type settles that the token is an access token.
        self.sure_type = ACCESS_TOKEN_TYPE if ACCESS_TOKEN_TYPE in policy.token_types else None
        self.needs_aud_only = policy.audience_claims == ("aud",)
        self.audience = policy.audiences[0]
        self.user_claim = policy.user_claim
        self.scope_claims = policy.scope_claims
        self.scopes = policy.scopes


# A plain tuple, because making a record costs a hundredth of the signature.
type Signed = tuple[Header, dict[str, object], TrustedIssuer, int]
"""Header, claims, issuer, and the generation of the key set that verified the signature."""


def signed_token(
    token: str, issuers: Mapping[str, TrustedIssuer], headers: dict[bytes, Header], now: float, fetch: bool
) -> Signed:
    """Read a token and check its signature; raises the `TokenError` of the first step that fails.

    The claims say only what the issuer signed: nothing of them has been checked but `iss`. `headers` holds headers
    that were read before, by their segment. Without `fetch`, raises `KeyFetchNeeded` when only a fetch could find the
    key.
    """
    header, claims, signature, signed, header_segment = read_jws(token, headers)
    issuer = trusted_issuer(claims, issuers)
    check_algorithm(header, issuer)
    key, generation = find_key(header, issuer, now, fetch)
    verify_signature(key, signature, signed, header)
    if header_segment not in headers:
        # Only headers with a valid signature are kept, so that no unknown client can fill the memory.
        if len(headers) >= _MOST_HEADERS:
            headers.clear()
        headers[header_segment] = header
    return header, claims, issuer, generation


def trusted_issuer(claims: Claims, issuers: Mapping[str, TrustedIssuer]) -> TrustedIssuer:
    """Return the issuer that the token names. Until the signature is checked, this only chooses whose keys to try."""
    name = claims.get("iss")
    issuer = issuers.get(name) if isinstance(name, str) else None
    if issuer is not None:
        return issuer
    if "iss" not in claims:
        raise MissingClaim("iss is missing", claim="iss", expected=sorted(issuers))
    raise WrongIssuer("iss is not trusted", expected=sorted(issuers), actual=shown(name))


def check_algorithm(header: Header, issuer: TrustedIssuer) -> None:
    """Refuse an `alg` that the issuer's policy doesn't allow (RFC 8725 §3.1)."""
    if header.alg not in issuer.algorithms:
        raise AlgorithmNotAllowed("alg is not allowed", expected=sorted(issuer.algorithms), actual=shown(header.alg))


def find_key(header: Header, issuer: TrustedIssuer, now: float, fetch: bool) -> Found:
    """Return the issuer's key for the header, and the generation of its key set.

    The generation is the key's own: when a key disappears meanwhile, what it verified is out of date.
    """
    held = issuer.keys.held
    found = held.found.get((header.kid, header.alg))
    if found is not None and now < held.tend_at:
        return found
    return issuer.keys.find(header.kid, header.alg, fetch=fetch)


def verify_signature(key: Check, signature: bytes, signed: bytes, header: Header) -> None:
    """Refuse a signature that the key doesn't verify."""
    try:
        key(signature, signed)
    except BadSignature:
        raise InvalidSignature("signature doesn't verify", alg=header.alg, kid=shown(header.kid)) from None


def signing_kid(header: Header, issuer: TrustedIssuer) -> str | None:
    """Return the `kid` of the key that verified the token, None if the key has none.

    Without one in the header it is the key's own: a thief of a revoked key could leave it out.
    """
    kid = header.kid
    return issuer.keys.held.keys.only_kid(header.alg) if kid is None else kid


SIGNATURE_STEPS: tuple[Step, ...] = (
    ("form", read_jws, ("header", "claims", "signature", "signed", "header_segment")),
    ("issuer", trusted_issuer, ("issuer",)),
    ("algorithm", check_algorithm, ()),
    ("key", find_key, ("key", "generation")),
    ("signature", verify_signature, ()),
)
