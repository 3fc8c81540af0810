"""Logout tokens as the relying party checks them (OpenID Connect Back-Channel Logout 1.0 §2.4, §2.6)."""

from __future__ import annotations

import json

import jwt
import pytest

from tenantgate.errors.tokens import (
    AlgorithmNotAllowed,
    InvalidClaim,
    InvalidSignature,
    LifetimeTooLong,
    MalformedToken,
    MissingClaim,
    TokenError,
    TokenExpired,
    WrongAudience,
    WrongIssuer,
    WrongTokenType,
)
from tenantgate.tokens.logout_token import LOGOUT_EVENT, LogoutToken
from tests.fixtures.tokens.issuer import (
    ALGORITHM_KEYS,
    ISSUER,
    NOW,
    NULL,
    Claims,
    ManualClock,
    good_claims,
    public_jwk,
    sign,
    static_verifier,
)

CLIENT = "a-client"
EVENTS: Claims = {LOGOUT_EVENT: {}}


def _claims(**changes: object) -> Claims:
    defaults: Claims = {"aud": CLIENT, "exp": NOW + 110, "sid": "sid-1", "events": EVENTS}
    left_out: Claims = dict.fromkeys(("client_id", "scope", "tenant_id"))
    return good_claims(**(defaults | left_out | changes))  # type: ignore[arg-type]


def _verify(token: str, *, now: float = NOW, trusted_issuers: str = "") -> LogoutToken:
    verifier = static_verifier(clock=ManualClock(now), trusted_issuers=trusted_issuers)
    return verifier.verify_logout_token(token, client_id=CLIENT)


@pytest.mark.parametrize("alg", ALGORITHM_KEYS)
def test_returns_what_the_token_names(alg: str) -> None:
    token = _verify(sign(_claims(), alg, typ="logout+jwt"))
    assert token == LogoutToken(ISSUER, "user-1", "sid-1", "token-1", NOW - 10, NOW + 110, ALGORITHM_KEYS[alg])


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        pytest.param({"sub": None}, (None, "sid-1"), id="only-sid"),
        pytest.param({"sid": None}, ("user-1", None), id="only-sub"),
        pytest.param({"sid": NULL}, ("user-1", None), id="sid-null-is-absent"),
        pytest.param({"aud": [CLIENT]}, ("user-1", "sid-1"), id="aud-list"),
        pytest.param({"aud": [CLIENT, "other"], "azp": CLIENT}, ("user-1", "sid-1"), id="two-audiences-with-azp"),
        pytest.param({"typ": "Logout"}, ("user-1", "sid-1"), id="keycloak-claim-typ"),
        pytest.param({"events": {**EVENTS, "revoke_offline_access": True}}, ("user-1", "sid-1"), id="another-event"),
        pytest.param({"events": {LOGOUT_EVENT: {"x": 1}}}, ("user-1", "sid-1"), id="an-event-with-members"),
        pytest.param({"exp": NOW + 3590}, ("user-1", "sid-1"), id="an-hour"),
        pytest.param({"iat": NOW + 59}, ("user-1", "sid-1"), id="a-clock-that-is-ahead"),
    ],
)
def test_accepts_what_the_specification_leaves_open(changes: Claims, named: tuple[str | None, str | None]) -> None:
    token = _verify(sign(_claims(**changes), typ="logout+jwt"))
    assert (token.subject, token.sid) == named


@pytest.mark.parametrize("typ", ["logout+jwt", "LOGOUT+JWT", "application/logout+jwt", "JWT", None])
def test_accepts_the_types_that_providers_send(typ: str | None) -> None:
    assert _verify(sign(_claims(), typ=typ)).sid == "sid-1"


