"""The checks that tell an access token for this API from other tokens: its kind and its audience.

RFC 7519 §4.1.3, RFC 8725 §3, RFC 9068 §4.
"""

from __future__ import annotations

from tenantgate.errors.tokens import InvalidClaim, MissingClaim, WrongAudience, WrongTokenType
from tenantgate.tokens.claims import Claims, all_texts, shown
from tenantgate.tokens.issuers import SCOPE_CLAIMS, IssuerPolicy
from tenantgate.tokens.jws import Header

# Members of an ID token (OpenID Connect Core §2, §3.3.2.11) and of a logout token (Back-Channel Logout §2.4).
_ID_TOKEN_CLAIMS = frozenset({"nonce", "at_hash", "c_hash", "s_hash"})
_LOGOUT_TOKEN_CLAIM = "events"  # noqa: S105 - the name of a claim
# Cognito and Keycloak name the kind of a token in its claims, too.
KIND_CLAIMS = _ID_TOKEN_CLAIMS | {_LOGOUT_TOKEN_CLAIM, "token_use", "typ"}
_OTHER_KINDS = frozenset({"id", "refresh", "offline", "logout"})
# Where providers name the client that a token was issued to.
_CLIENT_CLAIMS = ("azp", "client_id", "cid", "appid")
# RFC 9068 §2.1: only access tokens have it.
ACCESS_TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type


def check_kind(claims: Claims, header: Header, policy: IssuerPolicy) -> None:
    """ID tokens, logout tokens and others are no bearer tokens (RFC 8725 §3.11, §3.12)."""
    if header.typ not in policy.token_types:
        raise WrongTokenType("typ is not accepted", expected=sorted(policy.token_types), actual=shown(header.typ))
    if not KIND_CLAIMS.isdisjoint(claims):
        _check_kind_claims(claims, policy)
    if header.typ != ACCESS_TOKEN_TYPE and not policy.allow_id_tokens and not _is_surely_an_access_token(claims):
        client = _client_in_audience(claims, policy)
        if client is not None:
            raise WrongTokenType(
                "its audience is a client, and nothing says that it is an access token",
                expected="typ at+jwt, token_use access, scope, scp, or Keycloak's typ Bearer; or another audience",
                actual=shown(client),
            )


def _check_kind_claims(claims: Claims, policy: IssuerPolicy) -> None:
    if claims.get(_LOGOUT_TOKEN_CLAIM) is not None:
        raise WrongTokenType("this is a logout token", actual=_LOGOUT_TOKEN_CLAIM)
    telling = sorted(name for name in _ID_TOKEN_CLAIMS if claims.get(name) is not None)
    if telling and not policy.allow_id_tokens:
        raise WrongTokenType("this is an ID token", actual=telling)
    use, kind = claims.get("token_use"), claims.get("typ")
    if use is not None and (not isinstance(use, str) or use not in policy.token_uses):
        raise WrongTokenType("token_use is not accepted", expected=sorted(policy.token_uses), actual=shown(use))
    if kind is not None and (
        not isinstance(kind, str) or (kind.lower() in _OTHER_KINDS and not policy.allow_id_tokens)
    ):
        raise WrongTokenType("the claim typ names another kind of token", actual=shown(kind))


def _is_surely_an_access_token(claims: Claims) -> bool:
    """Whether the claims say so. `azp`, `client_id` and `jti` say nothing: ID tokens have them as well."""
    for name in SCOPE_CLAIMS:
        value = claims.get(name)
        # At least one scope that is more than blanks.
        if isinstance(value, str | list) and any(isinstance(scope, str) and scope.strip() for scope in value):
            return True
    # The accepted values of token_use were checked before.
    use, kind = claims.get("token_use"), claims.get("typ")
    return (isinstance(use, str) and use != "id") or (isinstance(kind, str) and kind.lower() == "bearer")


def _client_in_audience(claims: Claims, policy: IssuerPolicy) -> str | None:
    """The client that the token is for, if it is for one: it may be an ID token then, or a signed UserInfo response.

    An ID token always names its client in `aud` (OpenID Connect Core §2); one from a refresh has no `nonce`. Without
    `aud`, a token is no ID token, so only a client that is known as one counts.
    """
    audience = claims.get("aud")
    own = [claims.get(name) for name in _CLIENT_CLAIMS]
    for value in audience if isinstance(audience, list) else (audience,):
        if isinstance(value, str) and (value in policy.client_ids or value in own):
            return value
    for name in policy.audience_claims:
        value = claims.get(name)
        if value is not None:
            return value if isinstance(value, str) and value in policy.client_ids else None
    return None


def check_audience(claims: Claims, policy: IssuerPolicy) -> None:
    """The first audience claim that is present must name this API, and `aud` must whenever it is present."""
    for name in policy.audience_claims:
        if claims.get(name) is not None:
            _check_one_audience(name, claims[name], policy.audiences)
            break
    else:
        raise MissingClaim(f"{' or '.join(policy.audience_claims)} is missing", claim=policy.audience_claims[0])
    # RFC 7519 §4.1.3: who isn't named by a present `aud` must refuse, whatever another claim says.
    if name != "aud" and claims.get("aud") is not None:
        _check_one_audience("aud", claims["aud"], policy.audiences)


def _check_one_audience(name: str, value: object, accepted: tuple[str, ...]) -> None:
    if isinstance(value, str):
        if value in accepted:
            return
    elif not isinstance(value, list) or not value or not all_texts(value):
        raise InvalidClaim(f"{name} is neither a text nor a list of texts", claim=name, actual=shown(value))
    elif any(audience in accepted for audience in value):
        return
    raise WrongAudience(f"{name} names somebody else", claim=name, expected=accepted, actual=shown(value))
