"""JWK sets: every key that the product accepts is usable, and PyJWT can read it too."""

from __future__ import annotations

import json
from collections.abc import Mapping

import jwt
from cryptography.exceptions import InvalidSignature

from fuzz.judge import Finding
from fuzz.keys import KIND_OF_ALGORITHM, jwk
from fuzz.targets import Target, Try
from fuzz.world import FIRST, SECOND
from tenantgate.errors.tokens import TokenError
from tenantgate.tokens.jws import json_object
from tenantgate.tokens.keys import Check, KeySet

_KTY = {"rsa": "RSA", "ed25519": "OKP"}
# PyJWT knows Ed25519 only by its older name (RFC 8037).
_PYJWT_NAMES = {"Ed25519": "EdDSA"}


def _check_key(check: Check, entries: list[dict[str, object]], kid: str | None, alg: str) -> None:
    for signature in (b"", bytes(64), bytes(256)):
        try:
            check(signature, b"signed")
        except InvalidSignature:
            continue
        raise Finding(f"a key accepts {signature!r} as a signature of {alg}")
    kty = _KTY.get(KIND_OF_ALGORITHM[alg], "EC")
    fitting = [entry for entry in entries if entry.get("kty") == kty and (kid is None or entry.get("kid") == kid)]
    if not any(_is_read_by_pyjwt(entry, alg) for entry in fitting):
        raise Finding(f"a key for {alg} that PyJWT can't read")


def _check_empty_members(document: Mapping[str, object], keys: KeySet) -> None:
    """Check that null, an empty string and an empty list count as absent."""
    empty: tuple[object, ...] = (None, "", [])
    for value in empty:
        filled = [{**dict.fromkeys(_OPTIONAL, value), **entry} for entry in _objects(document)]
        try:
            same = KeySet.parse({"keys": filled}).identities == keys.identities
        except ValueError:
            same = False
        if not same:
            raise Finding(f"members that are {value!r} change what a key set means")


def _objects(document: Mapping[str, object]) -> list[dict[str, object]]:
    return [entry for entry in document["keys"] if isinstance(entry, dict)]  # type: ignore[attr-defined]


def _is_read_by_pyjwt(entry: dict[str, object], alg: str) -> bool:
    # PyJWT treats null members as present: `"d": null` makes it look for a private key.
    entry = {name: value for name, value in entry.items() if value is not None and value not in ("", [])}
    try:
        jwt.PyJWK(entry, algorithm=_PYJWT_NAMES.get(alg, alg))
    except Exception:  # noqa: BLE001 - any exception means that it can't
        return False
    return True


def _prepare() -> Try:
    def try_bytes(data: bytes) -> None:
        try:
            document = json_object(data, "key set")
            keys = KeySet.parse(document)
        except (TokenError, ValueError):
            return
        entries = _objects(document)
        kids: dict[str | None, None] = {None: None}
        kids |= {kid: None for entry in entries if isinstance(kid := entry.get("kid"), str)}
        if not 0 < len(keys) <= len(entries):
            raise Finding("keys that are not in the set")
        _check_empty_members(document, keys)
        for kid in kids:
            if (keys.find(kid, "EdDSA") is None) != (keys.find(kid, "Ed25519") is None):
                raise Finding("the two names of one algorithm find different keys")
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
        jwk("ed25519-1", alg="Ed25519"),
        {**jwk("ed25519-1"), "alg": None, "use": None, "key_ops": None, "kid": None, "x5c": None, "d": None},
        {**jwk("p256-1"), "alg": "", "use": "", "key_ops": "", "x5t": "", "d": ""},
        *({**jwk(f"ed25519-s{number}"), "kid": "same"} for number in range(1, 7)),
    ]
    sets = [{"keys": [key]} for key in (*every, *variants)] + [{"keys": small}, {"keys": variants}, {"keys": []}]
    return [json.dumps(document, separators=(",", ":")).encode() for document in sets]


_OPTIONAL = ("kid", "use", "key_ops", "alg", "x5c", "x5t", "x5u", "d")
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
