"""The network, the database, the cache and the secret of `small` and `production` on an emulator of AWS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fixtures.emulated.calls import client
from tests.fixtures.emulated.deployment import NAME, Deployment, deployed

pytestmark = pytest.mark.xdist_group("emulated")


@pytest.fixture(scope="module", params=["small", "production"])
def up(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    with deployed(request.param) as deployment:
        yield deployment


def groups(up: Deployment) -> dict[str, Any]:
    """The security groups of the network, by their name tags or `default`."""
    found = client("ec2").describe_security_groups(
        Filters=[{"Name": "vpc-id", "Values": [up.outputs("Network")["VpcId"]]}]
    )["SecurityGroups"]
    tags = {group["GroupId"]: {tag["Key"]: tag["Value"] for tag in group.get("Tags", [])} for group in found}
    return {tags[group["GroupId"]].get("Name", "default").rpartition("-")[2]: group for group in found}


def peers(rules: list[Any]) -> set[tuple[int, str]]:
    return {(rule["FromPort"], pair["GroupId"]) for rule in rules for pair in rule["UserIdGroupPairs"]}


def test_the_network_has_two_subnets_in_two_zones_with_both_families(up: Deployment) -> None:
    network = up.outputs("Network")
    subnets = client("ec2").describe_subnets(SubnetIds=network["SubnetIds"].split(","))["Subnets"]

    assert {subnet["VpcId"] for subnet in subnets} == {network["VpcId"]}
    assert len({subnet["AvailabilityZone"] for subnet in subnets}) == 2
    assert {subnet["CidrBlock"] for subnet in subnets} == {"10.64.0.0/22", "10.64.4.0/22"}
    assert all(subnet["Ipv6CidrBlockAssociationSet"] for subnet in subnets)
    assert not any(subnet["MapPublicIpOnLaunch"] for subnet in subnets)
    tables = client("ec2").describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [network["VpcId"]]}])[
        "RouteTables"
    ]
    (table,) = [each for each in tables if any("SubnetId" in place for place in each["Associations"])]
    assert {each.get("SubnetId") for each in table["Associations"]} == {subnet["SubnetId"] for subnet in subnets}
    ways = [route for route in table["Routes"] if route.get("GatewayId") != "local"]
    if up.parameters["Egress"] == "nat":
        assert "0.0.0.0/0" in [route.get("DestinationCidrBlock") for route in ways]
    else:
        assert [route["DestinationIpv6CidrBlock"] for route in ways if "EgressOnlyInternetGatewayId" in route] == [
            "::/0"
        ]


def test_only_the_functions_reach_the_proxy_the_database_and_the_cache(up: Deployment) -> None:
    found = groups(up)
    ids = {name: group["GroupId"] for name, group in found.items()}
    functions, database, proxy = ids["functions"], ids["database"], ids["proxy"]

    assert functions == up.outputs("Network")["FunctionSecurityGroupId"]
    assert found["functions"]["IpPermissions"] == []
    assert peers(found["proxy"]["IpPermissions"]) == {(5432, functions)}
    assert peers(found["database"]["IpPermissions"]) == {(5432, functions), (5432, proxy)}
    assert peers(found["cache"]["IpPermissions"]) == {(6379, functions)}
    assert peers(found["proxy"]["IpPermissionsEgress"]) == {(5432, database)}
    assert peers(found["functions"]["IpPermissionsEgress"]) == {(5432, proxy), (5432, database), (6379, ids["cache"])}
    for name, group in found.items():
        if name != "default":
            assert not any(rule["IpRanges"] for rule in group["IpPermissions"])
            assert "-1" not in [rule["IpProtocol"] for rule in group["IpPermissionsEgress"] if open_to_all(rule)]


def open_to_all(rule: Any) -> bool:
    return any(each["CidrIp"] == "0.0.0.0/0" for each in rule["IpRanges"])


def test_the_database_is_encrypted_kept_and_reached_through_its_proxy(up: Deployment) -> None:
    data, production = up.outputs("Data"), up.parameters["Preset"] == "production"
    (cluster,) = client("rds").describe_db_clusters()["DBClusters"]
    (proxy,) = client("rds").describe_db_proxies()["DBProxies"]
    instances = client("rds").describe_db_instances()["DBInstances"]
    (target,) = client("rds").describe_db_proxy_targets(DBProxyName=proxy["DBProxyName"])["Targets"]
    found = groups(up)

    assert cluster["StorageEncrypted"] is True
    assert cluster["KmsKeyId"] == data["DataKeyArn"]
    assert cluster["MasterUserSecret"]["KmsKeyId"] == data["KeyArn"]
    assert cluster["BackupRetentionPeriod"] == int(up.parameters["BackupRetentionDays"])
    assert cluster["DeletionProtection"] is production
    assert cluster["ServerlessV2ScalingConfiguration"]["MinCapacity"] == float(up.parameters["MinAcu"])
    assert [each["VpcSecurityGroupId"] for each in cluster["VpcSecurityGroups"]] == [found["database"]["GroupId"]]
    assert len(instances) == (2 if production else 1)
    assert {each["DBClusterIdentifier"] for each in instances} == {data["ClusterIdentifier"]}
    assert not any(each["PubliclyAccessible"] for each in instances)
    assert proxy["RequireTLS"] is True
    assert proxy["VpcSecurityGroupIds"] == [found["proxy"]["GroupId"]]
    assert proxy["VpcSubnetIds"] == up.outputs("Network")["SubnetIds"].split(",")
    assert target["RdsResourceId"] == data["ClusterIdentifier"]
    assert f"@{proxy['Endpoint']}:5432/" in data["DatabaseUrl"]
    assert f"@{cluster['Endpoint']}:5432/" in data["DatabaseOwnerUrl"]


def test_the_proxy_may_log_in_to_this_cluster_only(up: Deployment) -> None:
    (proxy,) = client("rds").describe_db_proxies()["DBProxies"]
    role = proxy["RoleArn"].rpartition("/")[2]
    (name,) = client("iam").list_role_policies(RoleName=role)["PolicyNames"]
    (statement,) = client("iam").get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]["Statement"]

    user = f":dbuser:{up.outputs('Data')['ClusterResourceId']}/tenantgate_app"
    assert statement["Resource"].endswith(user)


def test_the_secret_is_made_encrypted_and_rotated_by_the_function(up: Deployment) -> None:
    data = up.outputs("Data")
    secret = client("secretsmanager").describe_secret(SecretId=data["SecretArn"])
    values = json.loads(client("secretsmanager").get_secret_value(SecretId=data["SecretArn"])["SecretString"])

    assert secret["KmsKeyId"] == data["KeyArn"]
    assert secret["RotationEnabled"] is True
    assert secret["RotationRules"]["AutomaticallyAfterDays"] == 30
    assert secret["RotationLambdaARN"].endswith(f":function:{data['RotationFunction']}")
    assert values["OIDC_CLIENT_SECRET"] == ""
    assert len(values["COOKIE_SEALING_KEYS"]) == 43
    policy = json.loads(client("lambda").get_policy(FunctionName=data["RotationFunction"])["Policy"])
    (statement,) = policy["Statement"]
    assert statement["Principal"] == {"Service": "secretsmanager.amazonaws.com"}


def test_keys_rotate(up: Deployment) -> None:
    keys = {key["KeyArn"] for key in client("kms").list_keys()["Keys"]}

    own = {up.outputs("Data")[name] for name in ("DataKeyArn", "KeyArn", "KeyEncryptionKeyArn")}
    assert len(own & keys) == 3
    for key in own:
        assert client("kms").get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is True


def test_each_user_of_the_cache_logs_in_by_iam(up: Deployment) -> None:
    users = client("elasticache").describe_users()["Users"]
    own = {user["UserName"]: user for user in users if user["UserName"].startswith(NAME)}

    assert own.keys() == {f"{NAME}-web", f"{NAME}-reader"}
    assert {user["Authentication"]["Type"] for user in own.values()} == {"iam"}
