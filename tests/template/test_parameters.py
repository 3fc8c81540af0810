"""Parameters, outputs and the configurations of samconfig.toml."""

import re
import tomllib

import pytest
import yaml

from tenantgate_cli.build.sam import validate
from tenantgate_cli.paths import ROOT
from tests.fixtures.template.deployed import Stack, require_uv

# The resources that a role may use. In a policy, `*` and `?` would stand for others, too.
PERMITTED = {
    "DatabaseUserArn": "rds-db:eu-central-1:123456789012:dbuser:prx-0a/app",
    "RedisIamArns": "elasticache:eu-central-1:123456789012:user:app",
    "SecretArn": "secretsmanager:eu-central-1:123456789012:secret:tenantgate-AbCdEf",
    "SecretKeyArn": "kms:eu-central-1:123456789012:key/0a1b",
    "KeyEncryptionKmsKeys": "kms:eu-central-1:123456789012:key/0a1b",
    "AuditSigningKmsKeys": "kms:eu-central-1:123456789012:key/0a1b",
    "DatabaseOwnerSecretArn": "secretsmanager:eu-central-1:123456789012:secret:rds!cluster-0a1b-AbCdEf",
    "DatabaseOwnerKeyArn": "kms:eu-central-1:123456789012:key/0a1b",
}
STAGES = {"dev": "development", "staging": "staging", "prod": "production"}


def test_the_template_lints_clean() -> None:
    require_uv()
    done = validate()

    assert done.returncode == 0, done.stdout


def test_every_parameter_is_described_labelled_and_in_one_group(stack: Stack) -> None:
    parameters = stack.document["Parameters"]
    interface = stack.document["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]

    assert sorted(grouped) == sorted(parameters)
    assert sorted(interface["ParameterLabels"]) == sorted(parameters)
    assert all(parameter["Description"] for parameter in parameters.values())


def test_parameters_that_hold_passwords_are_not_echoed(stack: Stack) -> None:
    hidden = {name for name, parameter in stack.document["Parameters"].items() if parameter.get("NoEcho")}

    assert hidden == {"DatabaseUrl", "DatabaseOwnerUrl", "RedisUrl", "HttpsProxy"}


def test_no_default_weakens_security(stack: Stack) -> None:
    parameters = stack.document["Parameters"]

    assert parameters["Environment"]["Default"] == "production"
    assert parameters["DatabaseTls"]["Default"] == parameters["RedisTls"]["Default"] == "verify-full"
    # Only our own pages, until others are named.
    assert parameters["AllowedOrigins"]["Default"] == ""
    for name in ("OidcIssuerUrl", "OidcClientId"):
        assert "Default" not in parameters[name]


@pytest.mark.parametrize(
    ("parameter", "value", "accepted"),
    [
        pytest.param("PublicBaseUrl", "https://auth.example.com", True, id="base-url"),
        pytest.param("PublicBaseUrl", "http://auth.example.com", False, id="base-url-in-the-clear"),
        pytest.param("PublicBaseUrl", "https://auth.example.com/", False, id="base-url-with-a-slash"),
        pytest.param("AllowedOrigins", "https://app.example.com", True, id="origin"),
        pytest.param("AllowedOrigins", "http://localhost:5173", True, id="origin-of-a-developer"),
        pytest.param("AllowedOrigins", "", True, id="only-our-own-origin"),
        pytest.param("AllowedOrigins", "https://a.example.com,https://b.example.com", True, id="two-origins"),
        pytest.param("AllowedOrigins", "https://a.example.com,", False, id="an-origin-is-missing"),
        pytest.param("AllowedOrigins", "https://a.example.com,*", False, id="an-origin-and-any"),
        pytest.param("AllowedOrigins", "*", False, id="any-origin"),
        pytest.param("ReleaseId", "a1b2c3d4e5f6", True, id="release"),
        pytest.param("ReleaseId", "v1.2.3", False, id="release-that-isn't-a-hash"),
        pytest.param("DomainName", "auth.example.com", True, id="domain"),
        pytest.param("DomainName", "https://auth.example.com", False, id="domain-as-a-url"),
        pytest.param("DatabaseUserArn", "arn:aws:rds-db:eu-central-1:123456789012:dbuser:prx-0a/app", True, id="user"),
        pytest.param("DatabaseUserArn", "arn:aws:rds-db:eu-central-1:123456789012:dbuser:*/*", False, id="every-user"),
        pytest.param("RedisIamArns", "*", False, id="every-cache"),
        pytest.param("RedisIamCache", "tenantgate-prod", True, id="cache"),
        pytest.param("RedisIamCache", "arn:aws:elasticache:eu-central-1:1:serverlesscache:a", False, id="caches-arn"),
        *(
            pytest.param(parameter, f"arn:aws:{arn}{wildcard}", not wildcard, id=f"{parameter}{wildcard}")
            for parameter, arn in PERMITTED.items()
            for wildcard in ("", "*", "?")
        ),
        pytest.param("AuthorizerConcurrency", "0", False, id="no-concurrency"),
        pytest.param("AllowedOrigins", "https://*.example.com", False, id="wildcard-origin"),
        pytest.param("DatabaseUrl", "postgres://user:pw@host/name", True, id="database"),
        pytest.param("DatabaseUrl", "postgres://user@host/name?sslmode=verify-full", True, id="database-over-tls"),
        pytest.param("DatabaseUrl", "mysql://user:pw@host/name", False, id="another-database"),
        pytest.param("SecretArn", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:a-AbCdEf", True, id="arn"),
        pytest.param("SecretArn", "tenantgate", False, id="a-secrets-name"),
        pytest.param("OidcIssuerUrl", "http://issuer.example.com", False, id="issuer-in-the-clear"),
        pytest.param("JwtLeewaySeconds", "-1", False, id="negative-leeway"),
    ],
)
def test_parameters_reject_values_that_would_fail_later(
    stack: Stack, parameter: str, value: str, accepted: bool
) -> None:
    pattern = stack.document["Parameters"][parameter]["AllowedPattern"]

    assert bool(re.fullmatch(pattern, value)) == accepted


@pytest.mark.parametrize(("stage", "environment"), STAGES.items())
def test_each_stage_deploys_its_environment_with_its_parameter_file(stage: str, environment: str) -> None:
    deploy = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8"))[stage]["deploy"]["parameters"]
    # tests/template/infra/test_params.py compares this file with the template.
    file = f"infra/params/{stage}.yaml"

    assert deploy["stack_name"] == f"tenantgate-{stage}"
    assert deploy["parameter_overrides"] == f"file://{file}"
    assert yaml.safe_load((ROOT / file).read_text("utf-8"))["Environment"] == environment
