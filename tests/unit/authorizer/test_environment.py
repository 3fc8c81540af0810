"""The authorizer's environment: refused whole, with every bad variable named."""

from __future__ import annotations

import pytest

from tenantgate.authorizer.environment import InvalidEnvironment, bearer_credential, log_level, service_name
from tests.fixtures.tokens.issuer import AUDIENCE, ISSUER


def test_makes_a_credential_without_reading_or_fetching_a_key() -> None:
    assert bearer_credential({"OIDC_ISSUER_URL": ISSUER, "OIDC_AUDIENCE": AUDIENCE, "OIDC_JWKS_FILE": "/nowhere"})


def test_names_every_bad_variable_its_value_and_the_allowed_form() -> None:
    with pytest.raises(InvalidEnvironment) as refusal:
        bearer_credential({"OIDC_ISSUER_URL": "http://issuer.example.test", "JWT_LEEWAY_SECONDS": "soon"})
    text = str(refusal.value)
    assert "OIDC_ISSUER_URL='http://issuer.example.test': must be an https:// URL" in text
    assert "JWT_LEEWAY_SECONDS='soon': must be a whole number from 0 to 300" in text


def test_tells_no_variable_that_it_does_not_read() -> None:
    with pytest.raises(InvalidEnvironment) as refusal:
        bearer_credential({"OIDC_CLIENT_SECRET": "s3cr3t", "AWS_SESSION_TOKEN": "t0k3n"})
    assert "s3cr3t" not in str(refusal.value)
    assert "t0k3n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("value", "level"),
    [("DEBUG", "DEBUG"), (" warning ", "WARNING"), ("", "INFO"), ("LOUD", "INFO"), ("NOTSET", "INFO")],
)
def test_log_level(value: str, level: str) -> None:
    assert log_level({"LOG_LEVEL": value}) == level
    assert log_level({}) == "INFO"


def test_service_name() -> None:
    assert service_name({}) == "authorizer"
    assert service_name({"POWERTOOLS_SERVICE_NAME": "gate"}) == "gate"
