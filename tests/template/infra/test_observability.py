"""The alarms on each function, on our own log lines and on the data; their topic; the dashboard."""

import ast
import fnmatch
import importlib
import json
import logging
import re
from functools import cache
from typing import Any

import pytest
from awslambdaric.bootstrap import make_error

from lambda_gateway.template.document import load_template
from lambda_gateway.template.intrinsics import Resolver
from tenantgate.observability.logging import JsonFormatter
from tenantgate_cli.paths import ROOT, TEMPLATE
from tests.fixtures.template.nested import nested

WATCH = nested("observability")
ALARM = "AWS::CloudWatch::Alarm"
PLATFORM = {
    "ClusterIdentifier": "tenantgate",
    "ProxyName": "tenantgate",
    "CacheName": "tenantgate",
    "DeadLetterQueueName": "dead",
}
# Only in development.
UNWATCHED = {"IdentityProviderFunction"}


@cache
def functions() -> dict[str, int]:
    """Return the time-out in seconds of each watched function of template.yaml."""
    document: Any = load_template(TEMPLATE)
    usual = document["Globals"]["Function"]["Timeout"]
    return {
        name: body["Properties"].get("Timeout", usual)
        for name, body in document["Resources"].items()
        if body["Type"] == "AWS::Serverless::Function" and name not in UNWATCHED
    }


def alarms_on(metric: str) -> dict[str, dict[str, Any]]:
    """Return the alarms on a metric of Lambda by the parameter with the function's name."""
    return {
        body["Properties"]["Dimensions"][0]["Value"]["Ref"]: body["Properties"]
        for body in WATCH.resources(ALARM).values()
        if body["Properties"].get("MetricName") == metric
    }


def test_each_function_has_a_parameter_with_its_name() -> None:
    assert {name for name in WATCH.parameters if name.endswith("Function")} == functions().keys()


def test_each_function_has_an_alarm_on_errors_but_the_authorizer_whose_401s_are_errors() -> None:
    assert alarms_on("Errors").keys() == functions().keys() - {"AuthorizerFunction"}


def test_each_function_has_an_alarm_on_throttles() -> None:
    assert alarms_on("Throttles").keys() == functions().keys()


def test_each_function_has_an_alarm_near_its_time_out() -> None:
    slow = alarms_on("Duration")
    milliseconds = WATCH.document["Mappings"]["Slow"]

    # The republisher's invocations take a minute on purpose.
    assert slow.keys() == functions().keys() - {"RevocationRepublisherFunction"}
    for name, alarm in slow.items():
        table, key, member = alarm["Threshold"]["Fn::FindInMap"]
        assert (table, key, member) == ("Slow", name.removesuffix("Function"), "Milliseconds")
        assert milliseconds[key][member] == functions()[name] * 800


def test_the_republishers_silence_is_an_alarm_if_it_has_a_schedule() -> None:
    silence = WATCH.properties("RepublisherSilence")

    assert (silence["MetricName"], silence["TreatMissingData"]) == ("Invocations", "breaching")
    assert silence["Period"] * silence["EvaluationPeriods"] <= 300
    assert "RepublisherSilence" in WATCH.resources(Republishes="true")
    assert "RepublisherSilence" not in WATCH.resources(Republishes="false")


def test_every_alarm_is_sent_and_so_is_its_end() -> None:
    for name, body in WATCH.resources(ALARM).items():
        properties = body["Properties"]
        assert properties["AlarmActions"] == properties["OKActions"] == [{"Ref": "Topic"}], name
        # The default makes an alarm without data look as if it worked.
        assert properties["TreatMissingData"] in ("breaching", "notBreaching"), name
        assert properties["DatapointsToAlarm"] <= properties["EvaluationPeriods"], name
        assert properties["AlarmDescription"], name


