"""The migration runner, invoked as on Lambda, in a separate interpreter."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.databases.postgres import DatabaseUrls, PostgresServer, execute

ROOT = Path(__file__).parents[3]
INVOKE = """
import json, sys
from types import SimpleNamespace
from functions.migration_runner.handler import lambda_handler
for event in json.load(sys.stdin):
    try:
        result = lambda_handler(event, SimpleNamespace(aws_request_id="request-0000-0001"))
    except Exception as error:
        # In the form of Lambda's runtime client.
        result = {"errorType": type(error).__name__, "errorMessage": str(error)}
        assert error.__cause__ is None and error.__context__ is None
    print("RESULT " + json.dumps(result))
"""


@pytest.fixture
def empty(postgres_server: PostgresServer) -> Iterator[DatabaseUrls]:
    urls = postgres_server.create_database(migrated=False)
    yield urls
    postgres_server.drop_database(urls)


def invoke(owner_url: str, *events: object) -> tuple[list[dict[str, Any]], str]:
    """Run these events in one process; return their results, and everything that it wrote."""
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
    prefix = "RESULT "
    results = [json.loads(line[len(prefix) :]) for line in run.stdout.splitlines() if line.startswith(prefix)]
    return results, run.stdout + run.stderr


def failure(result: dict[str, Any]) -> dict[str, Any]:
    """Parse the message of a failed invocation."""
    assert result.keys() == {"errorType", "errorMessage"}
    assert result["errorType"] == "RunnerFailed"
    told: dict[str, Any] = json.loads(result["errorMessage"])
    assert told.keys() == {"error", "remedy"}
    assert told["remedy"]
    error: dict[str, Any] = told["error"]
    assert error.keys() == {"code", "message", "detail", "request_id"}
    return error


def test_upgrades_downgrades_and_returns_the_revision(empty: DatabaseUrls) -> None:
    results, written = invoke(
        empty.owner_url,
        {"action": "current"},
        {"action": "upgrade", "revision": "0001"},
        {"action": "upgrade"},
        {"action": "current"},
        {"action": "downgrade", "revision": "-1"},
        {"action": "downgrade", "revision": "base"},
        {"action": "upgrade", "revision": "head"},
    )
    head = results[0]["head"]
    assert results[:4] == [
        {"action": "current", "revision": None, "head": head},
        {"action": "upgrade", "before": None, "after": "0001"},
        {"action": "upgrade", "before": "0001", "after": head},
        {"action": "current", "revision": head, "head": head},
    ]
    assert results[4]["before"] == head
    assert results[5] == {"action": "downgrade", "before": results[4]["after"], "after": None}
    assert results[6] == {"action": "upgrade", "before": None, "after": head}
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
    pytest.param({"action": "downgrade"}, "revision", id="downgrade-without-a-revision"),
    pytest.param({"action": "current", "revision": "head"}, "revision", id="current-of-a-revision"),
    pytest.param({"action": "upgrade", "sql": "DROP TABLE x"}, "sql", id="unknown-member"),
]


@pytest.fixture(scope="module")
def rejected(database_urls: DatabaseUrls) -> list[dict[str, Any]]:
    return invoke(database_urls.owner_url, *(case.values[0] for case in BAD), {"action": "current"})[0]


@pytest.mark.parametrize(("number", "field"), [pytest.param(n, c.values[1], id=str(c.id)) for n, c in enumerate(BAD)])
def test_invalid_input_is_a_failed_invocation_in_our_shape(
    rejected: list[dict[str, Any]], number: int, field: str
) -> None:
    error = failure(rejected[number])
    assert (error["code"], error["request_id"]) == ("VAL_001", "request-0000-0001")
    assert [problem["field"] for problem in error["detail"]] == [field]


def test_invalid_input_changes_nothing(rejected: list[dict[str, Any]]) -> None:
    assert rejected[-1]["revision"] == rejected[-1]["head"]


def test_a_database_of_a_newer_version_is_left_alone(empty: DatabaseUrls) -> None:
    (_, *refused, current), _ = invoke_newer(empty)
    for result in refused:
        error = failure(result)
        assert (error["code"], error["message"]) == ("SYS_013", "The database was made by a newer Tenantgate")
        assert error["detail"] == {"revision": "9999", "newest_known": current["head"]}
    assert current["revision"] == "9999"


def invoke_newer(empty: DatabaseUrls) -> tuple[list[dict[str, Any]], str]:
    upgraded, _ = invoke(empty.owner_url, {"action": "upgrade"})
    execute(empty.admin_url, "UPDATE alembic_version SET version_num = '9999'")
    rest, written = invoke(
        empty.owner_url, {"action": "upgrade"}, {"action": "downgrade", "revision": "-1"}, {"action": "current"}
    )
    return upgraded + rest, written


def test_an_unreachable_database_is_reported_without_its_password() -> None:
    (result,), written = invoke("postgresql://owner:password-canary@127.0.0.1:1/name", {"action": "upgrade"})
    assert failure(result)["code"] == "SYS_001"
    assert "canary" not in written


def test_a_role_that_may_not_migrate_gets_the_message_of_postgresql(database_urls: DatabaseUrls) -> None:
    (result,), written = invoke(database_urls.app_url, {"action": "downgrade", "revision": "base"})
    error = failure(result)
    assert error["code"] == "SYS_008"
    assert error["detail"]["reason"].startswith("must be owner of ")
    assert "Traceback" not in written
