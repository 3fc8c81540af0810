"""ID tokens as the relying party checks them (OpenID Connect Core §3.1.3.7); all failures are AUTH_008."""

from __future__ import annotations

import base64
import hashlib
import json

import jwt
import pytest

from tenantgate.errors.tokens import IdTokenRefused
from tenantgate.tokens.id_token import half_hash
from tests.fixtures.tokens.issuer import ALGORITHM_KEYS, ISSUER, NOW, NULL, good_claims, sign, static_verifier

CLIENT = "a-client"
NONCE = "n-0S6_WzA2Mj"
ACCESS_TOKEN = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
CODE = "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk"


def _claims(**changes: object) -> dict[str, object]:
    defaults: dict[str, object] = {"aud": CLIENT, "nonce": NONCE, "client_id": None, "scope": None, "tenant_id": None}
    return good_claims(**(defaults | changes))  # type: ignore[arg-type]


def _verify(token: str, **changes: object) -> object:
    options: dict[str, object] = {"client_id": CLIENT, "nonce": NONCE, "access_token": ACCESS_TOKEN, "code": CODE}
    return static_verifier().verify_id_token(token, **(options | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("alg", ALGORITHM_KEYS)
def test_accepts_an_id_token_with_the_hashes_of_its_algorithm(alg: str) -> None:
    hashes = {"at_hash": half_hash(ACCESS_TOKEN, alg), "c_hash": half_hash(CODE, alg)}
    assert _verify(sign(_claims(**hashes), alg, typ="JWT"))


def test_the_half_hash_is_that_of_the_specifications_examples() -> None:
    # OpenID Connect Core, appendix A.3, A.4
    assert half_hash(ACCESS_TOKEN, "RS256") == "77QmUPtjPfzWtF2AnpK9RQ"
    assert half_hash(CODE, "RS256") == "LDktKdoQak3Pk0cnXxCltA"


@pytest.mark.parametrize("alg", [alg for alg in ALGORITHM_KEYS if alg != "EdDSA"])
def test_the_half_hash_agrees_with_pyjwt(alg: str) -> None:
    digest = jwt.get_algorithm_by_name(alg).compute_hash_digest(ACCESS_TOKEN.encode())
    assert half_hash(ACCESS_TOKEN, alg) == jwt.utils.base64url_encode(digest[: len(digest) // 2]).decode()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"at_hash": None, "c_hash": None}, id="no-hashes"),
        pytest.param({"aud": [CLIENT]}, id="aud-list"),
        pytest.param({"aud": [CLIENT, "other"], "azp": CLIENT}, id="two-audiences-with-azp"),
        pytest.param({"exp": NOW + 86400}, id="a-long-life-is-the-providers-business"),
        pytest.param({"token_use": "id"}, id="token-use-id"),
        *(
            pytest.param({name: NULL}, id=f"{name}-null-is-absent")
            for name in ("azp", "at_hash", "c_hash", "token_use", "events", "nbf", "auth_time", "acr")
        ),
        pytest.param({"iat": NOW - 9.75, "exp": NOW + 600.5}, id="times-with-fractions"),
        pytest.param({"aud": [CLIENT, *(f"a{n}" for n in range(70))], "azp": CLIENT}, id="many-audiences"),
    ],
)
def test_accepts_what_the_specification_leaves_open(changes: dict[str, object]) -> None:
    assert _verify(sign(_claims(**changes), typ="JWT"))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"iss": "https://issuer.example.test/tenantgate/"}, id="invalid-iss"),
        pytest.param({"sub": None}, id="missing-sub"),
        pytest.param({"sub": ""}, id="empty-sub"),
        pytest.param({"aud": "other"}, id="invalid-aud"),
        pytest.param({"aud": None}, id="missing-aud"),
        pytest.param({"aud": []}, id="no-aud"),
        pytest.param({"aud": [CLIENT, 1]}, id="aud-with-a-number"),
        pytest.param({"aud": [CLIENT, 1], "azp": CLIENT}, id="aud-with-a-number-and-azp"),
        pytest.param({"aud": [1]}, id="aud-is-a-number-in-a-list"),
        pytest.param({"aud": {CLIENT: 1}}, id="aud-is-an-object"),
        pytest.param({"aud": [CLIENT, "other"]}, id="two-audiences-without-azp"),
        pytest.param({"aud": [CLIENT, "other"], "azp": "other"}, id="another-azp"),
        pytest.param({"azp": "other"}, id="azp-of-another-client"),
        pytest.param({"aud": [CLIENT, "other"], "azp": NULL}, id="two-audiences-and-azp-null"),
        pytest.param({"nonce": NULL}, id="nonce-null"),
        pytest.param({"iat": None}, id="missing-iat"),
        pytest.param({"iat": NOW + 61}, id="iat-in-the-future"),
        pytest.param({"exp": None}, id="missing-exp"),
        pytest.param({"exp": NOW - 60, "iat": NOW - 600}, id="expired"),
        pytest.param({"nonce": None}, id="missing-nonce"),
        pytest.param({"nonce": "other"}, id="nonce-invalid"),
        pytest.param({"nonce": 1}, id="nonce-is-a-number"),
        pytest.param({"at_hash": half_hash("another access token", "RS256")}, id="swapped-at-hash"),
        pytest.param({"at_hash": half_hash(ACCESS_TOKEN, "RS512")}, id="at-hash-of-another-algorithm"),
        pytest.param({"at_hash": ""}, id="at-hash-empty"),
        pytest.param({"c_hash": half_hash("another code", "RS256")}, id="swapped-c-hash"),
        pytest.param({"events": {}}, id="a-logout-token"),
        pytest.param({"token_use": "access"}, id="an-access-token-by-token-use"),
    ],
)
def test_refuses_with_auth_008(changes: dict[str, object]) -> None:
    with pytest.raises(IdTokenRefused) as refusal:
        _verify(sign(_claims(**changes), typ="JWT"))
    assert refusal.value.error.code == "AUTH_008"
    assert refusal.value.private["check"]


