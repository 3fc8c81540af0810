"""Accepted cache URLs by environment and `REDIS_TLS`. The URL's own forms are in `test_cache_url.py`."""

import pytest

from tenantgate.settings.errors import SettingsError
from tenantgate.settings.model import Settings

PASSWORD = "canary-password"
ENVIRONMENT = {
    "PUBLIC_BASE_URL": "https://auth.example.com",
    "ALLOWED_ORIGINS": "https://app.example.com",
    "OIDC_ISSUER_URL": "https://issuer.example.com",
    "OIDC_CLIENT_ID": "tenantgate",
}
PLAIN = f"redis://:{PASSWORD}@cache.example.com:6379/0"
SAFE = PLAIN.replace("redis:", "rediss:")


def problems(url: str, *, environment: str, tls: str | None) -> dict[str, str]:
    values = ENVIRONMENT | {"ENVIRONMENT": environment, "REDIS_URL": url}
    try:
        Settings.from_mapping(values if tls is None else values | {"REDIS_TLS": tls})
    except SettingsError as error:
        found, text = error.problems, str(error)
    else:
        return {}
    assert PASSWORD not in text
    return found


@pytest.mark.parametrize("environment", ["production", "staging"])
@pytest.mark.parametrize(
    ("tls", "url", "accepted"),
    [
        (None, PLAIN, False),
        (None, SAFE, True),
        (None, PLAIN.replace("cache.example.com", "127.0.0.1"), True),
        ("verify-full", PLAIN, False),
        ("encrypted", PLAIN, False),
        ("encrypted", SAFE, True),
        ("private-network", PLAIN, True),
    ],
)
def test_another_machine_needs_tls_outside_development(
    environment: str, tls: str | None, url: str, *, accepted: bool
) -> None:
    found = problems(url, environment=environment, tls=tls)

    assert found.keys() == (set() if accepted else {"REDIS_URL"})
    if not accepted:
        assert "begin it with rediss://" in found["REDIS_URL"]


@pytest.mark.parametrize("environment", ["development", "test"])
def test_in_development_any_machine_is_accepted(environment: str) -> None:
    assert problems(PLAIN, environment=environment, tls=None) == {}


def test_a_wrong_protection_is_the_only_problem_reported() -> None:
    assert problems(PLAIN, environment="production", tls="off").keys() == {"REDIS_TLS"}


@pytest.mark.parametrize(("tls", "verified"), [("verify-full", True), ("encrypted", False), ("private-network", False)])
def test_the_protection_decides_whether_tls_verifies(tls: str, *, verified: bool) -> None:
    settings = Settings.from_mapping(ENVIRONMENT | {"ENVIRONMENT": "production", "REDIS_URL": SAFE, "REDIS_TLS": tls})

    assert settings.cache_url is not None
    assert (settings.cache_url.tls, settings.cache_url.verified) == (True, verified)
    assert PASSWORD not in repr(settings)


def test_without_the_url_there_is_no_cache() -> None:
    assert Settings.from_mapping(ENVIRONMENT | {"ENVIRONMENT": "production"}).cache_url is None


BY_TOKEN = {
    "REDIS_URL": "rediss://tenantgate-web@tenantgate-a1.serverless.euc1.cache.amazonaws.com:6379/0",
    "REDIS_IAM_CACHE": "tenantgate",
    "AWS_REGION": "eu-central-1",
}


@pytest.mark.parametrize("environment", ["development", "production"])
def test_a_cache_that_takes_tokens_has_a_user_and_no_password(environment: str) -> None:
    url = Settings.from_mapping(ENVIRONMENT | BY_TOKEN | {"ENVIRONMENT": environment}).cache_url

    assert url is not None
    assert (url.user, url.password, url.iam_cache, url.region) == ("tenantgate-web", "", "tenantgate", "eu-central-1")
    assert url.verified


@pytest.mark.parametrize("environment", ["development", "production"])
@pytest.mark.parametrize(
    ("changed", "variable"),
    [
        pytest.param({"REDIS_URL": SAFE}, "REDIS_URL", id="password"),
        pytest.param({"REDIS_URL": "redis://app@127.0.0.1"}, "REDIS_URL", id="without-tls"),
        pytest.param({"REDIS_TLS": "encrypted"}, "REDIS_URL", id="not-verified"),
        pytest.param({"REDIS_IAM_CACHE": "Tenantgate"}, "REDIS_IAM_CACHE", id="upper-case"),
        pytest.param({"REDIS_IAM_CACHE": "a/?User=other"}, "REDIS_IAM_CACHE", id="query-in-the-name"),
        pytest.param({"REDIS_IAM_CACHE": "a" * 41}, "REDIS_IAM_CACHE", id="long-name"),
        pytest.param({"AWS_REGION": ""}, "REDIS_IAM_CACHE", id="without-a-region"),
        pytest.param({"REDIS_IAM_CACHE": ""}, "REDIS_URL", id="user-without-a-password"),
    ],
)
def test_a_token_goes_only_to_a_verified_server_of_a_named_cache(
    environment: str, changed: dict[str, str], variable: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_mapping(ENVIRONMENT | BY_TOKEN | changed | {"ENVIRONMENT": environment})

    assert caught.value.problems.keys() == {variable}
    assert PASSWORD not in str(caught.value)
