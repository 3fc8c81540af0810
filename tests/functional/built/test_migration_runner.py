"""The built migration runner with a real PostgreSQL: invoked directly, and by CloudFormation's custom resource."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from lambda_gateway.runtime.failures import FunctionError
from lambda_gateway.runtime.process import FunctionProcess
from tenantgate.database import migrator
from tests.fixtures.databases.postgres import DatabaseUrls, PostgresServer, execute
from tests.fixtures.migrations.response_url import SIGNATURE, Received, ResponseUrl, response_url
from tests.fixtures.template.built import running

pytestmark = pytest.mark.anyio

RUNNER = "MigrationRunnerFunction"
HEAD = str(migrator.head())
BEFORE = migrator.revisions()[-2]
# Half of it is for the work: see RESPONSE_SECONDS.
SHORT = 12.0
REVISION = "SELECT version_num FROM alembic_version"


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer) -> Iterator[DatabaseUrls]:
    urls = postgres_server.create_database(migrated=False)
    yield urls
    postgres_server.drop_database(urls)


@pytest.fixture(scope="module")
async def runner(build_dir: Path, database: DatabaseUrls, anyio_backend: str) -> AsyncIterator[FunctionProcess]:
    async with running(build_dir, RUNNER, database) as process:
        yield process


@pytest.fixture(scope="module")
async def newer_runner(
    build_dir: Path, database: DatabaseUrls, anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[FunctionProcess]:
    """The function with one more migration, which does what the database's function `behave` says."""
    root = tmp_path_factory.mktemp("newer") / RUNNER
    shutil.copytree(build_dir / RUNNER, root)
    (root / "migrations" / "versions" / "9998_more.py").write_text(
        f"from alembic import op\nrevision = '9998'\ndown_revision = {HEAD!r}\n"
        "def upgrade():\n    op.execute('CREATE TABLE half ()')\n    op.execute('SELECT behave()')\n"
    )
    async with running(build_dir, RUNNER, database, root=root) as process:
        yield process


@pytest.fixture
def empty(database: DatabaseUrls) -> DatabaseUrls:
    """The database without a table."""
    execute(
        database.admin_url,
        "DROP SCHEMA public CASCADE",
        "CREATE SCHEMA public AUTHORIZATION tenantgate_owner",
    )
    return database


@pytest.fixture
def migrated(empty: DatabaseUrls) -> DatabaseUrls:
    migrator.upgrade(empty.owner_url)
    return empty


@pytest.fixture
def stack() -> Iterator[ResponseUrl]:
    with response_url() as made:
        yield made


async def behave(database: DatabaseUrls, statement: str) -> None:
    await one(
        database.owner_url,
        f"CREATE FUNCTION behave() RETURNS void LANGUAGE plpgsql AS $f$ BEGIN PERFORM {statement}; END $f$",
    )


async def one(url: str, statement: str) -> object:
    """Run a statement, and return its only value."""
    rows = await asyncio.to_thread(execute, url, statement)
    return rows[0][0][0] if rows[0] else None


def checked(received: Received, database: DatabaseUrls) -> dict[str, Any]:
    """Check the rules of every response, and return it."""
    response = received.response
    assert received.content_type == ""
    assert len(received.body) < 4096
    assert response["PhysicalResourceId"] == "tenantgate-schema"
    assert response["LogicalResourceId"] == "Migrations"
    assert response["Reason"]
    for url in (database.owner_url, database.app_url):
        assert url.partition("://")[2].partition("@")[0] not in received.body.decode()
    assert SIGNATURE not in received.body.decode()
    return response


async def test_up_down_and_the_sql_of_an_upgrade(runner: FunctionProcess, empty: DatabaseUrls) -> None:
    planned = await runner.invoke({"action": "dry-run"})
    assert await runner.invoke({"action": "current"}) == {"action": "current", "revision": None, "head": HEAD}
    applied = await runner.invoke({"action": "upgrade"})
    again = await runner.invoke({"action": "dry-run"})
    undone = await runner.invoke({"action": "downgrade", "revision": "-1"})
    last = await runner.invoke({"action": "dry-run"})

    assert "CREATE TABLE sessions" in planned["sql"]
    assert f"'{HEAD}'" in planned["sql"]
    assert applied == {"action": "upgrade", "before": None, "after": HEAD}
    assert again == {"action": "dry-run", "sql": ""}
    assert undone == {"action": "downgrade", "before": HEAD, "after": BEFORE}
    assert "CREATE TABLE sessions" not in last["sql"]
    assert f"'{HEAD}'" in last["sql"]


