"""What an operator can do about a token that a sign-in brought and that failed a check: one remedy for each check."""

from __future__ import annotations

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
    "The ID token and the access token come from two issuers. If that is how this provider works, set "
    "OIDC_ACCESS_TOKEN_ISSUER to the issuer of its access tokens and give that issuer an entry in TRUSTED_ISSUERS; "
    "if the setting is there, compare it with the access token's iss."
)
_OPAQUE = (
    "The provider issued an opaque access token. Set OIDC_RESOURCE (or `audience` in OIDC_AUTHORIZE_PARAMS) so that it "
    "issues a JWT for this API, and OIDC_AUDIENCE to the audience that it puts there."
)
_CLOCK = "Compare this host's clock and the provider's; JWT_LEEWAY_SECONDS is the difference that is allowed."

ACCESS_TOKEN: dict[type[TokenError], str] = {
    MalformedToken: "The access token is not a JWT in compact form, or is too long. Ask the provider for a signed, "
    "unencrypted JWT.",
    AlgorithmNotAllowed: "The access token is signed with an algorithm that isn't accepted. Choose an asymmetric "
    "one at the provider (HMAC can't be accepted), or add it to `algorithms` of the issuer's entry in "
    "TRUSTED_ISSUERS.",
    UnsupportedHeader: "The access token's header has a member that can't be accepted. Turn that extension off at the "
    "provider.",
    UnknownKey: "The provider publishes no key that fits the access token. Compare its key set with the token's "
    "kid; some providers sign with keys that are under another URL, for `jwks_uri` of the issuer's entry in "
    "TRUSTED_ISSUERS.",
    InvalidSignature: "The access token's signature doesn't verify by the provider's key. Ask for a token that is "
    "meant for this API: some providers sign tokens for their own APIs in a way that only those can check (set "
    "OIDC_SCOPES or OIDC_RESOURCE).",
    WrongTokenType: "The token in place of the access token is of another kind (an ID token, say). Have the provider "
    "issue an access token for this API; `token_types` and `token_use` of the issuer's entry in TRUSTED_ISSUERS say "
    "which kinds are accepted. One for the client OIDC_CLIENT_ID must say that it is an access token (the header's typ "
    "`at+jwt`, or a scope); one for an audience of this API, named in OIDC_AUDIENCE, need not.",
    MissingClaim: "The access token lacks the claim {claim}. Have the provider add it, or name another claim in the "
    "issuer's entry in TRUSTED_ISSUERS (`audience_claims`, `claims`).",
    InvalidClaim: "The access token's claim {claim} has a form that isn't accepted. Change it at the provider, or name "
    "another claim in the issuer's entry in TRUSTED_ISSUERS.",
    WrongIssuer: "The access token names an issuer that isn't trusted. Compare its iss with OIDC_ISSUER_URL; a "
    "provider that issues access tokens as another issuer needs OIDC_ACCESS_TOKEN_ISSUER and an entry in "
    "TRUSTED_ISSUERS.",
    WrongAudience: "The access token is meant for another audience. Set OIDC_AUDIENCE to the audience that the "
    "provider puts into it, or OIDC_RESOURCE to the resource whose audience OIDC_AUDIENCE names.",
    NotYetValid: f"The access token isn't valid yet. {_CLOCK}",
    IssuedInFuture: f"The access token was issued in the future. {_CLOCK}",
    LifetimeTooLong: "The access token lives longer than is accepted. Shorten its lifetime at the provider, or raise "
    "JWT_MAX_LIFETIME_MINUTES.",
    TokenExpired: f"The provider issued an access token that has expired already. {_CLOCK}",
    TenantMissing: "The access token names no tenant. Have the provider add one under a claim that "
    "JWT_TENANT_CLAIM_NAME (or `claims.tenant` of the issuer's entry in TRUSTED_ISSUERS) names, and see that the "
    "user belongs to a tenant.",
    TenantMalformed: "The tenant in the access token has a form that isn't accepted. Compare it with "
    "TENANT_ID_PATTERN.",
    TenantNotAllowed: "The issuer may not speak for the tenant in the access token. Add the tenant to `tenants` of its "
    "entry in TRUSTED_ISSUERS.",
}

_ID_TOKEN: dict[str, str] = {
    "WrongIssuer": "The ID token comes from another issuer. Set OIDC_ISSUER_URL to its iss, letter by letter.",
    "WrongAudience": "The ID token is meant for another client. Compare OIDC_CLIENT_ID with the client registered "
    "at the provider.",
    "AlgorithmNotAllowed": "The ID token is signed with an algorithm that isn't accepted. Choose an asymmetric one "
    "at the provider.",
    "UnknownKey": "The provider publishes no key that fits the ID token. Compare its key set with the token's kid.",
    "InvalidSignature": "The ID token's signature doesn't verify by the provider's key.",
    "NotYetValid": f"The ID token isn't valid yet. {_CLOCK}",
    "IssuedInFuture": f"The ID token was issued in the future. {_CLOCK}",
    "TokenExpired": f"The ID token has expired already. {_CLOCK}",
}
_OTHERWISE = "Start again; if it stays, the log line under the request id names the check that failed."


def access_token_remedy(error: TokenError, access_token: str) -> str:
    """The remedy of the check that failed; of a subclass, its nearest base's."""
    if isinstance(error, MalformedToken) and access_token.count(".") != 2:
        return _OPAQUE
    for kind in type(error).__mro__:
        if kind in ACCESS_TOKEN:
            claim = error.private.get("claim")
            return ACCESS_TOKEN[kind].format(claim=claim if isinstance(claim, str) else "")
    return "The access token was refused; the log line under the request id names the check that failed."


def id_token_remedy(error: IdTokenRefused) -> str:
    """The remedy of the check that `IdTokenRefused.private` names."""
    return _ID_TOKEN.get(str(error.private.get("check")), _OTHERWISE)
