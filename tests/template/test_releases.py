"""A release: new versions, their order, and the alarms that roll them back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tenantgate.database.migrator import head
from tests.fixtures.template.deployed import ALIAS, TEMPLATE, Stack, deployed_stack
from tests.fixtures.template.needs import NEEDS_THE_DATABASE

RUNNER = "MigrationRunnerFunction"
ALARMS = ["ReleaseServerErrorsAlarm", "ReleaseNoDecisionsAlarm", "ReleaseJobErrorsAlarm"]


def behind_the_api(stack: Stack) -> set[str]:
    return {route.function for route in stack.routes}


def versions(stack: Stack) -> dict[str, str]:
    """Return the logical id of each function's version."""
    return {
        body["Properties"]["FunctionName"]["Ref"]: name
        for name, body in stack.resources("AWS::Lambda::Version").items()
    }


def test_a_new_release_publishes_a_new_version_of_every_function(stack: Stack) -> None:
    released = deployed_stack(TEMPLATE, ("ReleaseId", "a1b2c3d4e5f6"))
    before, after = versions(stack), versions(released)

    assert before.keys() == after.keys() == stack.functions.keys() - {RUNNER}
    assert not {*before.values()} & {*after.values()}
    for function, version in after.items():
        assert released.properties(f"{function}{ALIAS}")["FunctionVersion"] == {"Fn::GetAtt": [version, "Version"]}
        # The version before must remain, for a rollback.
        assert released.document["Resources"][version]["DeletionPolicy"] == "Retain"


def test_the_layer_of_the_release_before_remains(stack: Stack) -> None:
    (layer,) = stack.resources("AWS::Lambda::LayerVersion").values()

    assert layer["DeletionPolicy"] == "Retain"


def test_every_request_and_every_event_reaches_an_alias(stack: Stack) -> None:
    for route in stack.routes:
        assert f"{route.function}{ALIAS}" in stack.document["Resources"]
    given = stack.properties("Jobs")["Parameters"]
    assert {name: value for name, value in given.items() if name.endswith("Arn")} == {
        f"{job}Arn": {"Ref": f"{job}Function{ALIAS}"}
        for job in ("SessionSweep", "AuditSeal", "RevocationRepublisher", "SecurityEventPoll", "AuditIngest")
    }


def test_the_schema_revision_is_the_newest_migration(stack: Stack) -> None:
    assert stack.document["Parameters"]["SchemaRevision"]["Default"] == head()


def test_migrations_run_before_any_function_with_a_database_changes(stack: Stack) -> None:
    migrations = stack.document["Resources"]["Migrations"]
    assert migrations["Properties"] == {
        "ServiceToken": {"Fn::GetAtt": [RUNNER, "Arn"]},
        "ServiceTimeout": "930",
        "SchemaRevision": {"Ref": "SchemaRevision"},
        "ReleaseId": {"Ref": "ReleaseId"},
    }
    assert int(migrations["Properties"]["ServiceTimeout"]) > stack.functions[RUNNER]["Timeout"]
    waiting = {
        name for name in stack.functions if "Migrations" in _listed(stack.document["Resources"][name].get("DependsOn"))
    }
    assert waiting == NEEDS_THE_DATABASE


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def test_the_migration_runner_is_deployed_at_once(stack: Stack) -> None:
    assert f"{RUNNER}{ALIAS}" not in stack.document["Resources"]
    assert f"{RUNNER}DeploymentGroup" not in stack.document["Resources"]


