"""Accepted database URLs by environment and `DATABASE_TLS`."""

import pytest

from tenantgate.settings.errors import SettingsError
from tenantgate.settings.model import Settings

PASSWORD = "canary-password"
RDS = "db.c1a2.eu-central-1.rds.amazonaws.com"
ENVIRONMENT = {
    "PUBLIC_BASE_URL": "https://auth.example.com",
    "ALLOWED_ORIGINS": "https://app.example.com",
    "OIDC_ISSUER_URL": "https://issuer.example.com",
    "OIDC_CLIENT_ID": "tenantgate",
}
FAR = f"postgresql://app:{PASSWORD}@db.example.com/name"
NEAR = f"postgresql://app:{PASSWORD}@127.0.0.1/name"
BY_TOKEN = f"postgresql://app@{RDS}/name"


def problems(url: str, *, variable: str, environment: str, tls: str | None) -> dict[str, str]:
    values = ENVIRONMENT | {"ENVIRONMENT": environment, variable: url}
    try:
        Settings.from_mapping(values if tls is None else values | {"DATABASE_TLS": tls})
    except SettingsError as error:
        found, text = error.problems, str(error)
    else:
        return {}
    assert PASSWORD not in text
    return found


@pytest.mark.parametrize("variable", ["DATABASE_URL", "DATABASE_OWNER_URL"])
@pytest.mark.parametrize("environment", ["production", "staging"])
@pytest.mark.parametrize(
    ("tls", "url", "accepted"),
    [
        pytest.param(None, FAR, False, id="no-mode"),
        *(
            pytest.param(None, f"{FAR}?sslmode={mode}", False, id=mode)
            for mode in ("disable", "allow", "prefer", "require", "verify-ca", "", "VERIFY-FULL", "verify_full", "x")
        ),
        pytest.param(None, f"{FAR}?sslmode=verify-full", True, id="verified"),
        pytest.param(None, f"{FAR}?sslmode=verify-full&sslmode=disable", False, id="verified-and-undone"),
        pytest.param(None, f"{FAR}?sslmode=disable&sslmode=verify-full", False, id="undone-and-verified"),
        pytest.param(None, f"{FAR}?sslmode=verify-full&sslmode=", False, id="verified-and-blanked"),
        pytest.param(None, f"{FAR}?SSLMODE=verify-full", False, id="another-parameter"),
        pytest.param(None, FAR.replace("db.example.com", "127.0.0.1.example.com"), False, id="loopback-as-subdomain"),
        pytest.param(None, FAR.replace("db.example.com", "localhost,db.example.com"), False, id="several-hosts"),
        pytest.param(None, FAR.replace("app:", "127.0.0.1:"), False, id="loopback-as-user"),
        pytest.param(None, NEAR, True, id="loopback"),
        pytest.param(None, NEAR.replace("127.0.0.1", "[::1]:5433"), True, id="loopback-of-ipv6"),
        pytest.param(None, NEAR.replace("127.0.0.1", "localhost"), True, id="localhost"),
        pytest.param("verify-full", FAR, False, id="written-out"),
        pytest.param("encrypted", FAR, False, id="encrypted-without-a-mode"),
        pytest.param("encrypted", f"{FAR}?sslmode=prefer", False, id="encrypted-perhaps"),
        pytest.param("encrypted", f"{FAR}?sslmode=require", True, id="encrypted"),
        pytest.param("encrypted", f"{FAR}?sslmode=verify-full", True, id="encrypted-and-verified"),
        pytest.param("private-network", FAR, True, id="private-network"),
        pytest.param("private-network", f"{FAR}?sslmode=disable", True, id="private-network-in-the-clear"),
        pytest.param("private-network", f"{FAR}?sslmode=bogus", False, id="private-network-with-no-such-mode"),
        # Without a mode, connections by token are verified.
        pytest.param(None, BY_TOKEN, True, id="token"),
        pytest.param(None, f"{BY_TOKEN}?sslmode=verify-full", True, id="token-verified"),
        pytest.param(None, f"{BY_TOKEN}?sslmode=verify-ca", False, id="token-of-any-host"),
        pytest.param(None, f"{BY_TOKEN}?sslmode=require", False, id="token-to-anyone"),
        pytest.param("encrypted", f"{BY_TOKEN}?sslmode=require", True, id="token-encrypted"),
        pytest.param("encrypted", f"{BY_TOKEN}?sslmode=prefer", False, id="token-encrypted-perhaps"),
        pytest.param("private-network", f"{BY_TOKEN}?sslmode=disable", False, id="token-in-the-clear"),
    ],
)
def test_a_database_elsewhere_is_verified_unless_something_else_is_written_out(
    variable: str, environment: str, tls: str | None, url: str, accepted: bool
) -> None:
    found = problems(url, variable=variable, environment=environment, tls=tls)

    assert list(found) == ([] if accepted else [variable])


@pytest.mark.parametrize("environment", ["development", "test"])
@pytest.mark.parametrize("url", [FAR, f"{FAR}?sslmode=require", f"{BY_TOKEN}?sslmode=require"])
def test_development_takes_any_database(environment: str, url: str) -> None:
    assert problems(url, variable="DATABASE_URL", environment=environment, tls=None) == {}


@pytest.mark.parametrize("environment", ["development", "test", "production"])
@pytest.mark.parametrize("mode", ["disable", "prefer"])
def test_a_token_is_never_sent_in_the_clear(environment: str, mode: str) -> None:
    url = f"{BY_TOKEN}?sslmode={mode}"

    assert list(problems(url, variable="DATABASE_URL", environment=environment, tls=None)) == ["DATABASE_URL"]


def test_an_unknown_value_is_the_only_problem() -> None:
    found = problems(FAR, variable="DATABASE_URL", environment="production", tls="off")

    assert list(found) == ["DATABASE_TLS"]
    assert "'verify-full', 'encrypted' or 'private-network'" in found["DATABASE_TLS"]


def test_the_message_says_what_to_add_and_what_to_set_instead() -> None:
    (problem,) = problems(FAR, variable="DATABASE_URL", environment="production", tls=None).values()

    assert all(part in problem for part in ("?sslmode=verify-full", "DATABASE_TLS", "private-network"))
