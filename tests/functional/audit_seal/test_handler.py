"""The sealer's function, invoked as on Lambda, in a separate interpreter; and the container's repetition."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from container.sealing import sealing
from tenantgate.audit.repository import EventRepository
from tenantgate.crypto.sealing import new_sealing_key
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.database.pool import PooledDatabase
from tenantgate.transparency.anchors.folder import FolderAnchors
from tenantgate.transparency.anchors.objects import read_checkpoints
from tests.fixtures.audit.events import any_event
from tests.fixtures.databases.postgres import DatabaseUrls, PostgresServer

ROOT = Path(__file__).parents[3]
INVOKE = """
import json
from types import SimpleNamespace
from functions.audit_seal.handler import lambda_handler
for number in range(2):
    try:
        result = lambda_handler({}, SimpleNamespace(aws_request_id=f"request-0000-000{number}"))
    except Exception as error:
        assert error.__cause__ is None and error.__context__ is None
        result = {"errorType": type(error).__name__, "errorMessage": str(error)}
    print("RESULT " + json.dumps(result))
"""


@pytest.fixture
def urls(postgres_server: PostgresServer) -> Iterator[DatabaseUrls]:
    made = postgres_server.create_database()
    yield made
    postgres_server.drop_database(made)


def invoke(url: str, **variables: str) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Return the results of two invocations, and the lines of the log."""
    run = subprocess.run(
        [sys.executable, "-c", INVOKE],
        cwd=ROOT,
        env={
            "PYTHONPATH": str(ROOT / "layers" / "shared"),
            "ENVIRONMENT": "test",
            "AWS_LAMBDA_FUNCTION_NAME": "seal",
            "PUBLIC_BASE_URL": "http://localhost:3000",
            "DATABASE_URL": url,
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    prefix = "RESULT "
    results = [json.loads(line[len(prefix) :]) for line in run.stdout.splitlines() if line.startswith(prefix)]
    lines = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    return results, lines


def record(url: str, count: int) -> str:
    tenant_id = f"org-{uuid4()}"

    async def add() -> None:
        database = PooledDatabase(url)
        for _ in range(count):
            await EventRepository(database).add(any_event(tenant_id))
        await database.dispose()

    asyncio.run(add())
    return tenant_id


def test_an_invocation_seals_and_anchors_and_logs_the_age_of_the_queue(urls: DatabaseUrls, tmp_path: Path) -> None:
    tenant_id = record(urls.app_url, 3)
    key = new_sealing_key()
    results, lines = invoke(urls.app_url, AUDIT_SIGNING_KEYS=key, AUDIT_ANCHOR_FOLDER=str(tmp_path))
    counts = ("tenants", "events", "checkpoints", "anchored", "missing", "broken")
    # The second one seals the statement that the first one left.
    assert results == [dict(zip(counts, each, strict=True)) for each in ((1, 3, 1, 1, 0, 0), (1, 1, 1, 1, 0, 0))]
    anchors = FolderAnchors(tmp_path)
    objects = [asyncio.run(anchors.get(name)) for name in asyncio.run(anchors.names("checkpoints/"))]
    heads = [note.split("\n")[:2] for content in objects for note in read_checkpoints(content)]
    assert heads == [[f"localhost:3000/audit/{tenant_id}", "3"], ["localhost:3000/audit/%3Adeployment", "1"]]
    queues = [line["context"] for line in lines if line["message"] == "audit queue"]
    assert [queue["unsealed_tenants"] for queue in queues if isinstance(queue, dict)] == [1, 0]
    assert queues[1] == {"unsealed_tenants": 0, "unsealed_seconds": 0, "unanchored": 0, "unanchored_seconds": 0}
    assert key not in str(lines)


def test_without_a_key_events_stay_in_the_queue_and_a_warning_says_so(urls: DatabaseUrls) -> None:
    record(urls.app_url, 1)
    results, lines = invoke(urls.app_url)
    assert results == [{}, {}]
    warnings = [line["message"] for line in lines if line["level"] == "WARNING"]
    assert len([one for one in warnings if "AUDIT_SIGNING_KEYS" in str(one)]) == 1
    queues = [line["context"] for line in lines if line["message"] == "audit queue"]
    assert [one["unsealed_tenants"] for one in queues if isinstance(one, dict)] == [1, 1]


def test_without_anchors_a_warning_says_so(urls: DatabaseUrls) -> None:
    record(urls.app_url, 1)
    results, lines = invoke(urls.app_url, AUDIT_SIGNING_KEYS=new_sealing_key())
    assert [result["anchored"] for result in results] == [0, 0]
    assert [line for line in lines if line["level"] == "WARNING" and "AUDIT_ANCHOR_BUCKET" in str(line["message"])]


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        pytest.param({"DATABASE_URL": "postgresql://app@127.0.0.1:1/none"}, "SYS_001", id="no database"),
        pytest.param({"AUDIT_SIGNING_KEYS": "short"}, "SYS_002", id="no usable key"),
        pytest.param({"AUDIT_ANCHOR_FOLDER": "/proc/none"}, "SYS_015", id="no anchor"),
    ],
)
def test_a_failure_is_a_failed_invocation_with_only_its_code(
    urls: DatabaseUrls, variables: dict[str, str], code: str
) -> None:
    record(urls.app_url, 1)
    results, _ = invoke(urls.app_url, **({"AUDIT_SIGNING_KEYS": new_sealing_key()} | variables))
    assert results == [{"errorType": "SealFailed", "errorMessage": code}] * 2


def test_the_container_repeats_it_after_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    outcomes: list[Exception | None] = [DatabaseUnreachable("down"), None]
    done = asyncio.Event()

    async def work() -> None:
        outcome = outcomes.pop(0) if outcomes else None
        if outcome is not None:
            raise outcome
        done.set()

    async def run() -> None:
        async with sealing(work, every=0.01), asyncio.timeout(10):
            await done.wait()

    asyncio.run(run())
    assert "a repeated task failed" in caplog.text
