"""The functions' roles: each may do what its function needs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from lambda_gateway.template.intrinsics import Resolver
from tenantgate.audit.models import log_owner
from tenantgate.data_keys.models import KeyContext
from tenantgate.sessions.storing.tokens import PURPOSE as TOKENS
from tenantgate_cli.paths import ROOT
from tests.fixtures.template.deployed import TEMPLATE, Stack
from tests.fixtures.template.needs import (
    NEEDS_AUDIT_KEYS,
    NEEDS_THE_CACHE,
    NEEDS_THE_DATABASE,
    NEEDS_THE_SECRET,
    NEEDS_TOKEN_KEYS,
)

# Actions without a resource that a policy could name, and the only statements that have every resource.
# A prefix of one bucket.
CHECKPOINTS, ERASURES = ({"Fn::Sub": f"${{Audit.Outputs.BucketArn}}/{part}/*"} for part in ("checkpoints", "erasures"))
OF_EVERY_RESOURCE = {
    "RunPolicy": {"xray:PutTraceSegments", "xray:PutTelemetryRecords"},
    "AuditIngestRunPolicy": {"xray:PutTraceSegments", "xray:PutTelemetryRecords"},
    "NetworkPolicy": {
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
    },
}


def role_of(stack: Stack, function: str) -> dict[str, Any]:
    return stack.properties(stack.functions[function]["Role"]["Fn::GetAtt"][0])


def policies_of(stack: Stack, function: str) -> dict[str, str | None]:
    """Return the policies of a function's role by name, each with the condition under which it has them."""
    found: dict[str, str | None] = {}
    for policy in role_of(stack, function)["ManagedPolicyArns"]:
        condition, chosen, otherwise = policy.get("Fn::If", (None, policy, {"Ref": "AWS::NoValue"}))
        assert otherwise == {"Ref": "AWS::NoValue"}
        found[chosen["Ref"]] = condition
    return found


def statements(stack: Stack) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy"):
        for name, body in stack.resources(kind).items():
            for document in _documents(body["Properties"]):
                for statement in document["Statement"]:
                    yield name, statement.get("Fn::If", (None, statement))[1]


