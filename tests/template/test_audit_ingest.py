"""The subscription of the log group: which lines reach the function that stores audit events, and who may invoke it."""

from __future__ import annotations

import re

from tenantgate.audit.line import LOGGER, MARK
from tests.fixtures.template.deployed import ALIAS, Stack

FUNCTION = "AuditIngestFunction"


def test_only_the_marked_lines_of_the_functions_are_delivered(stack: Stack) -> None:
    subscription = stack.properties("AuditEvents")
    assert subscription == {
        "LogGroupName": {"Ref": "FunctionLogs"},
        "FilterPattern": f'{{ ($.message = "{MARK}") && ($.logger = "{LOGGER}") }}',
        "DestinationArn": {"Ref": f"{FUNCTION}{ALIAS}"},
    }
    # CloudWatch Logs checks at its making that it may invoke the function.
    assert stack.document["Resources"]["AuditEvents"]["DependsOn"] == "AuditEventsInvoke"


def test_no_other_group_and_no_other_account_may_invoke_the_function(stack: Stack) -> None:
    assert stack.properties("AuditEventsInvoke") == {
        "FunctionName": {"Ref": f"{FUNCTION}{ALIAS}"},
        "Action": "lambda:InvokeFunction",
        "Principal": "logs.amazonaws.com",
        "SourceArn": {"Fn::GetAtt": ["FunctionLogs", "Arn"]},
        "SourceAccount": {"Ref": "AWS::AccountId"},
    }
    permissions = [
        body["Properties"]
        for body in stack.resources("AWS::Lambda::Permission").values()
        if FUNCTION in str(body["Properties"]["FunctionName"])
    ]
    assert len(permissions) == 1


def test_its_own_lines_are_never_delivered_to_it(stack: Stack) -> None:
    group = stack.functions[FUNCTION]["LoggingConfig"]["LogGroup"]
    subscribed = [body["Properties"] for body in stack.resources("AWS::Logs::SubscriptionFilter").values()]
    assert [one["LogGroupName"] for one in subscribed if one["LogGroupName"] == group] == []
    # Its role can't write into the group that is subscribed.
    policy = stack.properties("AuditIngestRunPolicy")["PolicyDocument"]["Statement"]
    assert policy[0]["Resource"] == {"Fn::GetAtt": ["AuditIngestLogs", "Arn"]}
    assert not re.search(r"FunctionLogs", str(policy))