async def test_create_update_rollback_and_delete(
    runner: FunctionProcess, empty: DatabaseUrls, stack: ResponseUrl
) -> None:
    await runner.invoke(stack.event("Create", SchemaRevision=BEFORE))
    await runner.invoke(stack.event("Update", SchemaRevision=HEAD))
    # CloudFormation rolls back by an Update to the old properties.
    await runner.invoke(stack.event("Update", SchemaRevision=BEFORE))
    assert await one(empty.owner_url, REVISION) == HEAD
    await one(empty.owner_url, "UPDATE alembic_version SET version_num = '9999'")
    await runner.invoke(stack.event("Update", SchemaRevision=HEAD))
    await runner.invoke(stack.event("Delete"))

    responses = [checked(received, empty) for received in stack.received]
    assert [(response["Status"], response["Data"]) for response in responses] == [
        ("SUCCESS", {"SchemaRevision": BEFORE}),
        ("SUCCESS", {"SchemaRevision": HEAD}),
        ("SUCCESS", {"SchemaRevision": HEAD}),
        ("SUCCESS", {"SchemaRevision": "9999"}),
        ("SUCCESS", {}),
    ]
    assert [response["RequestId"] for response in responses] == [f"request-{number}" for number in range(5)]
    assert await one(empty.owner_url, REVISION) == "9999"


async def test_two_at_once_both_succeed(
    *, runner: FunctionProcess, newer_runner: FunctionProcess, empty: DatabaseUrls, stack: ResponseUrl
) -> None:
    create = stack.event("Create", SchemaRevision=HEAD)
    results = await asyncio.gather(runner.invoke(create), newer_runner.invoke(create))

    assert [result["status"] for result in results] == ["SUCCESS", "SUCCESS"]
    assert {checked(received, empty)["Status"] for received in stack.received} == {"SUCCESS"}
    # The application's login works, too.
    assert await one(empty.app_url, REVISION) == HEAD


async def test_a_failing_migration_fails_the_stack_with_the_reason(
    newer_runner: FunctionProcess, migrated: DatabaseUrls, stack: ResponseUrl
) -> None:
    await behave(migrated, "'value-canary'::integer")
    result = await newer_runner.invoke(stack.event("Update", SchemaRevision="9998"))
    with pytest.raises(FunctionError, match=r'"code": "SYS_008"') as direct:
        await newer_runner.invoke({"action": "upgrade"})
    # CloudFormation's rollback, to the revision that the database has.
    await newer_runner.invoke(stack.event("Update", SchemaRevision=HEAD))

    failed, rolled_back = (checked(received, migrated) for received in stack.received)
    assert (failed["Status"], result["status"]) == ("FAILED", "FAILED")
    assert f"stopped_at: {HEAD}, reason: InvalidTextRepresentationError (22P02)" in failed["Reason"]
    assert "value-canary" not in failed["Reason"] + str(direct.value)
    assert rolled_back["Status"] == "SUCCESS"
    assert await one(migrated.owner_url, REVISION) == HEAD
    assert await one(migrated.owner_url, "SELECT to_regclass('half')") is None


async def test_a_response_is_given_before_lambda_ends_the_function(
    *, newer_runner: FunctionProcess, runner: FunctionProcess, migrated: DatabaseUrls, stack: ResponseUrl
) -> None:
    await behave(migrated, "pg_sleep(600)")
    result = await newer_runner.invoke(stack.event("Update", SchemaRevision="9998"), timeout=SHORT)
    # The lock is free again.
    assert (await runner.invoke(stack.event("Update", SchemaRevision=HEAD)))["status"] == "SUCCESS"

    assert result["status"] == "FAILED"
    assert checked(stack.received[0], migrated)["Status"] == "FAILED"
    assert re.search(r"it was stopped after \d s", stack.received[0].response["Reason"])
    assert await one(migrated.owner_url, REVISION) == HEAD


async def test_an_event_that_cannot_get_a_response_runs_nothing(
    runner: FunctionProcess, empty: DatabaseUrls, stack: ResponseUrl
) -> None:
    event = stack.event("Create") | {"ResponseURL": "https://s3.example.com/response"}
    with pytest.raises(FunctionError) as refused:
        await runner.invoke(event)
    assert json.loads(str(refused.value))["error"]["detail"] == [
        {"field": "ResponseURL", "problem": "must be an https URL of Amazon S3"}
    ]
    assert (await runner.invoke({"action": "current"}))["revision"] is None
