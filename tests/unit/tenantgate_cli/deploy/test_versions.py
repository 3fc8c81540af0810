"""The versions of functions, with scripted responses of AWS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.stub import Stubber

from tenantgate_cli.console import Failure
from tenantgate_cli.deploy.region import region_of
from tenantgate_cli.deploy.versions import StackVersions, Versions

STACK = {"StackName": "s", "StackStatus": "UPDATE_COMPLETE", "CreationTime": "2026-11-26T00:00:00Z"}
RESOURCE = {
    "LogicalResourceId": "F",
    "PhysicalResourceId": "f",
    "ResourceType": "AWS::Lambda::Function",
    "LastUpdatedTimestamp": "2026-11-26T00:00:00Z",
    "ResourceStatus": "UPDATE_COMPLETE",
}


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> StackVersions:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    return StackVersions("s", "eu-central-1")


@pytest.fixture
def formation(versions: StackVersions) -> Iterator[Stubber]:
    with Stubber(versions._formation) as stubber:
        yield stubber


@pytest.fixture
def functions(versions: StackVersions) -> Iterator[Stubber]:
    with Stubber(versions._lambda) as stubber:
        yield stubber


def test_all_pages_are_read_and_snapshots_counted(
    versions: StackVersions, formation: Stubber, functions: Stubber
) -> None:
    formation.add_response("describe_stacks", {"Stacks": [STACK]})
    formation.add_response("list_stack_resources", {"StackResourceSummaries": [], "NextToken": "n"})
    formation.add_response("list_stack_resources", {"StackResourceSummaries": [RESOURCE]})
    snapshot = {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}
    first = [{"Version": "$LATEST"}, {"Version": "9", "SnapStart": snapshot}]
    functions.add_response("list_versions_by_function", {"Versions": first, "NextMarker": "m"})
    second = [{"Version": "10", "SnapStart": snapshot}, {"Version": "8"}, {"Version": "7", "SnapStart": snapshot}]
    functions.add_response("list_versions_by_function", {"Versions": second})
    functions.add_response("list_aliases", {"Aliases": [{"FunctionVersion": "$LATEST"}], "NextMarker": "a"})
    functions.add_response("list_aliases", {"Aliases": [{"FunctionVersion": "8"}]})

    # By number, not by text.
    assert versions.found(1) == [Versions("f", kept=(8, 10), old=(7, 9), snapshots=(7, 9))]


def test_a_rejected_call_has_awss_code_and_the_permissions(versions: StackVersions, formation: Stubber) -> None:
    formation.add_client_error("describe_stacks", "AccessDenied", "User: arn:… is not authorized")

    with pytest.raises(Failure, match=r"AccessDenied$") as failure:
        versions.found(3)
    assert "lambda:ListAliases" in failure.value.remedy


@pytest.mark.parametrize(
    ("code", "kept"),
    [("ResourceNotFoundException", ""), ("ResourceConflictException", "ResourceConflictException")],
)
def test_a_version_that_is_gone_is_deleted_and_one_of_an_alias_stays(
    versions: StackVersions, functions: Stubber, code: str, kept: str
) -> None:
    functions.add_client_error("delete_function", code)

    assert versions.delete("f", 3) == kept


def test_without_a_region(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", f"{tmp_path}/none")

    with pytest.raises(Failure, match="NoRegionError"):
        StackVersions("s", None)


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "us-east-1"}, "eu-central-1"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "us-east-1"}, "us-east-1"),
        ({}, None),
    ],
)
def test_the_region_of_the_variables(variables: dict[str, str], region: str | None) -> None:
    assert region_of(variables) == region
