"""Rules for every template in infra/."""

import json

import pytest

from tests.fixtures.template.nested import INFRA, NAMES, nested, statements

# CloudFormation's quotas.
MAX_RESOURCES = 500
MAX_PARAMETERS = 200
MAX_BYTES = 1_000_000

every_template = pytest.mark.parametrize("name", NAMES)


@every_template
def test_no_security_group_is_open(name: str) -> None:
    for logical, body in nested(name).resources("AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupIngress").items():
        properties = body["Properties"]
        rules = properties.get("SecurityGroupIngress", []) if body["Type"].endswith("Group") else [properties]
        for rule in rules:
            assert not {"CidrIp", "CidrIpv6"} & rule.keys(), logical
            assert rule["IpProtocol"] == "tcp"


@every_template
def test_no_security_group_has_ec2s_open_egress_by_omission(name: str) -> None:
    for logical, body in nested(name).resources("AWS::EC2::SecurityGroup").items():
        assert body["Properties"]["SecurityGroupEgress"], logical


@every_template
def test_log_groups_end_and_never_block_a_second_try(name: str) -> None:
    for logical, body in nested(name).resources("AWS::Logs::LogGroup").items():
        assert body["Properties"]["RetentionInDays"], logical
        assert body["DeletionPolicy"] == "RetainExceptOnCreate", logical
        assert body["UpdateReplacePolicy"] == "Retain", logical


@every_template
def test_no_identity_gets_every_action_or_every_resource(name: str) -> None:
    for logical, statement in statements(nested(name)):
        if nested(name).resources()[logical]["Type"] == "AWS::KMS::Key":
            # In a key's own policy, `*` is this key. Only the account, and so its IAM policies, have every action.
            if statement["Action"] == "kms:*":
                assert statement["Principal"]["AWS"]["Fn::Sub"].endswith(":iam::${AWS::AccountId}:root")
            continue
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert not [action for action in actions if "*" in action], logical
        assert json.dumps(statement.get("Resource", "")) not in ('"*"', '["*"]'), logical


@every_template
def test_parameters_and_outputs_are_described(name: str) -> None:
    described = [*nested(name).parameters.values(), *nested(name).outputs.values()]

    assert all(each["Description"] for each in described)


@every_template
def test_it_is_within_cloudformations_limits(name: str) -> None:
    assert len(nested(name).resources()) <= MAX_RESOURCES
    assert len(nested(name).parameters) <= MAX_PARAMETERS
    assert (INFRA / f"{name}.yaml").stat().st_size <= MAX_BYTES


@every_template
def test_no_suppression_is_without_a_reason(name: str) -> None:
    for logical, body in nested(name).resources().items():
        for skipped in body.get("Metadata", {}).get("checkov", {}).get("skip", []):
            assert len(skipped["comment"].split()) >= 5, logical
