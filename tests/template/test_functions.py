"""The functions: their code, their variables and their permissions."""

import sys

import pytest

from lambda_gateway.template.reader import read_template, variable_name
from tenantgate.settings.deployment import SECRET_NAMES
from tenantgate.settings.errors import SECRET_VARIABLES
from tenantgate.settings.model import Settings
from tenantgate.tokens.policy import token_policy
from tests.fixtures.template.deployed import TEMPLATE, Stack, function_folder
from tests.fixtures.template.needs import (
    NEEDS_AUDIT_KEYS,
    NEEDS_THE_CACHE,
    NEEDS_THE_DATABASE,
    NEEDS_THE_SECRET,
    NEEDS_TOKEN_KEYS,
)

# Set by the host, or not needed on AWS.
NOT_FROM_THE_TEMPLATE = {"AUDIT_RETENTION_DAYS", "AWS_REGION", "DRAIN_SECONDS", "PORT"}
NOT_A_SETTING = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "PYDANTIC_DISABLE_PLUGINS"}
# The parameters take only ARNs, with which a permission can be exact.
NAMES_OF_SECRETS = {
    "AWS_SECRETS_MANAGER_SECRET_ID": "SecretArn",
    "DATABASE_OWNER_SECRET_ID": "DatabaseOwnerSecretArn",
}
# The folder is for developers' machines.
FROM_THE_AUDIT_STACK = {
    "AUDIT_SIGNING_KMS_KEY": {
        "Fn::If": [
            "GivesSigningKeys",
            # The newest one signs: those of the parameter come first.
            {"Fn::Sub": "${AuditSigningKmsKeys},${Audit.Outputs.SigningKeyArn}"},
            {"Fn::GetAtt": ["Audit", "Outputs.SigningKeyArn"]},
        ]
    },
    "AUDIT_ANCHOR_BUCKET": {"Fn::GetAtt": ["Audit", "Outputs.BucketName"]},
    "AUDIT_ANCHOR_FOLDER": {"Ref": "AWS::NoValue"},
}
# Read by `tokens/proxy.py` and boto3.
PROXY = ("HTTPS_PROXY", "NO_PROXY")

DEPLOYMENT = {
    "ENVIRONMENT": "production",
    "PUBLIC_BASE_URL": "https://auth.example.com",
    "ALLOWED_ORIGINS": "https://app.example.com,https://admin.example.com",
    "DATABASE_URL": "postgresql://app:password@db.example.com:5432/tenantgate?sslmode=verify-full",
    "DATABASE_OWNER_URL": "postgresql://owner:password@db.example.com:5432/tenantgate?sslmode=verify-full",
    "SECRET_ARN": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:tenantgate-AbCdEf",
    "OIDC_ISSUER_URL": "https://issuer.example.com/",
    "OIDC_CLIENT_ID": "tenantgate",
}


def test_a_handler_is_the_one_of_the_folder_that_the_functions_name_gives(stack: Stack) -> None:
    for name, function in stack.functions.items():
        assert function["Handler"] == f"functions.{function_folder(name)}.handler.lambda_handler"


def test_every_function_runs_the_pinned_python_on_the_chosen_architecture_with_the_layer(stack: Stack) -> None:
    (layer_name,) = stack.resources("AWS::Lambda::LayerVersion")
    # The project requires exactly one minor version, the one that runs this test.
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for function in stack.functions.values():
        assert function["Runtime"] == python
        assert function["Architectures"] == [{"Ref": "Architecture"}]
        assert function["Layers"] == [{"Ref": layer_name}]
    layer = stack.properties(layer_name)
    assert layer["CompatibleRuntimes"] == [python]
    assert layer["CompatibleArchitectures"] == [{"Ref": "Architecture"}]


def test_every_variable_is_a_setting_and_comes_from_the_parameter_of_its_name(stack: Stack) -> None:
    settings = {name.upper() for name in Settings.model_fields} | set(PROXY)
    for name in stack.functions:
        for variable, value in stack.environment(name).items():
            if variable in NOT_A_SETTING:
                assert isinstance(value, str)
                continue
            assert variable in settings
            if variable in FROM_THE_AUDIT_STACK:
                assert value == FROM_THE_AUDIT_STACK[variable]
                continue
            # A preset's own value is the output of a nested stack.
            condition, own, given = value.get("Fn::If", (None, None, value))
            if condition == "HasPlatform":
                assert own["Fn::GetAtt"][0] == "Data"
            elif condition is not None:
                own, given = given, own
            if variable in NAMES_OF_SECRETS:
                assert given == {"Ref": NAMES_OF_SECRETS[variable]}
            else:
                assert variable_name(given["Ref"]) == variable


