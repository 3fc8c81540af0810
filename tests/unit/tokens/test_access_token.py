"""The audience of an access token, and the value that a rejection names."""

from __future__ import annotations

import pytest

from tenantgate.errors.tokens import InvalidClaim, MissingClaim, WrongAudience
from tenantgate.tokens.access_token import check_audience
from tenantgate.tokens.issuers import IssuerPolicy

POLICY = IssuerPolicy("https://idp.example", ("api", "other-api"))
MAPPED = IssuerPolicy("https://idp.example", ("api", "other-api"), audience_claims=("client_id", "azp"))


@pytest.mark.parametrize("audience", ["api", "other-api", ["api"], ["x", "other-api"], ["api", "api"]])
def test_one_audience_must_be_the_apis(audience: object) -> None:
    check_audience({"aud": audience}, POLICY)


@pytest.mark.parametrize("audience", ["x", "", "API", "api ", ["x"], ["x", "y"], ["ap"]])
def test_the_audiences_of_others_are_refused(audience: object) -> None:
    with pytest.raises(WrongAudience) as refused:
        check_audience({"aud": audience}, POLICY)
    assert refused.value.private == {"claim": "aud", "expected": ("api", "other-api"), "actual": audience}


@pytest.mark.parametrize("audience", [7, {}, [], ["api", 7], ["api", None], True])
def test_an_audience_is_a_text_or_a_list_of_texts(audience: object) -> None:
    with pytest.raises(InvalidClaim) as refused:
        check_audience({"aud": audience}, POLICY)
    assert refused.value.private["claim"] == "aud"


@pytest.mark.parametrize(("policy", "claim"), [(POLICY, "aud"), (MAPPED, "client_id")])
def test_a_missing_audience_is_refused_by_the_first_name(policy: IssuerPolicy, claim: str) -> None:
    for claims in ({}, {"aud": None, "client_id": None}):
        with pytest.raises(MissingClaim) as refused:
            check_audience(claims, policy)
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
