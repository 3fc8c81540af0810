"""Genuinely signed tokens whose claims are wrong, and the error that each must meet."""

from __future__ import annotations

from collections.abc import Iterator

from tenantgate.errors.tokens import (
    InvalidClaim,
    IssuedInFuture,
    LifetimeTooLong,
    MissingClaim,
    NotYetValid,
    TokenExpired,
    WrongAudience,
    WrongIssuer,
    WrongTokenType,
)
from tests.support.forging import Forged, payload_text, signed_raw, with_claims
from tests.support.tokens import AUDIENCE, ISSUER, NOW, NULL


def _issuers_and_audiences() -> Iterator[Forged]:
    for issuer in (
        ISSUER + "/",
        ISSUER[:-1],
        ISSUER.upper(),
        ISSUER.replace("https", "http"),
        ISSUER.replace(".test", ".test."),
        ISSUER.replace(".test", ".test:443"),
        ISSUER.replace("issuer.", "issuer.example.test@"),
        ISSUER + "?x",
        ISSUER + "\u0000",
        ISSUER.replace("i", "\u0456", 1),
        f" {ISSUER}",
        "https://issuer.example.test",
        "",
    ):
        yield Forged(f"iss {issuer!r}", with_claims(iss=issuer), WrongIssuer)
    for value in (1, True, [ISSUER], {"iss": ISSUER}, NULL):
        yield Forged(f"iss is a {type(value).__name__}", with_claims(iss=value), WrongIssuer)
    for audience in (AUDIENCE.upper(), AUDIENCE + " ", AUDIENCE[:-1], "", "*", [AUDIENCE + "x"], ["a", "b"]):
        yield Forged(f"aud {audience!r}", with_claims(aud=audience), WrongAudience)
    others: tuple[object, ...] = ([], {}, 1, True, [AUDIENCE, 1], [AUDIENCE, None], [[AUDIENCE]], {AUDIENCE: True})
    for other in others:
        yield Forged(f"aud is {str(other)[:24]}", with_claims(aud=other), InvalidClaim)
    many = [f"{AUDIENCE}-{number}" for number in range(70)]
    yield Forged("aud is 70 others", with_claims(aud=many), WrongAudience)
    yield Forged("aud is 70 others and a number", with_claims(aud=[*many, 1, AUDIENCE]), InvalidClaim)


_NO_SECONDS: tuple[object, ...] = (
    *(True, False, "1790000000", -1, -0.5, 10**12, 10**30, 1e12, 253402300799.5, 1e308, 1e400, [NOW], {}, ""),
)
_NO_ID: tuple[object, ...] = (1, True, ["user-1"], {}, "user\n1", "user\u0000", "\ud800", "\u202eresu")
_NO_SCOPES: tuple[object, ...] = (1, True, {}, [1], [["a"]], "a\nb", ["a\u0000"])


def _times() -> Iterator[Forged]:
    for claim in ("exp", "iat", "nbf"):
        for value in _NO_SECONDS:
            name = str(value)[:24]
            # JSON has no infinity: 1e400 becomes one in the reader.
            build = with_claims(**{claim: value})
            if value == 1e400:
                build = signed_raw(payload=payload_text(**{claim: -7}).replace("-7", "1e400"))
            yield Forged(f"{claim} is {name} ({type(value).__name__})", build, InvalidClaim)
    yield Forged("expired just now", with_claims(exp=NOW - 60, iat=NOW - 600), TokenExpired)
    yield Forged("expired long ago", with_claims(exp=NOW - 86400, iat=NOW - 86400 - 600), TokenExpired)
    yield Forged("expired half a second ago", with_claims(exp=NOW - 60.5, iat=NOW - 600.25), TokenExpired)
    yield Forged("expires within this second", with_claims(exp=NOW - 59.5, iat=NOW - 600), TokenExpired)
    yield Forged("lives half a second too long", with_claims(iat=NOW - 0.5, exp=NOW + 3600), LifetimeTooLong)
    yield Forged("exp half a second before iat", with_claims(iat=NOW + 0.75, exp=NOW + 0.25), InvalidClaim)
    yield Forged("issued half a second too early", with_claims(iat=NOW + 60.5), IssuedInFuture)
    yield Forged("valid in half a second", with_claims(nbf=NOW + 60.5), NotYetValid)
    yield Forged("expires in 9999", with_claims(exp=253402300799), LifetimeTooLong)
    yield Forged("lives a second too long", with_claims(iat=NOW, exp=NOW + 3601), LifetimeTooLong)
    yield Forged("issued in 1970", with_claims(iat=0), LifetimeTooLong)
    yield Forged("exp is iat", with_claims(iat=NOW, exp=NOW), InvalidClaim)
    yield Forged("exp before iat", with_claims(iat=NOW, exp=NOW - 10), InvalidClaim)
    yield Forged("issued in the future", with_claims(iat=NOW + 61), IssuedInFuture)
    yield Forged("issued in the far future", with_claims(iat=253402300000, exp=253402300799), IssuedInFuture)
    yield Forged("not yet valid", with_claims(nbf=NOW + 61), NotYetValid)
    yield Forged("nbf after exp", with_claims(nbf=NOW + 9999), NotYetValid)
    for claim in ("iss", "aud", "exp", "iat", "sub"):
        yield Forged(f"without {claim}", with_claims(**{claim: None}), MissingClaim)
        if claim != "iss":
            yield Forged(f"{claim} is null", with_claims(**{claim: NULL}), MissingClaim)
    yield Forged("without any claim", signed_raw(payload="{}"), MissingClaim)


def _others() -> Iterator[Forged]:
    for claim, value in (
        ("nonce", "n-0S6_WzA2Mj"),
        ("at_hash", "MTIzNDU2Nzg5MDEyMzQ1Ng"),
        ("c_hash", "LDktKdoQak3Pk0cnXxCltA"),
        ("s_hash", "LDktKdoQak3Pk0cnXxCltA"),
        ("events", {"http://schemas.openid.net/event/backchannel-logout": {}}),
        ("events", {}),
        ("token_use", "id"),
        ("token_use", 1),
        ("token_use", ["access"]),
        ("typ", "ID"),
        ("typ", "Refresh"),
        ("typ", "Logout"),
        ("typ", 1),
    ):
        yield Forged(f"a claim of other tokens: {claim} {value}", with_claims(**{claim: value}), WrongTokenType)
    for claim in ("sub", "jti"):
        for other in _NO_ID:
            yield Forged(f"{claim} is {ascii(other)[:12]}", with_claims(**{claim: other}), InvalidClaim)
    yield Forged("sub is empty", with_claims(sub=""), InvalidClaim)
    yield Forged("sub is 257 characters", with_claims(sub="u" * 257), InvalidClaim)
    for claim in ("scope", "scp"):
        for other in _NO_SCOPES:
            yield Forged(f"{claim} is {other!a}", with_claims(**{claim: other}), InvalidClaim)


def forged_claims() -> Iterator[Forged]:
    yield from _issuers_and_audiences()
    yield from _times()
    yield from _others()
