"""The migration runner, invoked as Lambda would: an event in, an object or a failure out, in its own interpreter."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.databases.postgres import DatabaseUrls, PostgresServer

ROOT = Path(__file__).parents[3]
INVOKE = """
import json, sys
from types import SimpleNamespace
from functions.migration_runner.handler import lambda_handler
for event in json.load(sys.stdin):
    try:
        answer = lambda_handler(event, SimpleNamespace(aws_request_id="request-0000-0001"))
    except Exception as error:
        # As Lambda's runtime client reports it.
        answer = {"errorType": type(error).__name__, "errorMessage": str(error)}
        assert error.__cause__ is None and error.__context__ is None
    print("ANSWER " + json.dumps(answer))
"""


@pytest.fixture
def empty(postgres_server: PostgresServer) -> Iterator[DatabaseUrls]:
    urls = postgres_server.create_database(migrated=False)
    yield urls
    postgres_server.drop_database(urls)


def invoke(owner_url: str, *events: object) -> tuple[list[dict[str, Any]], str]:
    """The answers to these events, one after the other in one process, and all that it wrote."""
    run = subprocess.run(
        [sys.executable, "-c", INVOKE],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT / "layers" / "shared"), "ENVIRONMENT": "test", "DATABASE_OWNER_URL": owner_url},
        input=json.dumps(events),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    prefix = "ANSWER "
    answers = [json.loads(line[len(prefix) :]) for line in run.stdout.splitlines() if line.startswith(prefix)]
    return answers, run.stdout + run.stderr


def failure(answer: dict[str, Any]) -> dict[str, Any]:
    """What an operator reads of a failed invocation."""
    assert answer.keys() == {"errorType", "errorMessage"}
    assert answer["errorType"] == "RunnerFailed"
    told: dict[str, Any] = json.loads(answer["errorMessage"])
    assert told.keys() == {"error", "remedy"}
    assert told["remedy"]
    error: dict[str, Any] = told["error"]
    assert error.keys() == {"code", "message", "detail", "request_id"}
    return error


def test_upgrades_downgrades_and_tells_the_revision(empty: DatabaseUrls) -> None:
    answers, written = invoke(
        empty.owner_url,
        {"action": "current"},
        {"action": "upgrade", "revision": "0001"},
        {"action": "upgrade"},
        {"action": "current"},
        {"action": "downgrade", "revision": "-1"},
        {"action": "downgrade", "revision": "base"},
        {"action": "upgrade", "revision": "head"},
    )
    head = answers[0]["head"]
    assert answers[:4] == [
        {"action": "current", "revision": None, "head": head},
        {"action": "upgrade", "before": None, "after": "0001"},
        {"action": "upgrade", "before": "0001", "after": head},
        {"action": "current", "revision": head, "head": head},
    ]
    assert answers[4]["before"] == head
    assert answers[5] == {"action": "downgrade", "before": answers[4]["after"], "after": None}
    assert answers[6] == {"action": "upgrade", "before": None, "after": head}
    logged = [json.loads(line) for line in written.splitlines() if line.startswith("{")]
    assert {line["request_id"] for line in logged} == {"request-0000-0001"}


BAD = [
    pytest.param(None, "event", id="nothing"),
    pytest.param([], "event", id="list"),
    pytest.param("upgrade", "event", id="text"),
    pytest.param({}, "action", id="empty"),
    pytest.param({"action": "drop"}, "action", id="unknown-action"),
    pytest.param({"action": ["upgrade"]}, "action", id="action-of-another-type"),
    pytest.param({"action": "upgrade", "revision": 2}, "revision", id="revision-of-another-type"),
    pytest.param({"action": "upgrade", "revision": ""}, "revision", id="empty-revision"),
    pytest.param({"action": "upgrade", "revision": "x" * 65}, "revision", id="long-revision"),
    pytest.param({"action": "upgrade", "revision": "nope"}, "revision", id="no-such-revision"),
    pytest.param({"action": "downgrade"}, "revision", id="downgrade-to-nowhere"),
    pytest.param({"action": "current", "revision": "head"}, "revision", id="current-of-a-revision"),
    pytest.param({"action": "upgrade", "sql": "DROP TABLE x"}, "sql", id="unknown-member"),
]


@pytest.fixture(scope="module")
def refusals(database_urls: DatabaseUrls) -> list[dict[str, Any]]:
    return invoke(database_urls.owner_url, *(case.values[0] for case in BAD), {"action": "current"})[0]


@pytest.mark.parametrize(("number", "field"), [pytest.param(n, c.values[1], id=str(c.id)) for n, c in enumerate(BAD)])
def test_bad_input_is_a_failed_invocation_in_our_shape(refusals: list[dict[str, Any]], number: int, field: str) -> None:
    error = failure(refusals[number])
    assert (error["code"], error["request_id"]) == ("VAL_001", "request-0000-0001")
    assert [problem["field"] for problem in error["detail"]] == [field]


def test_bad_input_changes_nothing(refusals: list[dict[str, Any]]) -> None:
    assert refusals[-1]["revision"] == refusals[-1]["head"]


def test_an_unreachable_database_is_told_without_its_password() -> None:
    (answer,), written = invoke("postgresql://owner:password-canary@127.0.0.1:1/name", {"action": "upgrade"})
    assert failure(answer)["code"] == "SYS_001"
    assert "canary" not in written


def test_a_role_that_may_not_migrate_is_told_what_postgresql_said(database_urls: DatabaseUrls) -> None:
    (answer,), written = invoke(database_urls.app_url, {"action": "downgrade", "revision": "base"})
    error = failure(answer)
    assert error["code"] == "SYS_008"
    assert error["detail"]["reason"] == "permission denied for table alembic_version"
    assert "Traceback" not in written
