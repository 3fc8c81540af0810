"""`tenantgate migrate` with a real PostgreSQL: its exact words, and its question before data is deleted."""

import asyncio
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from tenantgate.database import migrator
from tenantgate_cli.main import app
from tenantgate_cli.paths import ROOT
from tests.fixtures.databases.postgres import DatabaseUrls, PostgresServer, execute

REVISIONS = migrator.revisions()
HEAD = REVISIONS[-1]
UNDONE = ", ".join(REVISIONS[::-1])
NEWER = (
    f"✗ the database was made by a newer Tenantgate: it is at revision 9999, and the newest that this version knows is "
    f"{HEAD}\n"
    "  → run this command with the version that migrated the database (a rollback needs no migration: "
    "docs/OPERATIONS.md)\n"
)


@pytest.fixture
def urls(postgres_server: PostgresServer) -> Iterator[DatabaseUrls]:
    made = postgres_server.create_database()
    yield made
    postgres_server.drop_database(made)


@pytest.fixture
def newer(urls: DatabaseUrls) -> DatabaseUrls:
    """A database that a later version has migrated."""
    execute(urls.admin_url, "UPDATE alembic_version SET version_num = '9999'")
    return urls


def migrate(*arguments: str, url: str) -> Result:
    return CliRunner().invoke(app, ["migrate", *arguments, "--database-url", url])


def question(urls: DatabaseUrls, undone: str = UNDONE) -> str:
    name = urls.owner_url.rpartition("/")[2]
    return f"Undo {undone} in {name} at 127.0.0.1, and delete the data in their tables?"


@pytest.mark.parametrize("arguments", [("up",), ("up", "0001"), ("down",), ("down", "base", "--yes")], ids=" ".join)
def test_a_database_of_a_newer_version_stops_every_migration(newer: DatabaseUrls, arguments: tuple[str, ...]) -> None:
    stopped = migrate(*arguments, url=newer.owner_url)
    assert (stopped.exit_code, stopped.stdout, stopped.stderr) == (1, "", NEWER)


def test_the_revision_of_a_newer_version_is_shown(newer: DatabaseUrls) -> None:
    shown = migrate("current", url=newer.owner_url)
    assert shown.stdout == f"9999 (made by a newer Tenantgate; the newest here: {HEAD})\n"


def test_an_unknown_revision_is_refused_with_the_known_ones(urls: DatabaseUrls) -> None:
    refused = migrate("up", "9999", url=urls.owner_url)
    assert (refused.exit_code, refused.stderr) == (
        1,
        (
            "✗ there is no revision 9999\n"
            f"  → The revisions are {', '.join(REVISIONS)}; up also takes head and +1, down base and -1.\n"
        ),
    )


def test_up_and_down_say_what_they_did(urls: DatabaseUrls) -> None:
    assert migrate("up", url=urls.owner_url).stdout == f"{HEAD} (nothing to do)\n"
    assert migrate("down", "-1", "--yes", url=urls.owner_url).stdout == f"{HEAD} → {REVISIONS[-2]}\n"
    assert migrate("current", url=urls.owner_url).stdout == f"{REVISIONS[-2]} (newest: {HEAD})\n"
    assert migrate("down", "--yes", "base", url=urls.owner_url).stdout == f"{REVISIONS[-2]} → nothing\n"
    # Nothing would be deleted, so there is no question.
    assert migrate("down", "base", url=urls.owner_url).stdout == "nothing (nothing to do)\n"
    assert migrate("up", "+1", url=urls.owner_url).stdout == f"nothing → {REVISIONS[0]}\n"


