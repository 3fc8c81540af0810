"""Security event tokens as the receiver checks them (RFC 8417 §2.2, Shared Signals Framework 1.0 §4)."""

from __future__ import annotations

import json

import jwt
import pytest

from tenantgate.errors.tokens import (
    AlgorithmNotAllowed,
    InvalidClaim,
    InvalidSignature,
    IssuedInFuture,
    MalformedToken,
    MissingClaim,
    TokenError,
    UnknownKey,
    WrongAudience,
    WrongIssuer,
    WrongTokenType,
)
from tenantgate.tokens.logout_token import LOGOUT_EVENT
from tenantgate.tokens.security_event import LONGEST_AGE_SECONDS, SecurityEvent
from tests.fixtures.tokens.issuer import (
    ALGORITHM_KEYS,
    ISSUER,
    NOW,
    NULL,
    Claims,
    good_claims,
    public_jwk,
    sign,
    static_verifier,
)

AUDIENCE = "https://auth.example.test"
EVENT = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
SUBJECT = {"format": "iss_sub", "iss": ISSUER, "sub": "user-1"}
TYPE = "secevent+jwt"


def _claims(**changes: object) -> Claims:
    defaults: Claims = {"aud": AUDIENCE, "events": {EVENT: {}}, "sub_id": SUBJECT}
    left_out: Claims = dict.fromkeys(("client_id", "scope", "tenant_id", "exp", "sub"))
    return good_claims(**(defaults | left_out | changes))  # type: ignore[arg-type]


def _verify(token: str, *, audiences: tuple[str, ...] = (AUDIENCE,), trusted_issuers: str = "") -> SecurityEvent:
    verifier = static_verifier(trusted_issuers=trusted_issuers)
    return verifier.verify_security_event(token, audiences={ISSUER: audiences})


@pytest.mark.parametrize("alg", ALGORITHM_KEYS)
def test_returns_what_the_token_says(alg: str) -> None:
    event = _verify(sign(_claims(), alg, typ=TYPE))
    assert event == SecurityEvent(ISSUER, "token-1", NOW - 10, {EVENT: {}}, SUBJECT, ALGORITHM_KEYS[alg])


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"aud": [AUDIENCE, "https://other.example"]}, id="several-audiences"),
        pytest.param({"iat": NOW + 59}, id="a-clock-that-is-ahead"),
        pytest.param({"iat": NOW - 0.5}, id="iat-with-a-fraction"),
        pytest.param({"iat": NOW - LONGEST_AGE_SECONDS}, id="a-week-old"),
        pytest.param({"txn": "x", "toe": NOW - 100}, id="other-claims"),
        pytest.param({"events": {EVENT: {"reason_admin": {"en": "x"}}}}, id="members"),
        pytest.param({"sub_id": None}, id="no-subject"),
    ],
)
def test_accepts_what_the_specifications_leave_open(changes: Claims) -> None:
    assert _verify(sign(_claims(**changes), typ=TYPE)).token_id == "token-1"


def test_any_of_our_audiences_counts() -> None:
    assert _verify(sign(_claims(), typ=TYPE), audiences=("https://other.example", AUDIENCE))


@pytest.mark.parametrize("typ", ["secevent+jwt", "SecEvent+JWT", "application/secevent+jwt"])
def test_accepts_the_media_type_in_both_forms(typ: str) -> None:
    assert _verify(sign(_claims(), typ=typ))