def test_the_caches_limit_is_the_one_that_it_has() -> None:
    # template.yaml passes neither, so both have their default.
    assert WATCH.parameters["CacheMaxGb"]["Default"] == nested("data").parameters["CacheMaxGb"]["Default"]
    assert "CacheMaxGb" not in TEMPLATE.read_text("utf-8")


def test_alarms_have_different_names() -> None:
    names = [body["Properties"]["AlarmName"]["Fn::Sub"] for body in WATCH.resources(ALARM).values()]

    assert len(set(names)) == len(names)


@pytest.mark.parametrize("given", [pytest.param(PLATFORM, id="platform"), pytest.param({}, id="external")])
def test_what_isnt_in_the_stack_has_no_alarm(given: dict[str, str]) -> None:
    needed = {"ClusterIdentifier": "AWS/RDS", "CacheName": "AWS/ElastiCache", "DeadLetterQueueName": "AWS/SQS"}
    watched = json.dumps(WATCH.resources(ALARM, **given))

    for parameter, namespace in needed.items():
        assert (namespace in watched) == (parameter in given)
    assert "AWS/ApiGateway" in watched


@pytest.mark.parametrize(
    "metric",
    [
        "ACUUtilization",
        "DatabaseConnections",
        "FreeableMemory",
        "AuroraReplicaLagMaximum",
        "DatabaseConnectionsCurrentlySessionPinned",
        "ThrottledCmds",
        "Evictions",
        "ApproximateNumberOfMessagesVisible",
        "5xx",
        "Latency",
    ],
)
def test_harm_to_the_data_and_the_api_is_an_alarm(metric: str) -> None:
    assert f'"{metric}"' in json.dumps(WATCH.resources(ALARM, **PLATFORM))


FILTERS = {name: body["Properties"] for name, body in WATCH.resources("AWS::Logs::MetricFilter").items()}
CRASH = FILTERS["CrashLines"]
by_filter = pytest.mark.parametrize("name", FILTERS)
by_message = pytest.mark.parametrize("name", [name for name in FILTERS if name != "CrashLines"])


@by_message
def test_a_filter_finds_a_line_that_the_code_writes(name: str) -> None:
    (wanted,) = re.findall(r'\$\.message = "([^"]*)"', FILTERS[name]["FilterPattern"])

    assert [text for text in messages() if fnmatch.fnmatchcase(text.replace("%s", "older"), wanted)]


