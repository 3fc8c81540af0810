"""JWK sets as issuers publish them: members left empty, two names of one algorithm, several keys of one `kid`."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable

import pytest
from cryptography.exceptions import InvalidSignature as BadSignature

from tenantgate.errors.tokens import AlgorithmNotAllowed, InvalidSignature, UnknownKey
from tenantgate.tokens.keys import MAX_KEYS, MAX_SAME_KID, KeySet
from tests.fixtures.tokens.issuer import (
    ALGORITHM_KEYS,
    b64,
    good_claims,
    public_jwk,
    public_jwks,
    sign,
    sign_raw,
    static_verifier,
)

EMPTY = [pytest.param(None, id="null"), pytest.param("", id="empty-text"), pytest.param([], id="empty-list")]


def _set(*keys: dict[str, object]) -> dict[str, object]:
    return {"keys": list(keys)}


class TestEmptyMembers:
    @pytest.mark.parametrize("value", EMPTY)
    @pytest.mark.parametrize("member", ["alg", "use", "key_ops", "x5c", "x5t", "x5t#S256", "x5u", "d", "k", "ext"])
    @pytest.mark.parametrize("kid", ["rsa-1", "p256-1", "ed25519-1"])
    def test_they_count_as_absent(self, kid: str, member: str, value: object) -> None:
        jwk: dict[str, object] = {**public_jwk(kid, use=None), member: value}
        alg = next(alg for alg, name in ALGORITHM_KEYS.items() if name == kid)
        assert static_verifier(_set(jwk)).verify(sign(good_claims(), alg, kid=kid))

    @pytest.mark.parametrize("value", EMPTY)
    def test_an_empty_kid_counts_as_missing(self, value: object) -> None:
        jwk: dict[str, object] = {**public_jwk("rsa-1"), "kid": value}
        verifier = static_verifier(_set(jwk))
        assert verifier.verify(sign_raw('{"alg":"RS256"}', json.dumps(good_claims())))
        with pytest.raises(UnknownKey):
            verifier.verify(sign(good_claims()))

    @pytest.mark.parametrize("value", EMPTY)
    @pytest.mark.parametrize("member", ["kty", "n", "e"])
    def test_what_makes_the_key_is_missing_then(self, member: str, value: object) -> None:
        with pytest.raises(ValueError, match="no key"):
            KeySet.parse(_set({**public_jwk("rsa-1"), member: value}))

    @pytest.mark.parametrize(
        "members",
        [
            pytest.param({"use": "enc"}, id="use-enc"),
            pytest.param({"use": 0}, id="use-zero"),
            pytest.param({"use": False}, id="use-false"),
            pytest.param({"use": {}}, id="use-object"),
            pytest.param({"key_ops": ["sign"]}, id="sign-only"),
            pytest.param({"key_ops": [None]}, id="key-ops-of-null"),
            pytest.param({"key_ops": "verify"}, id="key-ops-text"),
            pytest.param({"alg": "RSA-OAEP"}, id="for-encryption"),
            pytest.param({"alg": 0}, id="alg-zero"),
            pytest.param({"alg": ["RS256"]}, id="alg-list"),
            pytest.param({"alg": "ES256"}, id="another-types-alg"),
            pytest.param({"d": "AQAB"}, id="private"),
            pytest.param({"d": 0}, id="private-of-another-type"),
            pytest.param({"kid": 7}, id="kid-number"),
        ],
    )
    @pytest.mark.parametrize(("kid", "alg"), [("rsa-1", "RS256"), ("ed25519-1", "EdDSA")])
    def test_what_is_not_empty_still_decides(self, kid: str, alg: str, members: dict[str, object]) -> None:
        bad, good = {**public_jwk(kid), **members}, public_jwk("p256-1")
        keys = KeySet.parse(_set(bad, good))
        assert (len(keys), keys.skipped) == (1, 1)
        assert keys.find(None, alg) is None
        assert keys.find("p256-1", "ES256") is not None


class TestEd25519:
    """`Ed25519` of RFC 9864 and `EdDSA` of RFC 8037 are one algorithm for a key on that curve."""

    @staticmethod
    def _token(alg: str, kid: str = "ed25519-1") -> str:
        return sign_raw(json.dumps({"alg": alg, "kid": kid}), json.dumps(good_claims()), "EdDSA", kid)

    @pytest.mark.parametrize("published", ["EdDSA", "Ed25519", None, ""])
    @pytest.mark.parametrize("alg", ["EdDSA", "Ed25519"])
    def test_either_name_in_token_and_key(self, alg: str, published: str | None) -> None:
        verifier = static_verifier(_set({**public_jwk("ed25519-1"), "alg": published}))
        assert verifier.verify(self._token(alg))
        with pytest.raises(InvalidSignature):
            verifier.verify(self._token(alg)[:-86] + b64(bytes(64)))

    @pytest.mark.parametrize("alg", ["ed25519", "Ed448", "ED25519", "ESP256", "EdDSA "])
    def test_no_other_name(self, alg: str) -> None:
        with pytest.raises(AlgorithmNotAllowed):
            static_verifier().verify(self._token(alg))

    @pytest.mark.parametrize("kid", ["rsa-1", "p256-1"])
    def test_only_for_keys_on_that_curve(self, kid: str) -> None:
        with pytest.raises(UnknownKey):
            static_verifier().verify(sign_raw(json.dumps({"alg": "Ed25519", "kid": kid}), json.dumps(good_claims())))

    @pytest.mark.parametrize(
        ("listed", "accepted"),
        [
            pytest.param(["EdDSA"], {"EdDSA", "Ed25519"}, id="the-older-name-covers-both"),
            pytest.param(["Ed25519"], {"Ed25519"}, id="the-newer-name-is-taken-as-written"),
            pytest.param(["RS256"], set(), id="neither"),
        ],
    )
    def test_an_issuers_list(self, listed: list[str], accepted: set[str]) -> None:
        other = "https://other.example.test"
        entry = {"issuer": other, "audiences": ["other-api"], "tenants": "*", "algorithms": listed}
        verifier = static_verifier(trusted_issuers=json.dumps([entry]))
        found = set()
        for alg in ("EdDSA", "Ed25519"):
            claims = json.dumps(good_claims(iss=other, aud="other-api"))
            token = sign_raw(json.dumps({"alg": alg, "kid": "ed25519-1"}), claims, "EdDSA", "ed25519-1")
            try:
                verifier.verify(token)
                found.add(alg)
            except AlgorithmNotAllowed:
                continue
        assert found == accepted


class TestSameKid:
    """RFC 7517 §4.5: several keys may have the same `kid`; a few of them are tried."""

    @staticmethod
    def _same(*kids: str, **members: object) -> dict[str, object]:
        return _set(*(public_jwk(kid) | {"kid": "same"} | members for kid in kids))

    @staticmethod
    def _token(kid: str, alg: str = "RS256") -> str:
        return sign_raw(json.dumps({"alg": alg, "kid": "same"}), json.dumps(good_claims()), alg, kid)

    @pytest.mark.parametrize("alg", ["RS256", "PS384", "ES256", "EdDSA"])
    def test_each_of_two_verifies_its_own_tokens_and_no_others(self, alg: str) -> None:
        kind = ALGORITHM_KEYS[alg].partition("-")[0]
        verifier = static_verifier(self._same(f"{kind}-1", f"{kind}-2"))
        for number in (1, 2):
            assert verifier.verify(self._token(f"{kind}-{number}", alg))
        with pytest.raises(InvalidSignature):
            verifier.verify(self._token(f"{kind}-3", alg))

    def test_only_so_many_are_tried_in_the_sets_order(self) -> None:
        kids = [f"rsa-{number}" for number in range(1, MAX_SAME_KID + 2)]
        verifier = static_verifier(self._same(*kids))
        for kid in kids[:MAX_SAME_KID]:
            assert verifier.verify(self._token(kid))
        with pytest.raises(InvalidSignature):
            verifier.verify(self._token(kids[MAX_SAME_KID]))

    def test_a_flood_of_them_costs_no_more_than_the_bound(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tries: list[bytes] = []

        def counted(*_: object) -> Callable[[bytes, bytes], None]:
            def check(signature: bytes, signed: bytes) -> None:
                tries.append(signature)
                raise BadSignature

            return check

        monkeypatch.setattr("tenantgate.tokens.keys._ecdsa", counted)
        flood = [{**public_jwk("p256-1"), "kid": "same", "x": b64(number.to_bytes(32))} for number in range(MAX_KEYS)]
        check = KeySet.parse(_set(*flood)).find("same", "ES256")
        assert check is not None
        with pytest.raises(BadSignature):
            check(b"s" * 64, b"signed")
        assert len(tries) == MAX_SAME_KID

    def test_unusable_ones_do_not_use_up_the_bound(self) -> None:
        off_curve = [{**public_jwk("p256-1"), "kid": "same", "y": b64(n.to_bytes(32))} for n in range(50)]
        good = public_jwk("p256-1") | {"kid": "same"}
        assert static_verifier(_set(*off_curve, good)).verify(self._token("p256-1", "ES256"))

    def test_of_the_same_kid_only_those_that_fit_the_algorithm(self) -> None:
        verifier = static_verifier(
            _set(
                *(public_jwk("rsa-1", use="enc") | {"kid": "same"} for _ in range(MAX_SAME_KID)),
                *(public_jwk(f"rsa-{number}", alg="PS256") | {"kid": "same"} for number in range(1, 6)),
                public_jwk("rsa-2") | {"kid": "same"},
            )
        )
        assert verifier.verify(self._token("rsa-2"))
        with pytest.raises(InvalidSignature):
            verifier.verify(self._token("rsa-1"))

    def test_a_key_published_twice_is_one_key(self) -> None:
        twice = static_verifier(_set(public_jwk("rsa-1"), public_jwk("rsa-1", x5t="AA")))
        assert twice.verify(sign_raw('{"alg":"RS256"}', json.dumps(good_claims())))

    def test_without_kid_several_that_fit_are_refused_even_of_one_kid(self) -> None:
        verifier = static_verifier(self._same("rsa-1", "rsa-2"))
        with pytest.raises(UnknownKey):
            verifier.verify(sign_raw('{"alg":"RS256"}', json.dumps(good_claims())))


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param({"kty": "RSA", "kid": "x5c-only", "use": "sig", "x5c": ["MIIB"]}, id="x5c-only"),
        pytest.param({"kty": "AKP", "kid": "pq", "alg": "ML-DSA-44", "pub": "AA"}, id="unknown-kty"),
        pytest.param({"kty": "oct", "kid": "secret", "k": "AAAA"}, id="a-shared-secret"),
        pytest.param({"kty": "OKP", "crv": "Ed448", "x": "AA", "kid": "ed448"}, id="another-curve"),
        pytest.param({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA", "kid": "k1"}, id="another-ec-curve"),
        pytest.param({"kty": "EC", "crv": ["P-256"], "x": "AA", "y": "AA", "kid": "list"}, id="a-list-for-a-curve"),
        pytest.param({"kty": "RSA", "kid": "enc", "use": "enc", "n": "AQAB", "e": "AQAB"}, id="use-enc"),
        pytest.param({"kty": "RSA", "kid": "weak", "n": "AQAB", "e": "AQAB"}, id="weak"),
        pytest.param({"kty": "RSA", "kid": "not-base64", "n": "!", "e": "AQAB"}, id="not-base64"),
        pytest.param(None, id="null"),
        pytest.param("rsa-1", id="a-text"),
    ],
)
def test_one_unusable_key_among_good_ones_harms_none(bad: dict[str, object] | str | None) -> None:
    verifier = static_verifier({"keys": [bad, *public_jwks()["keys"], bad]})  # type: ignore[misc]
    for alg in ALGORITHM_KEYS:
        assert verifier.verify(sign(good_claims(), alg))
    if isinstance(bad, dict):
        with pytest.raises(UnknownKey):
            verifier.verify(sign_raw(json.dumps({"alg": "RS256", "kid": bad["kid"]}), json.dumps(good_claims())))


@pytest.mark.parametrize(("number", "accepted"), [(MAX_KEYS, True), (MAX_KEYS + 1, False)])
def test_a_set_of_a_hundred_keys_is_read_and_of_one_more_is_not(number: int, accepted: bool) -> None:
    jwks = _set(*(public_jwk("p256-1") | {"kid": f"key-{place}"} for place in range(number)))
    if accepted:
        assert len(KeySet.parse(jwks)) == number
    else:
        with pytest.raises(ValueError, match="at most 100"):
            KeySet.parse(jwks)


# RFC 8032 §5.1.2 encodings of the points of order 1, 2, 4 and 8, and of those that decode to them modulo p.
_P = 2**255 - 19
_SMALL = {
    "order-4": 0,
    "order-1": 1,
    "order-2": _P - 1,
    "order-4-not-reduced": _P,
    "order-1-not-reduced": _P + 1,
    "order-8": 2707385501144840649318225287225658788936804267575313519463743609750303402022,
    "order-8-other": 55188659117513257062467267217118295137698188065244968500265048394206261417927,
}


@pytest.mark.parametrize("sign_bit", [0, 1])
@pytest.mark.parametrize("point", _SMALL.values(), ids=_SMALL)
def test_points_of_small_order_verify_nothing(point: int, sign_bit: int) -> None:
    x = b64((point | sign_bit << 255).to_bytes(32, "little"))
    verifier = static_verifier(_set({"kty": "OKP", "crv": "Ed25519", "kid": "ed25519-1", "x": x}))
    with pytest.raises(UnknownKey):
        verifier.verify(sign(good_claims(), "EdDSA"))


@pytest.mark.parametrize(("alg", "size"), [("ES256", 32), ("ES384", 48), ("ES512", 66)])
def test_an_ecdsa_signature_has_no_byte_between_its_halves(alg: str, size: int) -> None:
    token = sign(good_claims(), alg)
    signed, _, signature = token.rpartition(".")
    raw = urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    assert len(raw) == 2 * size
    for wrong in (raw[:size] + b"\0" + raw[size:], raw[:-1], raw + b"\0", b"\0" + raw, raw[1:]):
        with pytest.raises(InvalidSignature):
            static_verifier().verify(f"{signed}.{b64(wrong)}")


def test_at_most_four_keys_of_one_kid_are_tried() -> None:
    assert MAX_SAME_KID == 4


@pytest.mark.parametrize(("kid", "alg"), [("p256-1", "ES256"), ("p384-1", "ES384"), ("p521-1", "ES512")])
@pytest.mark.parametrize("member", ["x", "y"])
def test_a_coordinate_has_the_length_of_its_curve(kid: str, alg: str, member: str) -> None:
    """RFC 7518 §6.2.1.2: a longer or shorter text would be a second spelling of the same key."""
    jwk = dict(public_jwk(kid))
    text = str(jwk[member])
    raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    assert KeySet.parse(_set(jwk)).find(kid, alg) is not None
    for wrong in (b"\0" + raw, raw + b"\0", raw[:-1]):
        assert KeySet.parse(_set({**jwk, member: b64(wrong)})).find(kid, alg) is None


@pytest.mark.parametrize(("bits", "accepted"), [(2047, False), (2048, True), (8192, True), (8193, False)], ids=str)
def test_an_rsa_modulus_has_2048_to_8192_bits(bits: int, accepted: bool) -> None:
    modulus = (1 << bits - 1) | 1
    jwk: dict[str, object] = {"kty": "RSA", "kid": "k", "e": "AQAB", "n": b64(modulus.to_bytes((bits + 7) // 8))}
    assert (KeySet.parse(_set(jwk)).find("k", "RS256") is not None) is accepted


@pytest.mark.parametrize(("bits", "accepted"), [(17, True), (33, True), (64, True), (65, False)])
def test_an_rsa_exponent_has_at_most_64_bits(bits: int, accepted: bool) -> None:
    exponent = (1 << bits - 1) | 1
    jwk = {**public_jwk("rsa-1"), "e": b64(exponent.to_bytes((bits + 7) // 8))}
    assert (KeySet.parse(_set(jwk)).find("rsa-1", "RS256") is not None) is accepted


def test_a_member_of_a_key_has_at_most_2048_characters() -> None:
    jwk: dict[str, object] = {"kty": "RSA", "kid": "k", "e": "AQAB", "n": "A" * 2048}
    assert len(KeySet.parse(_set(jwk))) == 1
    with pytest.raises(ValueError, match="no key"):
        KeySet.parse(_set({**jwk, "n": "A" * 2049}))


class _VerifiesAnything:
    """A broken library (CVE-2022-21449): as a curve's numbers, their key, and its check."""

    def __init__(self, *_: object) -> None: ...

    def public_key(self) -> _VerifiesAnything:
        return self

    def verify(self, *_: object) -> None: ...


P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.mark.parametrize(
    ("r", "s", "accepted"),
    [
        (1, 1, True),
        (P256_ORDER - 1, P256_ORDER - 1, True),
        (0, 0, False),
        (0, 1, False),
        (1, 0, False),
        (P256_ORDER, 1, False),
        (1, P256_ORDER, False),
        (P256_ORDER + 1, P256_ORDER + 1, False),
    ],
)
def test_an_ecdsa_signature_of_zeros_is_refused_even_where_the_library_would_accept_it(
    r: int, s: int, accepted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cryptography.hazmat.primitives.asymmetric.ec.EllipticCurvePublicNumbers", _VerifiesAnything)
    check = KeySet.parse(_set(public_jwk("p256-1"))).find("p256-1", "ES256")
    assert check is not None
    signature = r.to_bytes(32) + s.to_bytes(32)
    if accepted:
        check(signature, b"signed")
        return
    with pytest.raises(BadSignature):
        check(signature, b"signed")