@pytest.mark.parametrize("typ", ["logout+jwt", "at+jwt", "JWT", "", None, "secevent", "secevent+jwt+x"])
def test_refuses_any_other_type(typ: str | None) -> None:
    with pytest.raises(WrongTokenType):
        _verify(sign(_claims(), typ=typ))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"iss": None}, MissingClaim, id="missing-iss"),
        pytest.param({"iss": "https://evil.example"}, WrongIssuer, id="wrong-iss"),
        pytest.param({"aud": None}, MissingClaim, id="missing-aud"),
        pytest.param({"aud": "https://other.example"}, WrongAudience, id="wrong-aud"),
        pytest.param({"aud": AUDIENCE + "/"}, WrongAudience, id="almost-our-aud"),
        pytest.param({"aud": []}, InvalidClaim, id="empty-aud"),
        pytest.param({"aud": [AUDIENCE, 7]}, InvalidClaim, id="aud-with-a-number"),
        pytest.param({"aud": {AUDIENCE: 1}}, InvalidClaim, id="aud-is-an-object"),
        pytest.param({"iat": None}, MissingClaim, id="missing-iat"),
        pytest.param({"iat": NULL}, MissingClaim, id="iat-null"),
        pytest.param({"iat": True}, InvalidClaim, id="iat-is-true"),
        pytest.param({"iat": str(NOW)}, InvalidClaim, id="iat-is-a-text"),
        pytest.param({"iat": -1}, InvalidClaim, id="iat-negative"),
        pytest.param({"iat": NOW + 61}, IssuedInFuture, id="iat-in-the-future"),
        pytest.param({"iat": NOW - LONGEST_AGE_SECONDS - 1}, InvalidClaim, id="too-old"),
        pytest.param({"jti": None}, MissingClaim, id="missing-jti"),
        pytest.param({"jti": ""}, InvalidClaim, id="empty-jti"),
        pytest.param({"jti": "x" * 257}, InvalidClaim, id="long-jti"),
        pytest.param({"jti": "a\0b"}, InvalidClaim, id="jti-with-a-control-character"),
        pytest.param({"exp": NOW + 60}, WrongTokenType, id="with-exp"),
        pytest.param({"sub": "user-1"}, WrongTokenType, id="with-sub"),
        pytest.param({"nonce": "n"}, WrongTokenType, id="with-nonce"),
        pytest.param({"exp": NULL}, WrongTokenType, id="exp-null"),
        pytest.param({"events": None}, MissingClaim, id="no-events"),
        pytest.param({"events": {}}, InvalidClaim, id="events-empty"),
        pytest.param({"events": [EVENT]}, InvalidClaim, id="events-is-a-list"),
        pytest.param({"events": {EVENT: True}}, InvalidClaim, id="event-is-true"),
        pytest.param({"events": {EVENT: None}}, InvalidClaim, id="event-is-null"),
        pytest.param({"events": {str(number): {} for number in range(9)}}, InvalidClaim, id="too-many-events"),
    ],
)
def test_refuses(changes: Claims, error: type[TokenError]) -> None:
    with pytest.raises(error):
        _verify(sign(_claims(**changes), typ=TYPE))


@pytest.mark.parametrize(
    ("token", "error"),
    [
        pytest.param(jwt.encode(_claims(), "", "none"), MalformedToken, id="alg-none"),
        pytest.param(jwt.encode(_claims(), "", "none") + "AAAA", AlgorithmNotAllowed, id="alg-none-with-a-signature"),
        pytest.param(jwt.encode(_claims(), str(public_jwk("rsa-1")["n"]), "HS256"), AlgorithmNotAllowed, id="hmac"),
        pytest.param(sign(_claims(), typ=TYPE)[:-8] + "AAAAAAAA", InvalidSignature, id="signature"),
        pytest.param(sign(_claims(), kid="rsa-foreign", typ=TYPE), UnknownKey, id="an-unknown-key"),
        pytest.param("", MalformedToken, id="empty"),
        pytest.param("a" * 20_000, MalformedToken, id="oversized"),
        pytest.param(sign(_claims(txn="x" * 20_000), typ=TYPE), MalformedToken, id="oversized-and-signed"),
    ],
)
def test_refuses_a_token_that_the_issuer_did_not_sign(token: str, error: type[TokenError]) -> None:
    with pytest.raises(error):
        _verify(token)


def test_refuses_a_trusted_issuer_that_sends_no_events() -> None:
    other = "https://other.example.test"
    entry = {"issuer": other, "audiences": [AUDIENCE], "tenants": "*"}
    with pytest.raises(WrongIssuer):
        _verify(sign(_claims(iss=other), typ=TYPE), trusted_issuers=json.dumps([entry]))


def test_no_token_is_of_two_kinds() -> None:
    """A logout token or an access token isn't a security event, and a security event is neither."""
    verifier = static_verifier()
    event = sign(_claims(), typ=TYPE)
    both = _claims(events={LOGOUT_EVENT: {}, EVENT: {}}, aud=[AUDIENCE, "a-client"], sid="s", exp=NOW + 60)
    logout = sign(both | {"aud": "a-client"}, typ="logout+jwt")
    assert verifier.verify_logout_token(logout, client_id="a-client")
    for kind in ("logout+jwt", "at+jwt", "JWT", TYPE):
        with pytest.raises(TokenError):
            _verify(sign(both, typ=kind))
    with pytest.raises(WrongTokenType):
        _verify(sign(good_claims(aud=AUDIENCE)))
    with pytest.raises(TokenError):
        verifier.verify(event)
    for changes in ({}, {"exp": NOW + 60, "sub": "user-1", "aud": "tenantgate-api", "tenant_id": "org-1"}):
        with pytest.raises(TokenError):
            verifier.verify(sign(_claims(**changes), typ=TYPE))
        with pytest.raises(TokenError):
            verifier.verify_logout_token(sign(_claims(**changes, sid="s"), typ=TYPE), client_id="a-client")
