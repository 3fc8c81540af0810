"""The second half of verification, for access tokens: kind, times, audience, user and scopes.

RFC 7519 §4.1, RFC 8725 §3, RFC 9068 §4.

`ACCESS_TOKEN_STEPS` is the table of all checks of an access token, those of `signatures.py` first. `TokenVerifier`
makes them in a straight line and stops at the first failure; `tenantgate explain` makes every check of the table. To
add a check, write its function, add it to the table, and call it in the straight line: a test keeps both equal.
"""

from __future__ import annotations

from tenantgate.errors.tokens import InvalidClaim, MissingClaim, WrongAudience, WrongTokenType
from tenantgate.tokens.claims import (
    LONGEST_TEXT,
    Claims,
    all_texts,
    check_expiry,
    check_times,
    find,
    no_text,
    one_text,
    required_text,
    shown,
)
from tenantgate.tokens.issuers import ACCESS_TOKEN_TYPE, SCOPE_CLAIMS, IssuerPolicy
from tenantgate.tokens.jws import Header
from tenantgate.tokens.signatures import SIGNATURE_STEPS, Step, TrustedIssuer

# Members of an ID token (OpenID Connect Core §2, §3.3.2.11) and of a logout token (Back-Channel Logout §2.4).
_ID_TOKEN_CLAIMS = frozenset({"nonce", "at_hash", "c_hash", "s_hash"})
_LOGOUT_TOKEN_CLAIM = "events"  # noqa: S105 - the name of a claim
# Cognito and Keycloak name the kind of a token in its claims, too.
_KIND_CLAIMS = _ID_TOKEN_CLAIMS | {_LOGOUT_TOKEN_CLAIM, "token_use", "typ"}
_OTHER_KINDS = frozenset({"id", "refresh", "offline", "logout"})
# Claims in which providers name the client that a token was issued to.
CLIENT_CLAIMS = ("azp", "client_id", "cid", "appid")


def check_kind(claims: Claims, header: Header, issuer: TrustedIssuer) -> None:
    """Refuse ID tokens, logout tokens and other kinds: they are no bearer tokens (RFC 8725 §3.11, §3.12)."""
    kind = header.typ
    if kind == issuer.sure_type and _KIND_CLAIMS.isdisjoint(claims):
        return
    policy = issuer.policy
    if kind not in policy.token_types:
        raise WrongTokenType("typ is not accepted", expected=sorted(policy.token_types), actual=shown(kind))
    if not _KIND_CLAIMS.isdisjoint(claims):
        _check_kind_claims(claims, policy)
    if kind != ACCESS_TOKEN_TYPE and not policy.allow_id_tokens and not _is_surely_an_access_token(claims):
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
    found = sorted(name for name in _ID_TOKEN_CLAIMS if claims.get(name) is not None)
    if found and not policy.allow_id_tokens:
        raise WrongTokenType("this is an ID token", actual=found)
    use, kind = claims.get("token_use"), claims.get("typ")
    if use is not None and (not isinstance(use, str) or use not in policy.token_uses):
        raise WrongTokenType("token_use is not accepted", expected=sorted(policy.token_uses), actual=shown(use))
    if kind is not None and (
        not isinstance(kind, str) or (kind.lower() in _OTHER_KINDS and not policy.allow_id_tokens)
    ):
        raise WrongTokenType("the claim typ names another kind of token", actual=shown(kind))


def _is_surely_an_access_token(claims: Claims) -> bool:
    """Tell whether the claims say so. `azp`, `client_id` and `jti` prove nothing: ID tokens have them, too."""
    for name in SCOPE_CLAIMS:
        value = claims.get(name)
        # At least one scope that is more than blanks.
        if isinstance(value, str | list) and any(isinstance(scope, str) and scope.strip() for scope in value):
            return True
    # The accepted values of token_use were checked before.
    use, kind = claims.get("token_use"), claims.get("typ")
    return (isinstance(use, str) and use != "id") or (isinstance(kind, str) and kind.lower() == "bearer")


