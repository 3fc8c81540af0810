"""Build tokens from any header, payload and signature, and record the signer."""

from __future__ import annotations

import json
from binascii import b2a_base64
from collections.abc import Iterator, Mapping
from random import Random
from typing import NamedTuple

from fuzz.keys import signer
from fuzz.world import FIRST, SECOND, Issuer, good_claims

_BASE64URL = bytes.maketrans(b"+/", b"-_")
_encode = json.JSONEncoder(separators=(",", ":")).encode


class Base(NamedTuple):
    """A valid token with its parts, its issuer and its algorithm."""

    issuer: Issuer
    alg: str
    header: Mapping[str, object]
    claims: Mapping[str, object]
    token: str

    @property
    def segments(self) -> list[str]:
        return self.token.split(".")


class Case(NamedTuple):
    """A token to try.

    `signed_input` is the text that a trusted key signed: an accepted token must begin with it, or with the base's.
    `must_pass` says that the mutation keeps the token valid.
    """

    token: str
    signed_input: str | None = None
    must_pass: bool = False


def b64(data: bytes) -> str:
    return b2a_base64(data, newline=False).translate(_BASE64URL).rstrip(b"=").decode()


def json_bytes(members: Mapping[str, object]) -> bytes:
    return _encode(members).encode()


def joined(header: bytes, payload: bytes) -> str:
    return f"{b64(header)}.{b64(payload)}"


def with_signature(signing_input: str, key: str, alg: str) -> str:
    return f"{signing_input}.{b64(signer(key, alg)(signing_input.encode()))}"


def signed_by_issuer(base: Base, header: bytes, payload: bytes, *, must_pass: bool = False) -> Case:
    """Sign exactly these bytes as the base's issuer."""
    signing_input = joined(header, payload)
    return Case(with_signature(signing_input, base.issuer.keys[base.alg], base.alg), signing_input, must_pass)


def _base(issuer: Issuer, alg: str, header: Mapping[str, object], claims: Mapping[str, object]) -> Base:
    whole = {"alg": alg, **header}
    token = with_signature(joined(json_bytes(whole), json_bytes(claims)), issuer.keys[alg], alg)
    return Base(issuer, alg, whole, claims, token)


def _bases(rng: Random) -> Iterator[Base]:
    for alg, kid in FIRST.keys.items():
        user = f"user-{int(rng.random() * 1e9)}"
        yield _base(FIRST, alg, {"kid": kid, "typ": "at+jwt"}, good_claims(FIRST, sub=user))
        yield _base(FIRST, alg, {"typ": "JWT", "kid": kid}, good_claims(FIRST, jti=user, aud=["o", FIRST.audience]))
    for alg, kid in SECOND.keys.items():
        user = f"user-{int(rng.random() * 1e9)}"
        use = {"sub": user, "token_use": "access"}
        yield _base(SECOND, alg, {"kid": kid, "typ": "application/at+jwt"}, good_claims(SECOND, **use))
        yield _base(SECOND, alg, {}, good_claims(SECOND, sub=user, scope=["a", "b"]))


class Bases:
    """The valid tokens to mutate. Fast algorithms come up most often, so that a run tries more tokens."""

    def __init__(self, rng: Random) -> None:
        self.every = every = tuple(_bases(rng))
        self._quick = tuple(base for base in every if base.alg in ("ES256", "EdDSA", "Ed25519"))
        self._rsa = tuple(base for base in every if base.alg[0] in "RP")
        self._slow = tuple(base for base in every if base.alg in ("ES384", "ES512"))

    def any_of(self, rng: Random) -> Base:
        """Pick a base for a mutation that keeps the signature: RSA verifies fast too."""
        draw = rng.random()
        return pick(rng, self._quick if draw < 0.35 else self._rsa if draw < 0.99 else self._slow)

    def to_sign_again(self, rng: Random) -> Base:
        """Pick a base for a mutation that is signed again: RSA signs slowly."""
        draw = rng.random()
        return pick(rng, self._quick if draw < 0.975 else self._rsa if draw < 0.99 else self._slow)


def pick[T](rng: Random, values: tuple[T, ...] | list[T]) -> T:
    return values[int(rng.random() * len(values))]
