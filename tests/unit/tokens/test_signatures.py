"""The first half of verification: the issuer, the algorithm, the key and the signature, each on its own."""

from __future__ import annotations

import pytest

from tenantgate.errors.tokens import AlgorithmNotAllowed, InvalidSignature, MissingClaim, UnknownKey, WrongIssuer
from tenantgate.tokens.jws import Header, read_jws
from tenantgate.tokens.signatures import (
    TrustedIssuer,
    check_algorithm,
    find_key,
    signed_token,
    trusted_issuer,
    verify_signature,
)
from tests.fixtures.tokens.issuer import (
    ISSUER,
    NOW,
    ManualClock,
    good_claims,
    policy_of,
    public_jwks,
    sign,
    static_keys,
)

OTHER = "https://other.example.test"


def issuer_of(clock: ManualClock | None = None, **variables: str) -> TrustedIssuer:
    [policy] = policy_of(**variables).issuers
    return TrustedIssuer(policy, static_keys(public_jwks(), clock=clock or ManualClock()).of(ISSUER))


TRUSTED = {ISSUER: issuer_of()}


def test_the_issuer_is_the_one_that_the_token_names() -> None:
    assert trusted_issuer({"iss": ISSUER}, TRUSTED) is TRUSTED[ISSUER]


@pytest.mark.parametrize("name", [OTHER, ISSUER + "/", ISSUER.upper(), "", 7, [ISSUER], {}, None])
def test_another_issuer_is_rejected(name: object) -> None:
    with pytest.raises(WrongIssuer) as error:
        trusted_issuer({"iss": name}, TRUSTED)
    assert error.value.private["expected"] == [ISSUER]


def test_a_token_without_an_issuer_is_rejected() -> None:
    with pytest.raises(MissingClaim) as error:
        trusted_issuer({}, TRUSTED)
    assert error.value.private == {"claim": "iss", "expected": [ISSUER]}


@pytest.mark.parametrize("alg", ["HS256", "none", "rs256", ""])
def test_an_algorithm_that_the_policy_lacks_is_rejected(alg: str) -> None:
    check_algorithm(Header("RS256", None, ""), TRUSTED[ISSUER])
    with pytest.raises(AlgorithmNotAllowed) as error:
        check_algorithm(Header(alg, None, ""), TRUSTED[ISSUER])
    assert error.value.private["actual"] == alg


def test_a_key_is_found_by_kid_and_algorithm() -> None:
    first = find_key(Header("RS256", "rsa-1", ""), TRUSTED[ISSUER], NOW, False)
    again = find_key(Header("RS256", "rsa-1", "jwt"), TRUSTED[ISSUER], NOW, False)
    assert again is first
    for header in (Header("RS256", "p256-1", ""), Header("ES256", "rsa-1", ""), Header("RS256", "unknown", "")):
        with pytest.raises(UnknownKey):
            find_key(header, TRUSTED[ISSUER], NOW, True)


def test_a_key_that_was_found_before_counts_only_until_the_key_set_is_due() -> None:
    issuer = issuer_of()
    header = Header("RS256", "rsa-1", "")
    found = find_key(header, issuer, NOW, False)
    other = (found[0], -1)
    issuer.keys.held.found["rsa-1", "RS256"] = other

    assert find_key(header, issuer, issuer.keys.held.tend_at - 1, False) is other
    assert find_key(header, issuer, issuer.keys.held.tend_at, False)[1] == found[1]


def test_a_signature_that_the_key_does_not_verify_is_rejected() -> None:
    header, _, signature, signed, _ = read_jws(sign(good_claims()), {})
    key, _ = find_key(header, TRUSTED[ISSUER], NOW, False)

    verify_signature(key, signature, signed, header)
    with pytest.raises(InvalidSignature) as error:
        verify_signature(key, signature, signed + b"x", header)
    assert error.value.private == {"alg": "RS256", "kid": "rsa-1"}
    assert error.value.__suppress_context__


def test_only_the_header_of_a_token_with_a_valid_signature_is_kept() -> None:
    headers: dict[bytes, Header] = {}
    token = sign(good_claims())
    with pytest.raises(InvalidSignature):
        signed_token(token[:-8] + "AAAAAAAA", TRUSTED, headers, NOW, False)
    assert headers == {}

    header, claims, issuer, _ = signed_token(token, TRUSTED, headers, NOW, False)

    assert (claims, issuer) == (good_claims(), TRUSTED[ISSUER])
    assert list(headers.values()) == [header]
    assert signed_token(token, TRUSTED, headers, NOW, False)[0] is header


def test_no_more_than_64_headers_are_kept() -> None:
    headers: dict[bytes, Header] = {bytes([number]): Header("RS256", None, "") for number in range(64)}

    header, *_ = signed_token(sign(good_claims()), TRUSTED, headers, NOW, False)

    assert list(headers.values()) == [header]
