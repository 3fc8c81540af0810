"""The network: its ways out, and who may connect."""

import json
from typing import Any

import pytest

from lambda_gateway.template.document import load_template
from tenantgate_cli.paths import TEMPLATE
from tests.fixtures.template.nested import nested

NETWORK = nested("network")
WAYS = {"InternetGateway", "InternetGatewayAttachment", "Nat", "RouteByNat", "EgressOnlyGateway", "RouteByIpv6"}


@pytest.mark.parametrize(
    ("egress", "ways"),
    [
        pytest.param("nat", {"InternetGateway", "InternetGatewayAttachment", "Nat", "RouteByNat"}, id="nat"),
        pytest.param("ipv6", {"EgressOnlyGateway", "RouteByIpv6"}, id="ipv6"),
        pytest.param("none", set(), id="none"),
    ],
)
def test_each_egress_has_its_own_way_out_and_no_other(egress: str, ways: set[str]) -> None:
    assert WAYS & NETWORK.resources(Egress=egress).keys() == ways


@pytest.mark.parametrize("endpoints", ["true", "false"])
@pytest.mark.parametrize("egress", ["nat", "ipv6", "none"])
def test_functions_reach_secrets_manager_and_s3_with_every_egress(egress: str, endpoints: str) -> None:
    made = NETWORK.resources(Egress=egress, PrivateEndpoints=endpoints)

    assert "S3Endpoint" in made
    # By an endpoint, or over the internet with IPv4: Secrets Manager's usual name has no IPv6 address.
    assert ("SecretsEndpoint" in made) == (endpoints == "true" or egress != "nat")
    assert ("SecretsEndpoint" in made) == ("EndpointSecurityGroup" in made) == ("KmsEndpoint" in made)


def test_functions_have_ipv6_addresses_if_they_leave_by_ipv6() -> None:
    document: Any = load_template(TEMPLATE)
    configurations = [
        body["Properties"]["VpcConfig"]["Fn::If"]
        for body in document["Resources"].values()
        if "VpcConfig" in body.get("Properties", {})
    ]

    assert configurations
    for condition, own, _ in configurations:
        assert condition == "HasPlatform"
        assert own["Ipv6AllowedForDualStack"] == {"Fn::If": ["LeavesByIpv6", True, False]}
    assert document["Conditions"]["LeavesByIpv6"] == {"Fn::Equals": [{"Ref": "Egress"}, "ipv6"]}


def test_the_nat_gateway_is_regional() -> None:
    nat = NETWORK.properties("Nat")

    assert (nat["AvailabilityMode"], nat["ConnectivityType"]) == ("regional", "public")
    assert "SubnetId" not in nat


def test_subnets_are_private_and_in_two_zones() -> None:
    subnets = [body["Properties"] for body in NETWORK.resources("AWS::EC2::Subnet").values()]

    assert [subnet["AvailabilityZone"]["Fn::Select"][0] for subnet in subnets] == [0, 1]
    assert not any(subnet["MapPublicIpOnLaunch"] for subnet in subnets)
    routes = NETWORK.resources("AWS::EC2::Route").values()
    assert not [route for route in routes if "GatewayId" in route["Properties"]]


def test_functions_open_connections_only_to_https() -> None:
    rules = NETWORK.properties("FunctionSecurityGroup")["SecurityGroupEgress"]

    assert {(rule["FromPort"], rule["ToPort"]) for rule in rules} == {(443, 443)}
    assert "SecurityGroupIngress" not in NETWORK.properties("FunctionSecurityGroup")


def test_only_results_of_custom_resources_and_anchors_can_be_uploaded_to_s3() -> None:
    policy = NETWORK.properties("S3Endpoint")["PolicyDocument"]
    writing = [statement for statement in policy["Statement"] if "Put" in json.dumps(statement["Action"])]

    results, anchors = writing
    assert (results["Action"], results["Resource"]) == (
        "s3:PutObject",
        {"Fn::Sub": "arn:${AWS::Partition}:s3:::cloudformation-custom-resource-response-*/*"},
    )
    # Nothing leaves the account: the bucket is its own, and so is the role.
    assert (anchors["Action"], anchors["Resource"]) == (
        ["s3:PutObject", "s3:PutObjectRetention"],
        [{"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::*/{folder}/*"} for folder in ("checkpoints", "erasures")],
    )
    own = {"Ref": "AWS::AccountId"}
    assert anchors["Condition"] == {"StringEquals": {"aws:PrincipalAccount": own, "aws:ResourceAccount": own}}
    assert [each["Action"] for each in policy["Statement"] if each not in writing] == ["s3:GetObject"]


def test_only_this_accounts_identities_use_the_secrets_endpoint() -> None:
    (statement,) = NETWORK.properties("SecretsEndpoint")["PolicyDocument"]["Statement"]

    assert statement["Action"] == "secretsmanager:GetSecretValue"
    assert statement["Condition"] == {"StringEquals": {"aws:PrincipalAccount": {"Ref": "AWS::AccountId"}}}


def test_only_this_accounts_identities_use_its_keys_over_the_endpoint() -> None:
    (statement,) = NETWORK.properties("KmsEndpoint")["PolicyDocument"]["Statement"]

    assert statement["Action"] == ["kms:Encrypt", "kms:Decrypt", "kms:Sign", "kms:GetPublicKey"]
    assert statement["Resource"] == {"Fn::Sub": "arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:key/*"}
    assert statement["Condition"] == {"StringEquals": {"aws:PrincipalAccount": {"Ref": "AWS::AccountId"}}}


def test_connections_are_recorded() -> None:
    log = NETWORK.properties("FlowLog")

    assert (log["ResourceType"], log["TrafficType"], log["LogGroupName"]) == ("VPC", "ALL", {"Ref": "FlowLogs"})