def _client_in_audience(claims: Claims, policy: IssuerPolicy) -> str | None:
    """Return the client in the token's audience, if any: the token may be an ID token or a signed UserInfo response.

    An ID token always names its client in `aud` (OpenID Connect Core §2); one from a refresh has no `nonce`. A token
    without `aud` can't be an ID token, so only a client of the policy counts there.
    """
    audience = claims.get("aud")
    own = [claims.get(name) for name in CLIENT_CLAIMS]
    for value in audience if isinstance(audience, list) else (audience,):
        if isinstance(value, str) and (value in policy.client_ids or value in own):
            return value
    for name in policy.audience_claims:
        value = claims.get(name)
        if value is not None:
            return value if isinstance(value, str) and value in policy.client_ids else None
    return None


def check_audience(claims: Claims, issuer: TrustedIssuer) -> None:
    """Refuse a token for another audience: the first audience claim that is present must name this API."""
    if issuer.needs_aud_only and claims.get("aud") == issuer.audience:
        return
    policy = issuer.policy
    for name in policy.audience_claims:
        if claims.get(name) is not None:
            _check_one_audience(name, claims[name], policy.audiences)
            break
    else:
        raise MissingClaim(f"{' or '.join(policy.audience_claims)} is missing", claim=policy.audience_claims[0])
    # RFC 7519 §4.1.3: a recipient that a present `aud` doesn't name must refuse the token, even if another claim fits.
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
    raise WrongAudience(f"{name} names another audience", claim=name, expected=accepted, actual=shown(value))


def read_subject(claims: Claims, issuer: TrustedIssuer) -> tuple[str, str | None]:
    """Return the user id, from `sub` or the issuer's own claim, and the token's id (`jti`, RFC 7519 §4.1.7)."""
    user = required_text(claims, "sub")
    if issuer.user_claim != "sub":
        user = _mapped_user(claims, issuer.user_claim)
    token_id = claims.get("jti")
    if token_id is None:
        return user, None
    if isinstance(token_id, str) and token_id.isprintable():
        return user, token_id or None
    raise InvalidClaim("jti is not a printable text", claim="jti", actual=shown(token_id))


def _mapped_user(claims: Claims, name: str) -> str:
    value = find(claims, name)
    text = one_text(value)
    if text and len(text) <= LONGEST_TEXT and text.isprintable():
        return text
    raise no_text(name, value)


# An issuer's tokens repeat the same few scope texts. Only signed claims get here. No long text is kept: as a set of
# short words it takes 40 times its length in memory.
_MOST_KEPT = 256
_LONGEST_KEPT = 512
_split_before: dict[str, frozenset[str]] = {}
_NO_SCOPES: frozenset[str] = frozenset()


def read_scopes(claims: Claims, issuer: TrustedIssuer) -> frozenset[str]:
    """Return the scopes in all of the issuer's scope claims, as far as the issuer may give them.

    A claim holds a space-separated text (RFC 8693 §4.2) or a list of texts.
    """
    found = _NO_SCOPES
    for name in issuer.scope_claims:
        value = claims.get(name)
        if value is None and "." in name:
            value = find(claims, name)
        if value is not None:
            scopes = _split_before.get(value) if isinstance(value, str) else None
            if scopes is None:
                scopes = _scopes(name, value)
            found = found | scopes if found else scopes
    return found if issuer.scopes is None else found & issuer.scopes


def _scopes(name: str, value: object) -> frozenset[str]:
    if isinstance(value, str) and value.isprintable():
        scopes = frozenset(value.split())
        if len(value) <= _LONGEST_KEPT:
            if len(_split_before) >= _MOST_KEPT:
                _split_before.clear()
            _split_before[value] = scopes
        return scopes
    if isinstance(value, list) and all_texts(value) and all(scope.isprintable() for scope in value):
        # A scope with a blank would become several, once joined for the authorizer's context.
        return frozenset(scope for scope in value if scope and " " not in scope)
    raise InvalidClaim(f"{name} is neither a text nor a list of texts", claim=name, actual=shown(value))


ACCESS_TOKEN_STEPS: tuple[Step, ...] = (
    *SIGNATURE_STEPS,
    ("type", check_kind, ()),
    ("times", check_times, ("issued_at", "expires_at", "valid_from")),
    ("audience", check_audience, ()),
    ("subject", read_subject, ("user_id", "token_id")),
    ("scopes", read_scopes, ("scopes",)),
    # Last, so that only a token without another fault is called expired.
    ("expiry", check_expiry, ()),
)