def test_the_base_url_is_the_domain_unless_it_is_given(stack: Stack) -> None:
    assert stack.environment("AuthorizerFunction")["PUBLIC_BASE_URL"] == {
        "Fn::If": [
            "HasBaseUrl",
            {"Ref": "PublicBaseUrl"},
            {"Fn::If": ["HasDomain", {"Fn::Sub": "https://${DomainName}"}, ""]},
        ]
    }


@pytest.mark.parametrize("server", ["DATABASE", "REDIS"])
def test_every_function_with_a_servers_url_has_its_tls_setting(stack: Stack, server: str) -> None:
    for name in stack.functions:
        variables = stack.environment(name)
        assert (f"{server}_URL" in variables) == (f"{server}_TLS" in variables)


def test_every_setting_can_be_set_by_the_template(stack: Stack) -> None:
    given = {variable for name in stack.functions for variable in stack.environment(name)}

    assert {name.upper() for name in Settings.model_fields} - given == NOT_FROM_THE_TEMPLATE


def test_secret_variables_are_only_in_functions_that_need_them(stack: Stack) -> None:
    given = {
        variable: {name for name in stack.functions if variable in stack.environment(name)}
        for variable in {*SECRET_VARIABLES, *SECRET_NAMES, "AWS_SECRETS_MANAGER_SECRET_ID", "KEY_ENCRYPTION_KMS_KEYS"}
    }

    assert {variable: functions for variable, functions in given.items() if functions} == {
        "DATABASE_URL": NEEDS_THE_DATABASE | {"MigrationRunnerFunction"},
        "DATABASE_OWNER_URL": {"MigrationRunnerFunction"},
        "REDIS_URL": NEEDS_THE_CACHE,
        "AWS_SECRETS_MANAGER_SECRET_ID": NEEDS_THE_SECRET,
        "KEY_ENCRYPTION_KMS_KEYS": NEEDS_TOKEN_KEYS | NEEDS_AUDIT_KEYS,
    }


@pytest.mark.parametrize("environment", ["development", "staging", "production"])
def test_each_function_starts_with_the_templates_variables(environment: str) -> None:
    functions = read_template(TEMPLATE, DEPLOYMENT | {"ENVIRONMENT": environment}).functions

    assert ("IdentityProviderFunction" in functions) == (environment == "development")
    for name, function in functions.items():
        if name == "UnknownRouteFunction":
            continue  # it reads no settings
        settings = Settings.from_mapping(function.env)
        assert settings.environment == environment
        assert settings.allowed_origins == ("https://app.example.com", "https://admin.example.com")
        # The authorizer reads the same variables without the settings model.
        if name != "MigrationRunnerFunction":
            assert token_policy(function.env) == settings.token_policy


def test_the_built_in_provider_exists_only_in_development(stack: Stack) -> None:
    conditional = {name: body["Condition"] for name, body in stack.document["Resources"].items() if "Condition" in body}

    assert stack.document["Conditions"]["IsDevelopment"] == {"Fn::Equals": [{"Ref": "Environment"}, "development"]}
    assert {name: conditional[name] for name in stack.functions if name in conditional} == {
        "IdentityProviderFunction": "IsDevelopment"
    }
    made = {name for name, condition in conditional.items() if condition == "IsDevelopment"}
    assert made == {name for name in stack.document["Resources"] if name.startswith("IdentityProvider")}
    assert stack.api["paths"]["/idp/{proxy+}"]["Fn::If"][0] == "IsDevelopment"


def test_all_logs_are_json_in_one_group_with_a_retention(stack: Stack) -> None:
    groups = stack.resources("AWS::Logs::LogGroup")
    for name, function in stack.functions.items():
        # The function that reads the lines of all others must not write among them.
        own = name == "AuditIngestFunction"
        assert function["LoggingConfig"]["LogGroup"] == {"Ref": "AuditIngestLogs" if own else "FunctionLogs"}
        assert function["LoggingConfig"]["LogFormat"] == "JSON"
        # Lambda's own filter passes everything: LOG_LEVEL decides.
        assert function["LoggingConfig"]["ApplicationLogLevel"] == "TRACE"
    assert set(groups) == {"FunctionLogs", "ApiAccessLogs", "AuditIngestLogs"}
    for group in groups.values():
        assert group["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}
        # Retained when the stack is deleted, but not if the first deployment fails, which would block the name.
        assert group["DeletionPolicy"] == "RetainExceptOnCreate"
        assert group["UpdateReplacePolicy"] == "Retain"


def test_functions_time_out_before_api_gateway(stack: Stack) -> None:
    limits = {
        "AuditIngestFunction": 120.1,
        "AuditSealFunction": 900.1,
        "AuthorizerFunction": 10,
        "MigrationRunnerFunction": 900.1,
        "RevocationRepublisherFunction": 60.1,
        "SecurityEventPollFunction": 300.1,
        "SessionSweepFunction": 900.1,
    }
    for name, function in stack.functions.items():
        assert function["Timeout"] < limits.get(name, 30)
