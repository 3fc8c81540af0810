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