def test_every_other_function_is_a_canary_in_production_and_rolls_back(stack: Stack) -> None:
    for name in stack.functions.keys() - {RUNNER}:
        group = stack.document["Resources"][f"{name}DeploymentGroup"]
        # A conditional function's group exists under the same condition.
        assert group.get("Condition") == stack.document["Resources"][name].get("Condition")
        properties = group["Properties"]
        condition, canary, otherwise = properties["DeploymentConfigName"]["Fn::If"]
        assert condition == "IsProduction"
        assert canary["Fn::Sub"][1] == {"ConfigName": "Canary10Percent5Minutes"}
        assert otherwise["Fn::Sub"][1] == {"ConfigName": "AllAtOnce"}
        condition, alarms, otherwise = properties["AlarmConfiguration"]["Fn::If"]
        assert (condition, otherwise) == ("IsProduction", {})
        assert alarms == {"Enabled": True, "Alarms": [{"Name": {"Ref": alarm}} for alarm in ALARMS]}
        assert {"DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"} <= {
            *properties["AutoRollbackConfiguration"]["Events"]
        }
        policy = stack.document["Resources"][f"{name}{ALIAS}"]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
        assert policy["DeploymentGroupName"] == {"Ref": f"{name}DeploymentGroup"}


def test_no_alarm_of_a_release_counts_the_authorizers_401s(stack: Stack) -> None:
    # An exception with the text `Unauthorized` is an error of Lambda's, and the normal response to a bad token.
    for alarm in ALARMS:
        body = stack.document["Resources"][alarm]
        assert body["Condition"] == "IsProduction"
        assert "AuthorizerFunction" not in str(body["Properties"])
    decisions = stack.properties("ReleaseNoDecisions")
    assert decisions["LogGroupName"] == {"Ref": "FunctionLogs"}
    message = re.fullmatch(r'\{ \$\.message = "(.+)" \}', decisions["FilterPattern"])
    assert message
    written = Path("layers/shared/tenantgate/authorizer/service.py").read_text(encoding="utf-8")
    assert f'_log.error("{message[1]}"' in written


@pytest.mark.parametrize("alarm", ALARMS)
def test_each_alarm_reads_metrics_that_something_writes(stack: Stack, alarm: str) -> None:
    properties = stack.properties(alarm)
    written = {
        (str(transformation["MetricNamespace"]), transformation["MetricName"])
        for body in stack.resources("AWS::Logs::MetricFilter").values()
        for transformation in body["Properties"]["MetricTransformations"]
    }
    metrics = [metric["MetricStat"]["Metric"] for metric in properties.get("Metrics", []) if "MetricStat" in metric]
    for metric in metrics or [properties]:
        if metric["Namespace"] == "AWS/Lambda":
            ((dimension),) = metric["Dimensions"]
            assert dimension["Value"]["Ref"] in stack.functions
        else:
            assert (str(metric["Namespace"]), metric["MetricName"]) in written


def test_snapshots_only_of_the_functions_behind_the_api_and_only_in_production(stack: Stack) -> None:
    with_snapshots = set()
    for name, function in stack.functions.items():
        applied = function["SnapStart"]["ApplyOn"]
        if applied != "None":
            assert applied == {"Fn::If": ["IsProduction", "PublishedVersions", "None"]}
            with_snapshots.add(name)
    # The built-in provider signs, with a generator whose state all copies of a snapshot would share.
    assert with_snapshots == behind_the_api(stack) - {"IdentityProviderFunction"}
    assert not with_snapshots & {"AuthorizerFunction", RUNNER}


def test_concurrency_is_reserved_only_on_request(stack: Stack) -> None:
    reserved = {
        name: function["ReservedConcurrentExecutions"]
        for name, function in stack.functions.items()
        if "ReservedConcurrentExecutions" in function
    }

    assert reserved.pop("AuthorizerFunction") == {
        "Fn::If": ["ReservesAuthorizer", {"Ref": "AuthorizerConcurrency"}, {"Ref": "AWS::NoValue"}]
    }
    assert set(reserved) == behind_the_api(stack)
    for value in reserved.values():
        assert value == {"Fn::If": ["ReservesWeb", {"Ref": "WebConcurrency"}, {"Ref": "AWS::NoValue"}]}
    for name in ("AuthorizerConcurrency", "WebConcurrency"):
        assert stack.document["Parameters"][name]["Default"] == ""


def test_invocations_are_traced(stack: Stack) -> None:
    assert {str(function["TracingConfig"]) for function in stack.functions.values()} == {"{'Mode': {'Ref': 'Tracing'}}"}
    assert stack.document["Parameters"]["Tracing"]["Default"] == "Active"