def _documents(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "Statement" in value:
            yield value
        for item in value.values():
            yield from _documents(item)
    elif isinstance(value, list):
        for item in value:
            yield from _documents(item)


def actions(statement: dict[str, Any]) -> set[str]:
    given = statement["Action"]
    return set(given if isinstance(given, list) else [given])


def test_each_function_has_its_own_role(stack: Stack) -> None:
    roles = {name: function["Role"]["Fn::GetAtt"][0] for name, function in stack.functions.items()}

    assert roles == {name: f"{name.removesuffix('Function')}Role" for name in stack.functions}
    for name in roles.values():
        assert stack.properties(name)["AssumeRolePolicyDocument"]["Statement"] == [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ]


def test_a_role_has_exactly_the_policies_that_its_function_needs(stack: Stack) -> None:
    for name in stack.functions:
        run = "AuditIngestRunPolicy" if name == "AuditIngestFunction" else "RunPolicy"
        expected: dict[str, str | None] = {run: None}
        if name in NEEDS_THE_DATABASE | NEEDS_THE_CACHE | {"MigrationRunnerFunction"}:
            expected["NetworkPolicy"] = "InVpc"
        if name in NEEDS_THE_DATABASE:
            expected["DatabasePolicy"] = "HasDatabaseUser"
        if name == "AuthorizerFunction":
            expected["AuthorizerCachePolicy"] = "HasCacheUser"
        elif name in NEEDS_THE_CACHE:
            expected["CachePolicy"] = "HasCacheUser"
        if name in NEEDS_THE_SECRET:
            expected["SecretPolicy"] = None
        if name in NEEDS_TOKEN_KEYS:
            expected["TokenKeysPolicy"] = "HasKmsKeys"
        if name in NEEDS_AUDIT_KEYS:
            expected["AuditKeysPolicy"] = "HasKmsKeys"
        assert policies_of(stack, name) == expected, name


def test_functions_with_the_network_policy_are_in_the_network_and_no_others(stack: Stack) -> None:
    for name, function in stack.functions.items():
        assert ("VpcConfig" in function) == ("NetworkPolicy" in policies_of(stack, name)), name


def test_the_sealer_signs_and_adds_checkpoints_and_can_do_nothing_else_with_them(stack: Stack) -> None:
    (policy,) = role_of(stack, "AuditSealFunction")["Policies"]
    sign, add = policy["PolicyDocument"]["Statement"]

    given, several, own = sign["Resource"]["Fn::If"]
    keys = stack.functions["AuditSealFunction"]["Environment"]["Variables"]["AUDIT_SIGNING_KMS_KEY"]
    assert sign["Action"] == ["kms:Sign", "kms:GetPublicKey"]
    # Exactly the keys of its setting.
    assert keys == {"Fn::If": [given, several["Fn::Split"][1], own]}
    assert (several["Fn::Split"][0], own) == (",", {"Fn::GetAtt": ["Audit", "Outputs.SigningKeyArn"]})
    assert (add["Action"], add["Resource"]) == (["s3:PutObject", "s3:PutObjectRetention"], CHECKPOINTS)


def test_an_erasure_is_anchored_and_nothing_else_is_done_with_anchors(stack: Stack) -> None:
    (policy,) = role_of(stack, "PrivacyFunction")["Policies"]
    (add,) = policy["PolicyDocument"]["Statement"]

    assert (add["Action"], add["Resource"]) == (["s3:PutObject", "s3:PutObjectRetention"], ERASURES)


def test_only_the_migration_runner_reads_the_owners_password(stack: Stack) -> None:
    inline = {name: role_of(stack, name)["Policies"] for name in stack.functions if "Policies" in role_of(stack, name)}
    assert set(inline) == {"AuditSealFunction", "MigrationRunnerFunction", "PrivacyFunction"}
    condition, (policy,), otherwise = inline["MigrationRunnerFunction"]["Fn::If"]
    reads, conditional = policy["PolicyDocument"]["Statement"]
    with_a_key, decrypts, without = conditional["Fn::If"]

    assert (condition, otherwise) == ("HasOwnerSecret", {"Ref": "AWS::NoValue"})
    assert (reads["Action"], reads["Resource"]) == (
        "secretsmanager:GetSecretValue",
        {
            "Fn::If": [
                "HasPlatform",
                {"Fn::GetAtt": ["Data", "Outputs.OwnerSecretArn"]},
                {"Ref": "DatabaseOwnerSecretArn"},
            ]
        },
    )
    assert (with_a_key, without) == ("HasOwnerKey", {"Ref": "AWS::NoValue"})
    assert (decrypts["Action"], decrypts["Resource"]) == (
        "kms:Decrypt",
        {"Fn::If": ["HasPlatform", {"Fn::GetAtt": ["Data", "Outputs.KeyArn"]}, {"Ref": "DatabaseOwnerKeyArn"}]},
    )
    granted = [name for name, statement in statements(stack) if "OwnerSecretArn" in json.dumps(statement)]
    assert granted == ["MigrationRunnerRole"]


@pytest.mark.parametrize(
    ("given", "actions_of_the_runner"),
    [
        pytest.param({}, [], id="a-password-in-the-url"),
        pytest.param({"DatabaseOwnerSecretArn": "arn:s"}, ["secretsmanager:GetSecretValue"], id="a-secret"),
        pytest.param(
            {"DatabaseOwnerSecretArn": "arn:s", "DatabaseOwnerKeyArn": "arn:k"},
            ["secretsmanager:GetSecretValue", "kms:Decrypt"],
            id="a-secret-with-its-own-key",
        ),
    ],
)
def test_the_owners_secret_of_external_is_the_only_one_that_the_runner_may_read(
    stack: Stack, given: dict[str, str], actions_of_the_runner: list[str]
) -> None:
    resolver = Resolver(stack.document, given)
    wrapped: Any = resolver.resolve([role_of(stack, "MigrationRunnerFunction")["Policies"]], "Policies")
    found = [
        (statement["Action"], statement["Resource"])
        for policy in (wrapped[0] if wrapped else [])
        for statement in policy["PolicyDocument"]["Statement"]
    ]

    assert found == list(zip(actions_of_the_runner, given.values(), strict=True))
    variable = resolver.resolve(stack.environment("MigrationRunnerFunction")["DATABASE_OWNER_SECRET_ID"], "")
    assert variable == given.get("DatabaseOwnerSecretArn", "")


# The purposes of data keys, by policy.
PURPOSES = {"TokenKeysPolicy": TOKENS, "AuditKeysPolicy": log_owner("org-1").purpose}


def test_keys_decrypt_only_for_secrets_manager_and_data_keys(stack: Stack) -> None:
    found = [(name, statement) for name, statement in statements(stack) if "kms:Decrypt" in actions(statement)]
    of_secrets = [statement for name, statement in found if name not in PURPOSES]

    assert len(of_secrets) == 2
    assert {name for name, _ in found} > PURPOSES.keys()
    for statement in of_secrets:
        assert statement["Condition"] == {
            "StringEquals": {"kms:ViaService": {"Fn::Sub": "secretsmanager.${AWS::Region}.${AWS::URLSuffix}"}}
        }


@pytest.mark.parametrize("policy", PURPOSES)
@pytest.mark.parametrize(
    ("given", "keys"),
    [
        pytest.param({"Preset": "small"}, {"Fn::GetAtt": ["Data", "Outputs.KeyEncryptionKeyArn"]}, id="of-the-stack"),
        pytest.param({"KeyEncryptionKmsKeys": "arn:new,arn:old"}, ["arn:new", "arn:old"], id="given"),
        pytest.param({"Preset": "small", "KeyEncryptionKmsKeys": "arn:new,arn:old"}, ["arn:new", "arn:old"], id="both"),
    ],
)
def test_data_keys_are_unwrapped_only_with_their_context(
    stack: Stack, policy: str, given: dict[str, str], keys: object
) -> None:
    (statement,) = stack.properties(policy)["PolicyDocument"]["Statement"]
    context = KeyContext("org-1", PURPOSES[policy], "key")._asdict()

    assert stack.document["Resources"][policy]["Condition"] == "HasKmsKeys"
    assert actions(statement) == {"kms:Encrypt", "kms:Decrypt"}
    resolver = Resolver({**stack.document, "Resources": {}}, given)
    chosen, own, otherwise = statement["Resource"]["Fn::If"]
    assert (chosen, own) == ("GivesKmsKeys", {"Fn::Split": [",", {"Ref": "KeyEncryptionKmsKeys"}]})
    if "KeyEncryptionKmsKeys" in given:
        assert str(resolver.resolve({"Ref": "KeyEncryptionKmsKeys"}, "")).split(",") == keys
    else:
        assert otherwise == keys
    # Exactly the members of the product's context, each of them, and one purpose.
    assert statement["Condition"] == {
        "StringEquals": {"kms:EncryptionContext:purpose": context["purpose"]},
        "Null": {f"kms:EncryptionContext:{name}": "false" for name in context if name != "purpose"},
        "ForAllValues:StringEquals": {"kms:EncryptionContextKeys": [*context]},
    }


def test_functions_log_in_as_one_user_of_one_server(stack: Stack) -> None:
    by_action = {
        name: statement["Resource"]["Fn::If"]
        for name, statement in statements(stack)
        if actions(statement) & {"rds-db:connect", "elasticache:Connect"}
    }
    condition, database, given = by_action.pop("DatabasePolicy")
    assert (condition, given) == ("HasPlatform", {"Ref": "DatabaseUserArn"})
    assert database["Fn::Sub"][0].endswith(":dbuser:${Proxy}/tenantgate_app")
    assert database["Fn::Sub"][1] == {"Proxy": {"Fn::GetAtt": ["Data", "Outputs.ProxyResourceId"]}}
    assert by_action == {
        name: [
            "HasPlatform",
            [{"Fn::GetAtt": ["Data", "Outputs.CacheArn"]}, {"Fn::GetAtt": ["Data", f"Outputs.{user}"]}],
            {"Ref": "RedisIamArns"},
        ]
        for name, user in (("CachePolicy", "CacheUserArn"), ("AuthorizerCachePolicy", "AuthorizerCacheUserArn"))
    }


def test_no_statement_has_every_action(stack: Stack) -> None:
    for name, statement in statements(stack):
        assert not [action for action in actions(statement) if "*" in action], name


def test_every_resource_is_only_where_the_template_gives_the_reason(stack: Stack) -> None:
    found: dict[str, set[str]] = {}
    for name, statement in statements(stack):
        if "*" in json.dumps(statement.get("Resource", "")) and statement["Resource"] not in (CHECKPOINTS, ERASURES):
            assert statement["Resource"] == "*"
            found.setdefault(name, set()).update(actions(statement))
    assert found == OF_EVERY_RESOURCE

    text = TEMPLATE.read_text(encoding="utf-8")
    everywhere = [*re.finditer(r'^ +Resource: "\*"$', text, re.MULTILINE)]
    reasons = [*re.finditer(r"^ +# Every resource[:,] .+\n +- Effect: (Allow|Deny)$", text, re.MULTILINE)]
    assert len(everywhere) == len(reasons) == 4
    for resource, reason in zip(everywhere, reasons, strict=True):
        assert "- Effect" not in text[reason.end() : resource.start()]


def test_the_functions_own_code_changes_no_network(stack: Stack) -> None:
    allowed, denied = stack.properties("NetworkPolicy")["PolicyDocument"]["Statement"]

    assert (allowed["Effect"], denied["Effect"]) == ("Allow", "Deny")
    assert actions(allowed) == actions(denied)
    assert list(denied["Condition"]["ArnLike"]) == ["lambda:SourceFunctionArn"]


def test_amazons_own_policies_are_only_codedeploys(stack: Stack) -> None:
    named = {
        name: re.findall(r"iam::aws:policy/([\w/-]+)", json.dumps(body))
        for name, body in stack.resources("AWS::IAM::Role").items()
    }

    assert {name: found for name, found in named.items() if found} == {
        "DeploymentRole": ["service-role/AWSCodeDeployRoleForLambdaLimited"]
    }
    assert (ROOT / "infra" / "jobs.yaml").read_text(encoding="utf-8").count("iam::aws:policy") == 0
