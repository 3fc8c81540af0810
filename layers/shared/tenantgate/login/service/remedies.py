"""One remedy for each check that a token of a sign-in can fail, for the operator."""

from __future__ import annotations

from tenantgate.errors.revocation import TokenRevoked
from tenantgate.errors.tokens import (
    AlgorithmNotAllowed,
    IdTokenRefused,
    InvalidClaim,
    InvalidSignature,
    IssuedInFuture,
    LifetimeTooLong,
    MalformedToken,
    MissingClaim,
    NotYetValid,
    TenantMalformed,
    TenantMissing,
    TenantNotAllowed,
    TokenError,
    TokenExpired,
    UnknownKey,
    UnsupportedHeader,
    WrongAudience,
    WrongIssuer,
    WrongTokenType,
)

ISSUER_PAIR = (
    "The ID token and the access token come from two issuers. If this provider works that way, set "
    "OIDC_ACCESS_TOKEN_ISSUER to the issuer of its access tokens and add that issuer to TRUSTED_ISSUERS. If it is set, "
    "compare it with the access token's iss."
)
_OPAQUE = (
    "The provider issued an opaque access token. Set OIDC_RESOURCE (or `audience` in OIDC_AUTHORIZE_PARAMS) so that it "
    "issues a JWT for this API, and OIDC_AUDIENCE to the audience in that JWT."
)
_CLOCK = "Compare the clocks of this host and the provider; JWT_LEEWAY_SECONDS is the allowed difference."

ACCESS_TOKEN: dict[type[TokenError], str] = {
    MalformedToken: "The access token is not a JWT in compact form, or is too long. Ask the provider for a signed, "
    "unencrypted JWT.",
    AlgorithmNotAllowed: "The access token is signed with an algorithm that isn't allowed. Choose an asymmetric "
    "one at the provider (HMAC is never allowed), or add it to `algorithms` of the issuer's entry in "
    "TRUSTED_ISSUERS.",
    UnsupportedHeader: "The access token's header has a member that is not supported. Turn off that extension at the "
    "provider.",
    UnknownKey: "The provider publishes no key that matches the access token. Compare its key set with the token's "
    "kid. Some providers publish the keys at another URL: set `jwks_uri` of the issuer's entry in "
    "TRUSTED_ISSUERS.",
    InvalidSignature: "The access token's signature doesn't verify with the provider's key. Request a token for "
    "this API (set OIDC_SCOPES or OIDC_RESOURCE): some providers sign tokens for their own APIs in a way that only "
    "those can verify.",
    WrongTokenType: "The access token is another type of token, such as an ID token. Have the provider issue an "
    "access token for this API; `token_types` and `token_use` of the issuer's entry in TRUSTED_ISSUERS name the "
    "accepted types. A token for the client OIDC_CLIENT_ID must be marked as an access token (by the header's typ "
    "`at+jwt`, or a scope). A token for an audience of this API, named in OIDC_AUDIENCE, needs no mark.",
    MissingClaim: "The access token lacks the claim {claim}. Have the provider add it, or name another claim in the "
    "issuer's entry in TRUSTED_ISSUERS (`audience_claims`, `claims`).",
    InvalidClaim: "The access token's claim {claim} has an invalid form. Change it at the provider, or name "
    "another claim in the issuer's entry in TRUSTED_ISSUERS.",
    WrongIssuer: "The access token names an issuer that isn't trusted. Compare its iss with OIDC_ISSUER_URL; a "
    "provider that issues access tokens as another issuer needs OIDC_ACCESS_TOKEN_ISSUER and an entry in "
    "TRUSTED_ISSUERS.",
    WrongAudience: "The access token is for another audience. Set OIDC_AUDIENCE to the audience that the "
    "provider adds to it, or OIDC_RESOURCE to the resource whose audience OIDC_AUDIENCE names.",
    NotYetValid: f"The access token isn't valid yet. {_CLOCK}",
    IssuedInFuture: f"The access token was issued in the future. {_CLOCK}",
    LifetimeTooLong: "The access token's lifetime is too long. Shorten it at the provider, or increase "
    "JWT_MAX_LIFETIME_MINUTES.",
    TokenRevoked: "The provider issued an access token that is revoked here. Sign in again; have a revoked key "
    "replaced at the provider.",
    TokenExpired: f"The provider issued an access token that has already expired. {_CLOCK}",
    TenantMissing: "The access token names no tenant. Have the provider add one under a claim that "
    "JWT_TENANT_CLAIM_NAME (or `claims.tenant` of the issuer's entry in TRUSTED_ISSUERS) names, and make sure that "
    "the user belongs to a tenant.",
    TenantMalformed: "The tenant in the access token has an invalid form. Compare it with TENANT_ID_PATTERN.",
    TenantNotAllowed: "The issuer may not issue tokens for the tenant in the access token. Add the tenant to "
    "`tenants` of its entry in TRUSTED_ISSUERS.",
}

_ID_TOKEN: dict[str, str] = {
    "WrongIssuer": "The ID token comes from another issuer. Set OIDC_ISSUER_URL to exactly its iss.",
    "WrongAudience": "The ID token is for another client. Compare OIDC_CLIENT_ID with the client registered "
    "at the provider.",
    "AlgorithmNotAllowed": "The ID token is signed with an algorithm that isn't allowed. Choose an asymmetric one "
    "at the provider.",
    "UnknownKey": "The provider publishes no key that matches the ID token. Compare its key set with the token's kid.",
    "InvalidSignature": "The ID token's signature doesn't verify with the provider's key.",
    "NotYetValid": f"The ID token isn't valid yet. {_CLOCK}",
    "IssuedInFuture": f"The ID token was issued in the future. {_CLOCK}",
    "TokenRevoked": "The key that signed the ID token is revoked here. Have it replaced at the provider.",
    "TokenExpired": f"The ID token has already expired. {_CLOCK}",
}
_OTHERWISE = "Start again. If it fails again, the log line with the request id names the check that failed."


def access_token_remedy(error: TokenError, access_token: str) -> str:
    """Return the remedy of the check that failed, or of the nearest base class that has one."""
    if isinstance(error, MalformedToken) and access_token.count(".") != 2:
        return _OPAQUE
    for kind in type(error).__mro__:
        if kind in ACCESS_TOKEN:
            claim = error.private.get("claim")
            return ACCESS_TOKEN[kind].format(claim=claim if isinstance(claim, str) else "")
    return "The access token was refused. The log line with the request id names the check that failed."


def id_token_remedy(error: IdTokenRefused) -> str:
    """Return the remedy of the check that `IdTokenRefused.private` names."""
    return _ID_TOKEN.get(str(error.private.get("check")), _OTHERWISE)