def test_refuses_an_access_token_by_its_type() -> None:
    with pytest.raises(IdTokenRefused):
        _verify(sign(_claims(), typ="at+jwt"))


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="empty"),
        pytest.param(sign(_claims(), typ="JWT")[:-8] + "AAAAAAAA", id="invalid-sig-rs256"),
        pytest.param(jwt.encode(_claims(), "", "none"), id="idtoken-sig-none"),
        pytest.param(jwt.encode(_claims(), "0" * 32, "HS256"), id="hmac"),
        pytest.param(sign(_claims(), kid="rsa-foreign", typ="JWT"), id="an-unknown-key"),
    ],
)
def test_refuses_a_bad_signature(token: str) -> None:
    with pytest.raises(IdTokenRefused):
        _verify(token)


def test_an_id_token_of_another_trusted_issuer_is_rejected() -> None:
    other = "https://other.example.test"
    entry = {"issuer": other, "audiences": [CLIENT], "tenants": "*"}
    verifier = static_verifier(trusted_issuers=json.dumps([entry]))
    token = sign(_claims(iss=other), typ="JWT")
    options = {"client_id": CLIENT, "nonce": NONCE, "access_token": None}
    with pytest.raises(IdTokenRefused):
        verifier.verify_id_token(token, **options)  # type: ignore[arg-type]
    assert verifier.verify_id_token(token, issuer=other, **options).issuer == other  # type: ignore[arg-type]
    with pytest.raises(IdTokenRefused):
        verifier.verify_id_token(sign(_claims(), typ="JWT"), issuer=other, **options)  # type: ignore[arg-type]


def test_an_expired_hint_is_accepted_for_signing_out_when_allowed() -> None:
    token = sign(_claims(iat=NOW - 7200, exp=NOW - 3600), typ="JWT")
    options: dict[str, object] = {"nonce": None, "access_token": None, "code": None}
    assert _verify(token, allow_expired=True, **options)
    with pytest.raises(IdTokenRefused):
        _verify(token, **options)


def test_it_was_signed_by_the_issuer_of_these_tests() -> None:
    assert (
        static_verifier()
        .verify_id_token(sign(_claims(), typ="JWT"), client_id=CLIENT, nonce=NONCE, access_token=None)
        .issuer
        == ISSUER
    )


def test_hashes_without_their_value_are_not_checked() -> None:
    token = sign(_claims(at_hash="another", c_hash="another"), typ="JWT")
    assert _verify(token, access_token=None, code=None)


@pytest.mark.parametrize(
    ("alg", "name"),
    [("RS256", "sha256"), ("PS384", "sha384"), ("ES512", "sha512"), ("EdDSA", "sha512"), ("Ed25519", "sha512")],
)
def test_the_hash_is_the_left_half_in_base64url(alg: str, name: str) -> None:
    for number in range(200):
        digest = hashlib.new(name, b"%d" % number).digest()
        half = base64.urlsafe_b64encode(digest[: len(digest) // 2]).decode().replace("=", "")
        assert half_hash(str(number), alg) == half
