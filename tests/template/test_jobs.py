"""The schedules: each job's retries, and the queue of events that failed for good."""

from __future__ import annotations

import re

import pytest

from tenantgate_cli.stack.schedules import SCHEDULES
from tests.fixtures.template.deployed import Stack
from tests.fixtures.template.nested import Json, nested

JOBS = nested("jobs")
QUEUE = {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}
ON = {"Republishes": "true", "SecurityEventPolls": "true"}
NAMES = ("SessionSweep", "AuditSeal", "RevocationRepublisher", "SecurityEventPoll")
ALWAYS = {"SessionSweepSchedule", "AuditSealSchedule"}


def schedule(job: str) -> Json:
    return JOBS.properties(f"{job}Schedule")


def test_every_function_that_a_schedule_invokes_on_a_developers_machine_has_one_on_aws() -> None:
    assert {f"{name}Function" for name in NAMES} == {each.function for each in SCHEDULES}
    assert {*JOBS.resources("AWS::Scheduler::Schedule", **ON)} == {f"{name}Schedule" for name in NAMES}


@pytest.mark.parametrize(
    ("given", "made"),
    [
        pytest.param({}, ALWAYS, id="neither"),
        pytest.param(ON | {"SecurityEventPolls": "false"}, ALWAYS | {"RevocationRepublisherSchedule"}, id="cache"),
        pytest.param(ON | {"Republishes": "false"}, ALWAYS | {"SecurityEventPollSchedule"}, id="poll"),
    ],
)
def test_a_job_without_work_has_no_schedule(given: dict[str, str], made: set[str]) -> None:
    assert {*JOBS.resources("AWS::Scheduler::Schedule", **given)} == made


@pytest.mark.parametrize("job", NAMES)
def test_a_schedule_invokes_the_alias_and_keeps_what_it_could_not_deliver(job: str) -> None:
    target = schedule(job)["Target"]

    assert target["Arn"] == {"Ref": f"{job}Arn"}
    assert target["DeadLetterConfig"] == {"Arn": QUEUE}
    assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0
    # An event that is older than the next one has nothing to do any more.
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] <= 2 * _seconds(schedule(job)["ScheduleExpression"])


def _seconds(expression: str) -> int:
    found = re.fullmatch(r"rate\((\d+) minutes?\)", expression)
    assert found
    return 60 * int(found[1])


def test_the_list_of_revocations_is_published_without_a_gap(stack: Stack) -> None:
    # The function runs for 58 s, and its list counts for a few seconds more: see `revocation_republisher`.
    assert _seconds(schedule("RevocationRepublisher")["ScheduleExpression"]) == 60
    assert schedule("RevocationRepublisher")["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert stack.functions["RevocationRepublisherFunction"]["Timeout"] == 60


@pytest.mark.parametrize("job", [*NAMES, "AuditIngest"])
def test_what_lambda_gives_up_goes_into_the_queue(job: str) -> None:
    failures = JOBS.document["Resources"][f"{job}Failures"]
    properties = failures["Properties"]

    # The scheduler hands an event over; only Lambda knows whether the function failed.
    assert properties["DestinationConfig"] == {"OnFailure": {"Destination": QUEUE}}
    assert [properties[key]["Fn::Select"] for key in ("FunctionName", "Qualifier")] == [
        [place, {"Fn::Split": [":", {"Ref": f"{job}Arn"}]}] for place in (6, 7)
    ]
    # Lambda checks the role's permission when the configuration is made.
    assert failures["DependsOn"] == "FailuresPolicy"
    assert {"Ref": f"{job}Role"} in JOBS.properties("FailuresPolicy")["Roles"]


def test_the_root_gives_each_job_its_own_role(stack: Stack) -> None:
    given = stack.properties("Jobs")["Parameters"]

    assert {name: given[f"{name}Role"] for name in NAMES} == {name: {"Ref": f"{name}Role"} for name in NAMES}


def test_the_scheduler_invokes_only_the_jobs() -> None:
    role = JOBS.properties("SchedulerRole")
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    (policy,) = role["Policies"]
    invoke, send = policy["PolicyDocument"]["Statement"]

    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    assert (invoke["Action"], invoke["Resource"]) == (
        "lambda:InvokeFunction",
        [{"Ref": f"{name}Arn"} for name in NAMES],
    )
    assert (send["Action"], send["Resource"]) == ("sqs:SendMessage", QUEUE)


def test_the_queue_is_encrypted_keeps_events_long_and_is_read_over_tls_only() -> None:
    queue = JOBS.properties("DeadLetterQueue")
    (statement,) = JOBS.properties("DeadLetterQueuePolicy")["PolicyDocument"]["Statement"]

    assert queue == {"SqsManagedSseEnabled": True, "MessageRetentionPeriod": 14 * 86400}
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
