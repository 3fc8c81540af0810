"""`RATE_LIMITS`: its form, its defaults, and the message for each wrong entry."""

from __future__ import annotations

import pytest

from tenantgate.settings.errors import SettingsError
from tenantgate.settings.model import Settings
from tenantgate.settings.rate_limits import DEFAULT_RATE_LIMITS, Limit, parse_rate_limits
from tests.fixtures.web.setup import make_settings

PRODUCTION = {
    "ALLOWED_ORIGINS": "https://app.example.com",
    "PUBLIC_BASE_URL": "https://auth.example.com",
    "OIDC_ISSUER_URL": "https://login.example.com",
    "OIDC_CLIENT_ID": "gate",
}


def test_production_has_defaults() -> None:
    limits = Settings.from_mapping(PRODUCTION).request_limits

    assert limits == parse_rate_limits(DEFAULT_RATE_LIMITS, relaxed=True)
    assert (limits.address, limits.identity, limits.tenant) == (Limit(600, 60), Limit(600, 60), Limit(6000, 60))
    assert limits.routes["GET /api/v1/auth/login"] == Limit(120, 60)
    assert limits.routes["GET /api/v1/health/ready"] is None
    assert limits


def test_one_entry_changes_one_limit() -> None:
    limits = parse_rate_limits("Tenant = 5/second, get /api/v1/auth/login=off,POST /x/{id}=7/day", relaxed=False)

    assert (limits.tenant, limits.identity) == (Limit(5, 1), Limit(600, 60))
    assert limits.routes["GET /api/v1/auth/login"] is None
    assert limits.routes["POST /x/{id}"] == Limit(7, 86_400)


def test_in_development_and_test_the_defaults_are_off() -> None:
    assert not make_settings().request_limits
    limits = make_settings(RATE_LIMITS="address=9/hour").request_limits
    assert (limits.address, limits.identity, limits.tenant) == (Limit(9, 3600), None, None)
    assert limits.routes["GET /api/v1/health/live"] is None


@pytest.mark.parametrize("relaxed", [False, True])
def test_off_turns_everything_off(relaxed: bool) -> None:
    assert not parse_rate_limits(" OFF ", relaxed=relaxed)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("600/minute", "entry 1 must begin with address=", id="no-name"),
        pytest.param("adress=600/minute", "entry 1 must begin with address=", id="misspelled-name"),
        pytest.param("/api/v1/auth/login=6/minute", "must begin with", id="route-without-method"),
        pytest.param("GET login=6/minute", "must begin with", id="route-without-path"),
        pytest.param("tenant=off,GET /login?a=b=6/minute", "entry 2 must begin with", id="route-with-a-query"),
        pytest.param("FETCH /login=6/minute", "must begin with", id="unknown-method"),
        pytest.param("address=0/minute", "a number from 1 to", id="zero"),
        pytest.param("address=-1/minute", "a number from 1 to", id="negative"),
        pytest.param("address=1.5/minute", "a number from 1 to", id="fraction"),
        pytest.param("address=٣/minute", "a number from 1 to", id="digits-of-another-script"),
        pytest.param("address=10000001/minute", "a number from 1 to", id="too-many"),
        pytest.param(f"address={'9' * 5000}/minute", "a number from 1 to", id="thousands-of-digits"),
        pytest.param("address=5", "and its window", id="no-window"),
        pytest.param("address=5/fortnight", "and its window", id="unknown-window"),
        pytest.param("address=", "and its window", id="no-value"),
        pytest.param("tenant=5/minute, tenant=6/minute", "entry 2 repeats the name", id="twice"),
        pytest.param("GET /a=5/minute,get /a=off", "entry 2 repeats the name", id="route-twice"),
    ],
)
def test_a_wrong_value_stops_the_start_with_the_entry_and_the_fix(text: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_mapping(PRODUCTION | {"RATE_LIMITS": text})

    assert list(caught.value.problems) == ["RATE_LIMITS"]
    assert problem in caught.value.problems["RATE_LIMITS"]
    assert len(caught.value.problems["RATE_LIMITS"]) < 400