@pytest.mark.parametrize("typ", ["at+jwt", "secevent+jwt", " ", "logout", "logout+jwt+x", "id+jwt"])
def test_refuses_any_other_type(typ: str) -> None:
    with pytest.raises((WrongTokenType, MalformedToken)):
        _verify(sign(_claims(), typ=typ))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"iss": None}, MissingClaim, id="missing-iss"),
        pytest.param({"iss": "https://evil.example"}, WrongIssuer, id="wrong-iss"),
        pytest.param({"aud": None}, MissingClaim, id="missing-aud"),
        pytest.param({"aud": "another-client"}, WrongAudience, id="wrong-aud"),
        pytest.param({"aud": [CLIENT, "another-client"]}, WrongAudience, id="for-another-client-too"),
        pytest.param({"aud": []}, InvalidClaim, id="empty-aud"),
        pytest.param({"iat": None}, MissingClaim, id="missing-iat"),
        pytest.param({"iat": NOW + 61}, TokenError, id="iat-in-the-future"),
        pytest.param({"exp": None}, MissingClaim, id="missing-exp"),
        pytest.param({"iat": NOW - 200, "exp": NOW - 60}, TokenExpired, id="expired"),
        pytest.param({"exp": NOW + 3591}, LifetimeTooLong, id="more-than-an-hour"),
        pytest.param({"jti": None}, MissingClaim, id="missing-jti"),
        pytest.param({"jti": ""}, InvalidClaim, id="empty-jti"),
        pytest.param({"jti": "x" * 257}, InvalidClaim, id="long-jti"),
        pytest.param({"jti": 7}, InvalidClaim, id="jti-is-a-number"),
        pytest.param({"sub": None, "sid": None}, MissingClaim, id="neither-sub-nor-sid"),
        pytest.param({"sub": NULL, "sid": NULL}, MissingClaim, id="both-null"),
        pytest.param({"sub": ""}, InvalidClaim, id="empty-sub"),
        pytest.param({"sid": ""}, InvalidClaim, id="empty-sid"),
        pytest.param({"sid": ["sid-1"]}, InvalidClaim, id="sid-is-a-list"),
        pytest.param({"sid": "a\0b"}, InvalidClaim, id="sid-with-a-control-character"),
        pytest.param({"nonce": "n"}, WrongTokenType, id="with-nonce"),
        pytest.param({"nonce": NULL}, WrongTokenType, id="nonce-null"),
        pytest.param({"events": None}, WrongTokenType, id="no-event"),
        pytest.param({"events": NULL}, WrongTokenType, id="events-null"),
        pytest.param({"events": {}}, InvalidClaim, id="events-empty"),
        pytest.param({"events": [LOGOUT_EVENT]}, InvalidClaim, id="events-is-a-list"),
        pytest.param({"events": LOGOUT_EVENT}, InvalidClaim, id="events-is-a-text"),
        pytest.param({"events": {LOGOUT_EVENT + "s": {}}}, InvalidClaim, id="wrong-event"),
        pytest.param({"events": {LOGOUT_EVENT.upper(): {}}}, InvalidClaim, id="event-in-upper-case"),
        pytest.param({"events": {LOGOUT_EVENT: True}}, InvalidClaim, id="event-is-true"),
        pytest.param({"events": {LOGOUT_EVENT: None}}, InvalidClaim, id="event-is-null"),
        pytest.param({"events": {LOGOUT_EVENT: []}}, InvalidClaim, id="event-is-a-list"),
    ],
)
def test_refuses(changes: Claims, error: type[TokenError]) -> None:
    with pytest.raises(error):
        _verify(sign(_claims(**changes), typ="logout+jwt"))


def test_refuses_an_id_token() -> None:
    claims = _claims(events=None, nonce="n", sid="sid-1")
    assert static_verifier().verify_id_token(sign(claims, typ="JWT"), client_id=CLIENT, nonce="n", access_token=None)
    with pytest.raises(WrongTokenType):
        _verify(sign(claims, typ="JWT"))


@pytest.mark.parametrize(
    ("token", "error"),
    [
        pytest.param(jwt.encode(_claims(), "", "none"), MalformedToken, id="alg-none"),
        pytest.param(jwt.encode(_claims(), "", "none") + "AAAA", AlgorithmNotAllowed, id="alg-none-with-a-signature"),
        pytest.param(jwt.encode(_claims(), str(public_jwk("rsa-1")["n"]), "HS256"), AlgorithmNotAllowed, id="hmac"),
        pytest.param(sign(_claims(), typ="logout+jwt")[:-8] + "AAAAAAAA", InvalidSignature, id="signature"),
        pytest.param(sign(_claims(), kid="rsa-foreign", typ="logout+jwt"), TokenError, id="an-unknown-key"),
        pytest.param("", MalformedToken, id="empty"),
        pytest.param("e30.e30.", MalformedToken, id="no-signature"),
    ],
)
def test_refuses_a_token_that_the_provider_did_not_sign(token: str, error: type[TokenError]) -> None:
    with pytest.raises(error):
        _verify(token)


def test_refuses_an_algorithm_that_the_issuers_entry_leaves_out() -> None:
    entry = {"issuer": ISSUER, "audiences": ["tenantgate-api"], "tenants": "*", "algorithms": ["ES256"]}
    trusted = json.dumps([entry])
    assert _verify(sign(_claims(), "ES256", typ="logout+jwt"), trusted_issuers=trusted)
    with pytest.raises(AlgorithmNotAllowed):
        _verify(sign(_claims(), "RS256", typ="logout+jwt"), trusted_issuers=trusted)


def test_refuses_the_token_of_another_trusted_issuer() -> None:
    other = "https://other.example.test"
    entry = {"issuer": other, "audiences": [CLIENT], "tenants": "*"}
    with pytest.raises(WrongIssuer):
        _verify(sign(_claims(iss=other), typ="logout+jwt"), trusted_issuers=json.dumps([entry]))


def test_expires_after_the_leeway() -> None:
    token = sign(_claims(), typ="logout+jwt")
    assert _verify(token, now=NOW + 169)
    with pytest.raises(TokenExpired):
        _verify(token, now=NOW + 170)
