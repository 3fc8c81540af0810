"""The secret store that the settings describe."""

import json
from collections.abc import Iterator

import boto3
import pytest
import stamina
from moto import mock_aws

from tenantgate.aws.secrets_manager import secrets_client
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.secrets.wiring import secret_store
from tenantgate.settings.environment import get_settings

pytestmark = pytest.mark.anyio

DEPLOYED = {
    "ALLOWED_ORIGINS": "https://app.example.com",
    "PUBLIC_BASE_URL": "https://auth.example.com",
    "OIDC_ISSUER_URL": "https://issuer.example.com",
    "OIDC_CLIENT_ID": "gate",
}


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {
        "ENVIRONMENT": "test",
        "OIDC_CLIENT_SECRET": "from-the-environment",
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_SECRETS_MANAGER_SECRET_ID", raising=False)
    kept = (get_settings, secret_store, secrets_client)
    for made in kept:
        made.cache_clear()
    with stamina.set_testing(True, attempts=1):
        yield
    for made in kept:
        made.cache_clear()


async def test_reads_secrets_manager_with_the_role_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRETS_MANAGER_SECRET_ID", "tenantgate")
    with mock_aws():
        client = boto3.client("secretsmanager", region_name="eu-central-1")
        client.create_secret(Name="tenantgate", SecretString=json.dumps({"OIDC_CLIENT_SECRET": "from-aws"}))
        assert await secret_store().get("OIDC_CLIENT_SECRET") == "from-aws"


async def test_uses_the_environment_without_a_secret_id() -> None:
    assert await secret_store().get("OIDC_CLIENT_SECRET") == "from-the-environment"


@pytest.mark.parametrize("environment", ["development", "test"])
async def test_falls_back_to_the_environment_on_a_developers_machine(
    monkeypatch: pytest.MonkeyPatch, environment: str
) -> None:
    monkeypatch.setenv("ENVIRONMENT", environment)
    monkeypatch.setenv("AWS_SECRETS_MANAGER_SECRET_ID", "missing")
    with mock_aws():
        assert await secret_store().get("OIDC_CLIENT_SECRET") == "from-the-environment"


@pytest.mark.parametrize("environment", ["staging", "production"])
async def test_never_falls_back_to_the_environment_where_it_is_deployed(
    monkeypatch: pytest.MonkeyPatch, environment: str
) -> None:
    for name, value in {**DEPLOYED, "ENVIRONMENT": environment, "AWS_SECRETS_MANAGER_SECRET_ID": "missing"}.items():
        monkeypatch.setenv(name, value)
    with mock_aws(), pytest.raises(SecretsUnavailable):
        await secret_store().get("OIDC_CLIENT_SECRET")


def test_a_process_has_one_store() -> None:
    assert secret_store() is secret_store()