async def run_script(url: str, script: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(script)
    finally:
        await connection.close()


def test_a_dry_run_prints_the_sql_and_changes_nothing(urls: DatabaseUrls) -> None:
    assert migrate("up", "--dry-run", url=urls.owner_url).stdout == "-- nothing to do\n"
    migrator.downgrade(urls.owner_url, "-1")
    planned = migrate("up", "--dry-run", url=urls.owner_url)
    assert (planned.exit_code, planned.stderr) == (0, "")
    assert f"UPDATE alembic_version SET version_num='{HEAD}'" in planned.stdout
    assert json.loads(migrate("up", "--dry-run", "--json", url=urls.owner_url).stdout)["sql"] in planned.stdout
    assert migrator.current(urls.owner_url) == REVISIONS[-2]
    # It is the whole migration: run by hand, it leads to the same schema.
    asyncio.run(run_script(urls.owner_url, planned.stdout))
    assert migrator.current(urls.owner_url) == HEAD
    assert migrate("up", "--dry-run", "0001", url=urls.owner_url).stdout == "-- nothing to do\n"


def test_programs_get_the_revisions(urls: DatabaseUrls) -> None:
    def reported(*arguments: str) -> dict[str, object]:
        result: dict[str, object] = json.loads(migrate(*arguments, "--json", url=urls.owner_url).stdout)
        assert (result.pop("ok"), result.pop("problems")) == (True, [])
        return result

    assert reported("current") == {"revision": HEAD, "newest": HEAD, "newer": False}
    assert reported("up") == {"before": HEAD, "after": HEAD}
    assert reported("down", "base", "--yes") == {"before": HEAD, "after": None}
    assert reported("current") == {"revision": None, "newest": HEAD, "newer": False}


def test_programs_get_the_reason_of_a_failure(newer: DatabaseUrls) -> None:
    stopped = migrate("up", "--json", url=newer.owner_url)
    [problem] = json.loads(stopped.stdout)["problems"]

    assert (stopped.exit_code, stopped.stderr) == (1, "")
    assert f"✗ {problem['problem']}\n  → {problem['remedy']}\n" == NEWER
    shown = json.loads(migrate("current", "--json", url=newer.owner_url).stdout)
    assert (shown["revision"], shown["newer"]) == ("9999", True)


@pytest.mark.parametrize("arguments", [(), ("-1",), ("base",), (REVISIONS[0],)], ids=" ".join)
def test_a_script_must_say_yes_before_data_is_deleted(urls: DatabaseUrls, arguments: tuple[str, ...]) -> None:
    stopped = migrate("down", *arguments, url=urls.owner_url)
    undone = {(): HEAD, ("-1",): HEAD, ("base",): UNDONE}.get(arguments, ", ".join(REVISIONS[:0:-1]))
    assert (stopped.exit_code, stopped.stderr) == (
        1,
        f"✗ this needs a confirmation, and there is no terminal to ask on: {question(urls, undone)}\n  → add --yes\n",
    )
    assert migrator.current(urls.owner_url) == HEAD


@pytest.mark.parametrize(
    ("typed", "after"), [("y\n", None), ("YES\n", None), ("n\n", HEAD), ("\n", HEAD), ("yesterday\n", HEAD)]
)
def test_a_person_confirms_on_the_terminal(urls: DatabaseUrls, typed: str, after: str | None) -> None:
    terminal, theirs = pty.openpty()
    try:
        os.write(terminal, typed.encode())
        done = subprocess.run(
            [sys.executable, "-m", "tenantgate_cli", "migrate", "down", "base", "--database-url", urls.owner_url],
            cwd=ROOT,
            stdin=theirs,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        os.close(theirs)
        os.close(terminal)
    asked = f"{question(urls)} [y/N] "
    assert done.stderr == asked + ("" if after is None else "✗ nothing was undone\n")
    assert done.returncode == (0 if after is None else 1)
    assert migrator.current(urls.owner_url) == after


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param(
            "mysql://host/name",
            "✗ --database-url (or DATABASE_OWNER_URL) has another form\n"
            "  → set it to postgresql://user:password@host:5432/name\n",
            id="form",
        ),
        pytest.param(
            "postgresql://owner:canary@no-such-host.invalid/name",
            "✗ the host of the database's URL can't be resolved: no-such-host.invalid\n"
            "  → correct the host in the URL, or connect this machine to the network that knows it\n",
            id="resolver",
        ),
        pytest.param(
            "postgresql://owner:canary@127.0.0.1:9/name",
            "✗ the database at 127.0.0.1:9 can't be reached: ConnectionRefusedError: [Errno 111] Connect call failed "
            "('127.0.0.1', 9)\n"
            "  → start PostgreSQL, or correct the database's URL\n",
            id="refused",
        ),
    ],
)
def test_a_database_that_cannot_be_used_is_named_without_its_password(url: str, words: str) -> None:
    failed = migrate("current", url=url)
    assert (failed.exit_code, failed.stdout, failed.stderr) == (1, "", words)
