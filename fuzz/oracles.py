"""PyJWT and joserfc, configured like the verifier: issuers, keys, algorithms, audience, required claims, clock.

They get only the keys that may verify something. Any exception means that they reject the token.
"""

from __future__ import annotations

import base64
import json
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import jwt
from joserfc import jwk as joserfc_jwk
from joserfc import jws as joserfc_jws
from joserfc import jwt as joserfc_jwt

from fuzz.building import joined, json_bytes, with_signature
from fuzz.keys import KIND_OF_ALGORITHM
from fuzz.plain import plain_claims, plain_header
from fuzz.world import ISSUERS, LEEWAY, NOW, Issuer

type Claims = dict[str, Any]
type Oracle = Callable[[str], Claims | None]
"""Returns the claims of a valid token, None for an invalid one."""

_REQUIRED = ["exp", "iat", "iss", "aud", "sub"]


class _AtOurTime(jwt.PyJWT):
    def _validate_iat(self, payload: Claims, now: float, leeway: float) -> None:
        super()._validate_iat(payload, NOW, leeway)

    def _validate_nbf(self, payload: Claims, now: float, leeway: float) -> None:
        super()._validate_nbf(payload, NOW, leeway)

    def _validate_exp(self, payload: Claims, now: float, leeway: float) -> None:
        super()._validate_exp(payload, NOW, leeway)


def _unverified(token: str) -> tuple[dict[str, Any], Issuer]:
    """Return the header and the issuer in the claims, which select the key."""
    header, payload, _ = (base64.urlsafe_b64decode(part + "==") for part in token.split("."))
    return json.loads(header), ISSUERS[json.loads(payload)["iss"]]


def header_of(token: str) -> dict[str, Any]:
    return _unverified(token)[0]


# PyJWT knows Ed25519 only by its older name (RFC 8037); the verification is the same under both names.
_PYJWT_NAMES = {"Ed25519": "EdDSA"}


def _names_of(issuer: Issuer, header: dict[str, Any]) -> list[str]:
    """Return the keys of the header's `kid`; without a `kid`, the only key of the algorithm's kind."""
    alg = header["alg"]
    if header.get("kid") is not None:
        return issuer.names_of(str(header["kid"]), alg)
    (only,) = {name for name in issuer.keys.values() if name.startswith(f"{KIND_OF_ALGORITHM[alg]}-")}
    return [only]


def _pyjwt_key(issuer: Issuer, name: str, alg: str) -> jwt.PyJWK:
    key = jwt.PyJWK(issuer.good_jwks[name], algorithm=_PYJWT_NAMES.get(alg, alg))
    # It is bound to one name, which the token's header must have.
    key.algorithm_name = alg
    return key


def plainly(token: str) -> tuple[str, Claims]:
    """Return the token's plain form, signed again by its issuer, with its claims; a plain token is returned unchanged.

    Raises `ValueError` when PyJWT's algorithm doesn't verify the original token.
    """
    header, issuer = _unverified(token)
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    members, plain = plain_header(header), plain_claims(claims)
    if (members, plain) == (header, claims):
        return token, claims
    signing_input, _, signature = token.rpartition(".")
    alg, raw = str(members["alg"]), base64.urlsafe_b64decode(signature + "==")
    for name in _names_of(issuer, members):
        key = _pyjwt_key(issuer, name, alg)
        if key.Algorithm.verify(signing_input.encode(), key.key, raw):
            return with_signature(joined(json_bytes(members), json_bytes(plain)), name, alg), plain
    raise ValueError("signature doesn't verify")


def pyjwt() -> Oracle:
    decoder = _AtOurTime({"require": _REQUIRED, "enforce_minimum_key_length": True})
    keys = {
        (issuer.url, name, alg): _pyjwt_key(issuer, name, alg)
        for issuer in ISSUERS.values()
        for alg in issuer.keys
        for name in issuer.good_jwks
        if name.startswith(f"{KIND_OF_ALGORITHM[alg]}-")
    }

    def decode(token: str, issuer: Issuer, name: str, alg: str) -> Claims:
        key = keys[issuer.url, name, alg]
        return decoder.decode(
            token, key, algorithms=[*issuer.keys], audience=issuer.audience, issuer=issuer.url, leeway=LEEWAY
        )

    return _by_any_key(decode)


def _by_any_key(decode: Callable[[str, Issuer, str, str], Claims]) -> Oracle:
    """Try `decode(token, issuer, key's name, algorithm)` with each key that may have signed the token."""

    def oracle(token: str) -> Claims | None:
        try:
            header, issuer = _unverified(token)
            names, alg = _names_of(issuer, header), header["alg"]
        except Exception:  # noqa: BLE001 - any exception means that the token is invalid
            return None
        for name in names:
            # Any exception means that the token is invalid.
            with suppress(Exception):
                return decode(token, issuer, name, alg)
        return None

    return oracle


def _registry(algorithms: list[str]) -> joserfc_jws.JWSRegistry:
    # Not strict: a recipient must ignore members that it doesn't know (RFC 7515 §4).
    registry = joserfc_jws.JWSRegistry(algorithms=algorithms, strict_check_header=False)
    registry.max_header_length = 4096
    return registry


def joserfc() -> Oracle:
    keys = {
        (issuer.url, name): joserfc_jwk.import_key(jwk)  # type: ignore[arg-type]
        for issuer in ISSUERS.values()
        for name, jwk in issuer.good_jwks.items()
    }
    registries = {issuer.url: _registry([*issuer.keys]) for issuer in ISSUERS.values()}
    rules = {
        issuer.url: joserfc_jwt.JWTClaimsRegistry(
            now=NOW,
            leeway=LEEWAY,
            iss={"essential": True, "value": issuer.url},
            aud={"essential": True, "values": [issuer.audience]},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
        )
        for issuer in ISSUERS.values()
    }

    def decode(token: str, issuer: Issuer, name: str, _: str) -> Claims:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about EdDSA, the older name of Ed25519 (RFC 9864)
            claims = joserfc_jwt.decode(token, keys[issuer.url, name], registry=registries[issuer.url]).claims
        rules[issuer.url].validate(claims)
        return claims

    return _by_any_key(decode)