@cache
def messages() -> tuple[str, ...]:
    """Return the literal messages of all log calls in the code that runs on Lambda."""
    found = []
    for folder in ("layers/shared/tenantgate", "functions"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                    found += [
                        item.value
                        for item in node.args[:2]
                        if isinstance(item, ast.Constant) and isinstance(item.value, str)
                    ]
    return tuple(found)


@by_filter
def test_a_filters_metric_has_an_alarm_and_a_line_on_the_dashboard(name: str) -> None:
    (made,) = FILTERS[name]["MetricTransformations"]
    alarms = [
        body["Properties"]
        for body in WATCH.resources(ALARM).values()
        if body["Properties"].get("MetricName") == made["MetricName"]
    ]

    assert [alarm["Namespace"] for alarm in alarms] == [made["MetricNamespace"]]
    assert f'"{made["MetricName"]}"' in dashboard(**PLATFORM)


def test_the_members_that_filters_read_are_those_of_our_lines() -> None:
    record = logging.LogRecord("tenantgate", logging.WARNING, "file", 1, "security event", None, None)
    record.context = {"event": "SESSION_SECRET_REUSED"}
    line = json.loads(JsonFormatter(service="auth_refresh").format(record))
    ours = [found["FilterPattern"] for found in FILTERS.values() if found is not CRASH]
    read = {member for pattern in ours for member in re.findall(r"\$\.([\w.]+) ", pattern)}

    assert read == {"message", "context.event"}
    assert line["message"] == "security event"
    assert "event" in line["context"]


def is_a_crash(error: dict[str, str]) -> bool:
    """Tell if the filter matches the runtime's line of an exception; each of its terms compares one member."""
    terms = re.findall(r'\(\$\.(\w+) (!?=) "([^"]*)"\)', CRASH["FilterPattern"])
    assert len(terms) == CRASH["FilterPattern"].count("&&") + 1
    return all(
        member in error and fnmatch.fnmatchcase(error[member], text) == (operator == "=")
        for member, operator, text in terms
    )


def test_an_exception_of_no_function_is_a_crash() -> None:
    try:
        importlib.import_module("a_module_that_is_missing_from_the_bundle")
    except ModuleNotFoundError as missing:
        error = make_error(str(missing), "Runtime.ImportModuleError", [])

    assert is_a_crash(error)
    assert is_a_crash(make_error("'OIDC_ISSUER_URL'", "KeyError", []))


def test_a_401_is_not_a_crash_and_neither_are_failures_with_their_own_alarms() -> None:
    failures = set(re.findall(r'"(\w+Failed)"', CRASH["FilterPattern"]))
    raised = {"AuthorizerFailed", *_failures_of_functions()}

    assert not is_a_crash(make_error("Unauthorized", "Exception", []))
    assert failures == raised
    assert not [name for name in failures if is_a_crash(make_error("SYS_003", name, []))]


def _failures_of_functions() -> set[str]:
    handlers = (path.read_text("utf-8") for path in ROOT.glob("functions/*/handler.py"))
    return {name for text in handlers for name in re.findall(r"^class (\w+)\(Exception\)", text, re.MULTILINE)}


def dashboard(**given: str) -> str:
    """Return the dashboard's body as CloudWatch gets it."""
    parameters = {name: "any" for name, found in WATCH.parameters.items() if "Default" not in found}
    resolver = Resolver(WATCH.document, {**parameters, **given})
    return str(resolver.resolve(WATCH.properties("Dashboard")["DashboardBody"], "Dashboard"))


@pytest.mark.parametrize("given", [pytest.param(PLATFORM, id="platform"), pytest.param({}, id="external")])
def test_the_dashboard_is_json_whose_widgets_dont_overlap(given: dict[str, str]) -> None:
    widgets = json.loads(dashboard(**given))["widgets"]
    cells = [
        (column, row)
        for widget in widgets
        for column in range(widget["x"], widget["x"] + widget["width"])
        for row in range(widget["y"], widget["y"] + widget["height"])
    ]

    assert len(set(cells)) == len(cells)
    assert max(column for column, _ in cells) < 24
    assert ("AWS/RDS" in dashboard(**given)) == ("ClusterIdentifier" in given)


def test_alarms_are_encrypted_and_only_this_accounts_services_send_them() -> None:
    account, use = WATCH.properties("TopicKey")["KeyPolicy"]["Statement"]
    topic = WATCH.properties("TopicPolicy")["PolicyDocument"]["Statement"]
    alarms = "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:*"

    assert WATCH.properties("Topic")["KmsMasterKeyId"] == {"Ref": "TopicKey"}
    assert [(each["Principal"]["Service"], each["Condition"]) for each in topic] == [
        ("cloudwatch.amazonaws.com", {"ArnLike": {"aws:SourceArn": {"Fn::Sub": alarms}}}),
        ("budgets.amazonaws.com", {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}),
    ]
    assert account["Principal"]["AWS"]["Fn::Sub"].endswith("${AWS::AccountId}:root")
    assert use["Principal"]["Service"] == [each["Principal"]["Service"] for each in topic]


def test_address_and_budget_are_choices() -> None:
    assert not {"Email", "Budget"} & WATCH.resources().keys()
    assert "Email" in WATCH.resources(AlarmEmail="team@example.com")
    assert "Budget" in WATCH.resources(MonthlyBudget="500")
    assert WATCH.properties("Budget")["NotificationsWithSubscribers"]
