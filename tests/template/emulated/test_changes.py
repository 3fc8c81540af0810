"""A second release and the end of a stack on the emulator, and the faults of a template that it finds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from tests.fixtures.emulated.calls import Misfit, client
from tests.fixtures.emulated.deployment import NAME, RELEASES, deployed
from tests.fixtures.emulated.engine import Circular, UnknownType, Unresolved, strict_cloudformation
from tests.fixtures.emulated.serving import MIGRATIONS
from tests.fixtures.template.deployed import deployed_stack

pytestmark = pytest.mark.xdist_group("emulated")


def versions(function: str) -> list[str]:
    found = client("lambda").list_versions_by_function(FunctionName=function)["Versions"]
    return [version["Version"] for version in found]


def test_another_release_makes_new_versions_and_moves_the_aliases() -> None:
    with deployed("external") as up:
        before = up.outputs(NAME)
        changes = [each["ResourceChange"] for each in up.change_to(RELEASES[1])]
        kinds = {change["ResourceType"] for change in changes if change["Action"] != "Modify"}
        changed = {change["LogicalResourceId"] for change in changes if change["Action"] == "Modify"}
        runner = before["MigrationRunnerName"]

        assert up.stacks[NAME]["StackStatus"] == "UPDATE_COMPLETE"
        assert kinds == {"AWS::Lambda::Version"}
        # Nothing else: no role, no route, no queue. The custom resource changes by its parameter, as CloudFormation
        # finds when it applies the change set.
        aliased = deployed_stack().functions.keys() - {"MigrationRunnerFunction"}
        assert changed == aliased | {f"{name}Aliaslive" for name in aliased}
        for function in client("lambda").list_functions(MaxItems=50)["Functions"]:
            if (name := function["FunctionName"]) == runner:
                continue
            # The earlier version stays, for a rollback.
            assert versions(name) == ["$LATEST", "1", "2"]
            assert client("lambda").get_alias(FunctionName=name, Name="live")["FunctionVersion"] == "2"
        assert [asked["ReleaseId"] for asked in MIGRATIONS.properties] == [*RELEASES]
        assert up.outputs(NAME) == before


def test_the_end_of_a_stack_keeps_its_keys_its_secret_its_logs_and_a_snapshot() -> None:
    with deployed("small") as up:
        data = up.outputs("Data")
        groups = {each["logGroupName"] for each in client("logs").describe_log_groups()["logGroups"]}
        client("cloudformation").delete_stack(StackName=NAME)

        assert client("cloudformation").describe_stacks()["Stacks"] == []
        assert client("lambda").list_functions()["Functions"] == []
        assert client("apigatewayv2").get_apis()["Items"] == []
        assert client("rds").describe_db_clusters()["DBClusters"] == []
        (snapshot,) = client("rds").describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"]
        assert snapshot["DBClusterIdentifier"] == data["ClusterIdentifier"]
        assert client("secretsmanager").describe_secret(SecretId=data["SecretArn"]).get("DeletedDate") is None
        assert {data["KeyArn"], data["DataKeyArn"], data["KeyEncryptionKeyArn"]} <= {
            key["KeyArn"] for key in client("kms").list_keys()["Keys"]
        }
        assert {each["logGroupName"] for each in client("logs").describe_log_groups()["logGroups"]} == groups


@pytest.fixture
def emulator() -> Iterator[Any]:
    with mock_aws(), strict_cloudformation():
        yield client("cloudformation")


def queue(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


def key_of(resource: str) -> dict[str, Any]:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Ref": resource}}}


FAULTS: dict[str, tuple[dict[str, Any], type[Exception]]] = {
    "a reference to nothing": ({"A": key_of("B")}, Unresolved),
    "an attribute that isn't there": (
        {
            "A": {
                "Type": "AWS::SecretsManager::Secret",
                "Properties": {"GenerateSecretString": {"SecretStringTemplate": "{}", "GenerateStringKey": "key"}},
            },
            "B": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Type": "String", "Value": {"Fn::GetAtt": ["A", "Arm"]}},
            },
        },
        Unresolved,
    ),
    "a circle": ({"A": key_of("B"), "B": {**queue(), "DependsOn": "A"}}, Circular),
    "an unknown type": ({"A": {"Type": "AWS::QLDB::Ledger", "Properties": {}}}, UnknownType),
    "a property that the service doesn't have": (
        {"A": {"Type": "AWS::Scheduler::ScheduleGroup", "Properties": {"Colour": "green"}}},
        Misfit,
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_template_is_found(emulator: Any, fault: str) -> None:
    resources, error = FAULTS[fault]

    with pytest.raises(error):
        emulator.create_stack(StackName="faulty", TemplateBody=json.dumps({"Resources": resources}))


def test_a_protected_database_outlives_its_stack() -> None:
    with deployed("production") as up:
        # CloudFormation would report RDS's error; moto forgets the nested stack on its second try.
        cluster = up.outputs("Data")["ClusterIdentifier"]
        client("cloudformation").delete_stack(StackName=NAME)

        assert [each["DBClusterIdentifier"] for each in client("rds").describe_db_clusters()["DBClusters"]] == [cluster]
