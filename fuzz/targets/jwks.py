"""JWK sets: whatever an issuer publishes, keys are usable ones that PyJWT can read too, or there are none."""

from __future__ import annotations

import json

import jwt
from cryptography.exceptions import InvalidSignature

from fuzz.judge import Finding
from fuzz.keys import KIND_OF_ALGORITHM, jwk
from fuzz.targets import Target, Try
from fuzz.world import FIRST, SECOND
from tenantgate.errors import TokenError
from tenantgate.tokens.compact import json_object
from tenantgate.tokens.keys import Check, KeySet

_KTY = {"rsa": "RSA", "ed25519": "OKP"}


def _check_key(check: Check, entries: list[dict[str, object]], kid: str | None, alg: str) -> None:
    for signature in (b"", bytes(64), bytes(256)):
        try:
            check(signature, b"signed")
        except InvalidSignature:
            continue
        raise Finding(f"a key takes {signature!r} for a signature of {alg}")
    kty = _KTY.get(KIND_OF_ALGORITHM[alg], "EC")
    fitting = [entry for entry in entries if entry.get("kty") == kty and (kid is None or entry.get("kid") == kid)]
    if not any(_is_read_by_pyjwt(entry, alg) for entry in fitting):
        raise Finding(f"a key for {alg} that PyJWT can't read")


def _is_read_by_pyjwt(entry: dict[str, object], alg: str) -> bool:
    try:
        jwt.PyJWK(entry, algorithm=alg)
    except Exception:  # noqa: BLE001 - whatever it says, it couldn't
        return False
    return True


def _prepare() -> Try:
    def try_bytes(data: bytes) -> None:
        try:
            document = json_object(data, "key set")
            keys = KeySet.parse(document)
        except (TokenError, ValueError):
            return
        entries = [entry for entry in document["keys"] if isinstance(entry, dict)]  # type: ignore[attr-defined]
        kids = dict.fromkeys([None, *(entry.get("kid") for entry in entries if isinstance(entry.get("kid"), str))])
        if not 0 < len(keys) <= len(entries):
            raise Finding("other keys than those of the set")
        for kid in kids:
            for alg in KIND_OF_ALGORITHM:
                check = keys.find(kid, alg)
                if check is not None:
                    _check_key(check, entries, kid, alg)

    return try_bytes


def _seeds() -> list[bytes]:
    every = [*FIRST.published, *SECOND.published]
    small = [key for key in every if key["kty"] != "RSA"]
    variants = [
        jwk("p256-1", alg="ES256", use=None, key_ops=["verify"]),
        jwk("p521-1", kid=None),
        jwk("ed25519-1", alg="EdDSA", kid=None, use=None),
        jwk("p384-1", key_ops=["sign", "verify"], x5c=["MIIB"], x5t="AA"),
        {"kty": "OKP", "crv": "X25519", "x": "A" * 43, "kid": "x"},
        {"kty": "RSA", "kid": "small", "n": "AQAB", "e": "AQAB"},
    ]
    sets = [{"keys": [key]} for key in (*every, *variants)] + [{"keys": small}, {"keys": variants}, {"keys": []}]
    return [json.dumps(document, separators=(",", ":")).encode() for document in sets]


_MEMBERS = ("keys", "kty", "kid", "use", "key_ops", "alg", "crv", "n", "e", "x", "y", "d", "k")
_VALUES = (
    "RSA",
    "EC",
    "OKP",
    "oct",
    "sig",
    "enc",
    "verify",
    "sign",
    "P-256",
    "P-384",
    "P-521",
    "Ed25519",
    "AQAB",
    "AQ",
)
_WORDS = tuple(f'"{word}"' for word in (*_MEMBERS, *_VALUES, *KIND_OF_ALGORITHM))
TARGET = Target("jwks", _prepare, _seeds, (*_WORDS, "A" * 43, "A" * 22, "null", "[]", "{}"))
