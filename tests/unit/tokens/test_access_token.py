"""The audience of an access token, and the value that a rejection names."""

from __future__ import annotations

import pytest

from tenantgate.errors.tokens import InvalidClaim, MissingClaim, WrongAudience, WrongTokenType
from tenantgate.tokens.access_token import ACCESS_TOKEN_STEPS, check_audience, check_kind
from tenantgate.tokens.issuers import IssuerPolicy
from tenantgate.tokens.jws import Header
from tenantgate.tokens.signatures import TrustedIssuer
from tests.fixtures.tokens.issuer import ISSUER, ManualClock, public_jwks, static_keys


def trusted(**settings: tuple[str, ...]) -> TrustedIssuer:
    policy = IssuerPolicy(ISSUER, ("api", "other-api"), **settings)  # type: ignore[arg-type]
    return TrustedIssuer(policy, static_keys(public_jwks(), clock=ManualClock()).of(ISSUER))


ISSUER_OF_AUD = trusted()
MAPPED = trusted(audience_claims=("client_id", "azp"))


@pytest.mark.parametrize("audience", ["api", "other-api", ["api"], ["x", "other-api"], ["api", "api"]])
def test_one_audience_must_be_the_apis(audience: object) -> None:
    check_audience({"aud": audience}, ISSUER_OF_AUD)


@pytest.mark.parametrize("audience", ["x", "", "API", "api ", ["x"], ["x", "y"], ["ap"]])
def test_the_audiences_of_others_are_refused(audience: object) -> None:
    with pytest.raises(WrongAudience) as refused:
        check_audience({"aud": audience}, ISSUER_OF_AUD)
    assert refused.value.private == {"claim": "aud", "expected": ("api", "other-api"), "actual": audience}


@pytest.mark.parametrize("audience", [7, {}, [], ["api", 7], ["api", None], True])
def test_an_audience_is_a_text_or_a_list_of_texts(audience: object) -> None:
    with pytest.raises(InvalidClaim) as refused:
        check_audience({"aud": audience}, ISSUER_OF_AUD)
    assert refused.value.private["claim"] == "aud"


@pytest.mark.parametrize(("issuer", "claim"), [(ISSUER_OF_AUD, "aud"), (MAPPED, "client_id")])
def test_a_missing_audience_is_refused_by_the_first_name(issuer: TrustedIssuer, claim: str) -> None:
    for claims in ({}, {"aud": None, "client_id": None}):
        with pytest.raises(MissingClaim) as refused:
            check_audience(claims, issuer)
        assert refused.value.private["claim"] == claim


def test_the_first_claim_that_is_present_decides() -> None:
    check_audience({"client_id": "api"}, MAPPED)
    check_audience({"azp": "api"}, MAPPED)
    check_audience({"client_id": "api", "azp": "x"}, MAPPED)
    with pytest.raises(WrongAudience) as refused:
        check_audience({"client_id": "x", "azp": "api"}, MAPPED)
    assert refused.value.private["claim"] == "client_id"


def test_a_present_aud_must_be_the_apis_as_well() -> None:
    check_audience({"client_id": "api", "aud": ["api"]}, MAPPED)
    with pytest.raises(WrongAudience) as refused:
        check_audience({"client_id": "api", "aud": "x"}, MAPPED)
    assert refused.value.private["claim"] == "aud"


def test_the_steps_have_the_names_and_the_order_that_explain_reports() -> None:
    assert [name for name, _, _ in ACCESS_TOKEN_STEPS] == [
        *("form", "issuer", "algorithm", "key", "signature"),
        *("type", "times", "audience", "subject", "scopes", "expiry"),
    ]


def test_a_token_without_any_audience_claim_is_not_for_a_client() -> None:
    header = Header("RS256", None, "jwt")
    check_kind({}, header, MAPPED)
    check_kind({"azp": "other-client"}, header, MAPPED)
    with pytest.raises(MissingClaim):
        check_audience({}, MAPPED)


def test_a_client_in_a_later_audience_claim_is_found() -> None:
    issuer = trusted(audience_claims=("client_id", "azp"), client_ids=("app",))
    with pytest.raises(WrongTokenType) as error:
        check_kind({"azp": "app"}, Header("RS256", None, "jwt"), issuer)
    assert error.value.private["actual"] == "app"
