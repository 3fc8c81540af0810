"""`tenantgate versions prune` with moto's Lambda, and scripted responses of CloudFormation, which moto lacks here."""

from __future__ import annotations

import io
import json
import re
import shlex
import zipfile
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws
from typer.testing import CliRunner, Result

from tenantgate_cli.deploy.versions import StackVersions
from tenantgate_cli.main import app
from tenantgate_cli.paths import ROOT

REGION = "eu-central-1"
STACK = "tenantgate-prod"
FUNCTIONS = ("tenantgate-prod-HealthFunction-1a", "tenantgate-prod-HomeFunction-2b")
PAGE = (ROOT / "docs" / "DEPLOYMENT.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"\.venv/bin/tenantgate (versions prune .*)$", PAGE, re.MULTILINE)


class Account:
    """The functions in moto's Lambda, and the stack that has them."""

    def __init__(self) -> None:
        self.status = "UPDATE_COMPLETE"
        self.functions: tuple[str, ...] = FUNCTIONS
        self._lambda: Any = boto3.client("lambda", REGION)
        role = boto3.client("iam").create_role(RoleName="of-functions", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        for name in FUNCTIONS:
            code = {"ZipFile": _zip("0")}
            self._lambda.create_function(
                FunctionName=name, Runtime="python3.13", Role=role, Handler="a.b", Code=code, Publish=True
            )
            for number in range(2, 7):
                self._lambda.update_function_code(FunctionName=name, ZipFile=_zip(str(number)))
                self._lambda.publish_version(FunctionName=name)

    def serve(self, version: int, **weights: float) -> None:
        for name in FUNCTIONS:
            other = {number.removeprefix("v"): part for number, part in weights.items()}
            routing = {"RoutingConfig": {"AdditionalVersionWeights": other}} if other else {}
            self._lambda.create_alias(FunctionName=name, Name="live", FunctionVersion=str(version), **routing)

    def versions(self, name: str = FUNCTIONS[0]) -> list[str]:
        found = self._lambda.list_versions_by_function(FunctionName=name)["Versions"]
        return [each["Version"] for each in found]

    def script(self, client: Stubber) -> None:
        stack = {"StackName": STACK, "StackStatus": self.status, "CreationTime": "2026-11-26T00:00:00Z"}
        client.add_response("describe_stacks", {"Stacks": [stack]}, {"StackName": STACK})
        resources = [("AWS::Lambda::Function", name) for name in self.functions]
        summaries = [
            {
                "LogicalResourceId": name.split("-")[-2] if "-" in name else name,
                "PhysicalResourceId": name,
                "ResourceType": kind,
                "LastUpdatedTimestamp": "2026-11-26T00:00:00Z",
                "ResourceStatus": "UPDATE_COMPLETE",
            }
            for kind, name in [*resources, ("AWS::Logs::LogGroup", "/tenantgate/logs")]
        ]
        client.add_response("list_stack_resources", {"StackResourceSummaries": summaries}, {"StackName": STACK})


def _zip(text: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.py", text)
    return file.getvalue()


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    # boto3 itself reads only the other variable.
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    make = StackVersions.__init__
    with mock_aws(config={"lambda": {"use_docker": False}}):
        account = Account()

        def scripted(self: StackVersions, stack: str, region: str | None) -> None:
            make(self, stack, region)
            stubber = Stubber(self._formation)
            account.script(stubber)
            stubber.activate()

        monkeypatch.setattr(StackVersions, "__init__", scripted)
        yield account


def prune(*options: str) -> Result:
    return CliRunner().invoke(app, ["versions", "prune", "--stack-name", STACK, *options])


def test_the_commands_of_the_page(account: Account) -> None:
    account.serve(2)
    assert len(COMMANDS) == 2
    for command in COMMANDS:
        before = account.versions()
        ran = CliRunner().invoke(app, shlex.split(command))
        assert ran.exit_code == 0, ran.output
        assert (account.versions() == before) is ("--dry-run" in command)


def test_the_served_and_the_newest_versions_stay(account: Account) -> None:
    account.serve(2)

    ran = prune("--keep", "2", "--yes", "--json")

    assert ran.exit_code == 0, ran.output
    assert [account.versions(name) for name in FUNCTIONS] == [["$LATEST", "2", "5", "6"]] * 2
    [first, second] = json.loads(ran.stdout)["functions"]
    assert first == {"name": FUNCTIONS[0], "kept": [2, 5, 6], "old": [1, 3, 4], "deleted": [1, 3, 4]}
    assert second["deleted"] == [1, 3, 4]


def test_both_versions_of_a_canary_stay(account: Account) -> None:
    account.serve(1, v3=0.1)

    assert prune("--keep", "1", "--yes").exit_code == 0
    assert account.versions() == ["$LATEST", "1", "3", "6"]


def test_a_dry_run_deletes_nothing_and_says_what_it_would(account: Account) -> None:
    account.serve(6)

    ran = prune("--dry-run")

    assert ran.exit_code == 0
    assert f"{FUNCTIONS[0]}: keeps 4, 5, 6; old: 1, 2, 3" in ran.output
    assert f"would delete 6 old versions of {STACK}" in ran.output
    assert len(account.versions()) == 7


def test_a_script_must_say_that_it_means_it(account: Account) -> None:
    account.serve(6)

    ran = prune()

    assert (ran.exit_code, "add --yes" in ran.output) == (1, True)
    assert len(account.versions()) == 7


def test_with_nothing_to_delete(account: Account) -> None:
    account.serve(6)

    ran = prune("--keep", "6")

    assert (ran.exit_code, "nothing to delete" in ran.output) == (0, True)


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"])
def test_a_deployment_that_may_roll_back_keeps_its_versions(account: Account, status: str) -> None:
    account.serve(6)
    account.status = status

    ran = prune("--yes")

    assert (ran.exit_code, status in ran.output) == (1, True)
    assert len(account.versions()) == 7


@pytest.mark.parametrize(
    ("code", "remedy"), [("ResourceConflictException", "run it again"), ("AccessDeniedException", "DeleteFunction")]
)
def test_a_version_that_aws_keeps_is_reported_and_the_others_are_deleted(
    account: Account, code: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A conflict: a release moved an alias back after the list was read."""
    account.serve(6)
    delete = StackVersions.delete
    monkeypatch.setattr(
        StackVersions,
        "delete",
        lambda self, name, version: code if version == 2 else delete(self, name, version),
    )

    ran = prune("--yes", "--json")

    shown = json.loads(ran.stdout)
    assert (ran.exit_code, shown["ok"]) == (1, False)
    assert [each["deleted"] for each in shown["functions"]] == [[1, 3], [1, 3]]
    assert code in shown["problems"][0]["problem"]
    assert remedy in shown["problems"][0]["remedy"]


def test_a_stack_without_functions(account: Account) -> None:
    account.functions = ()

    ran = prune("--yes")

    assert (ran.exit_code, "has no functions" in ran.output) == (1, True)


@pytest.mark.parametrize("keep", ["0", "-1", "x"])
def test_at_least_the_newest_version_stays(account: Account, keep: str) -> None:
    assert prune("--keep", keep, "--yes").exit_code == 2
    assert len(account.versions()) == 7
