"""`tenantgate migrate` and `tenantgate seed`."""

# ruff: noqa: PLC0415
from __future__ import annotations

from typing import Annotated

import typer

from tenantgate_cli.interface.help import command, failures
from tenantgate_cli.interface.options import ApplicationDatabaseOption, DatabaseOption, DataDirOption, JsonOption
from tenantgate_cli.paths import DEFAULT_DATA_DIR

app = typer.Typer()
migrate = typer.Typer(help="Migrate the database's schema, or show its revision.", no_args_is_help=True)
_DRY_RUN = "Print the SQL that would run, and change nothing."
DryRunOption = Annotated[bool, typer.Option("--dry-run", help=_DRY_RUN)]
_FAILED = "the database can't be reached, or the migration failed"


@command(
    migrate,
    examples=["tenantgate migrate up", "tenantgate migrate up 0002", "tenantgate migrate up --dry-run"],
    exits={0: "the schema is at the revision, or the SQL was printed", 1: _FAILED},
)
def up(
    revision: Annotated[str, typer.Argument(help="The revision to migrate to.")] = "head",
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: DatabaseOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Apply migrations."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands.migrate import planned, report, up

        result = (planned if dry_run else up)(revision, data_dir, database_url)
        report(result, as_json=as_json)


@command(
    migrate,
    examples=["tenantgate migrate down", "tenantgate migrate down 0001", "tenantgate migrate down base --yes"],
    exits={0: "the schema is at the revision", 1: f"{_FAILED}, or it wasn't confirmed"},
    takes_negative_numbers=True,
)
def down(
    revision: Annotated[str, typer.Argument(help="The revision to return to; -1 for one step, base for all.")] = "-1",
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: DatabaseOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask for a confirmation.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Undo migrations. Deletes the data in the tables that they created, so it asks first."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands.migrate import ask, down, report

        report(down(revision, data_dir, database_url, confirmed=None if yes else ask), as_json=as_json)


@command(
    migrate,
    examples=["tenantgate migrate current", "tenantgate migrate current --json"],
    exits={0: "the revision was printed", 1: "the database can't be reached"},
)
def current(
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the database's revision and the newest one."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands.migrate import report, show

        report(show(data_dir, database_url), as_json=as_json)


@command(
    app,
    examples=[
        "tenantgate seed",
        "tenantgate seed --sessions 20000 --users 5000 --tenants 50",
        "tenantgate seed --json",
    ],
    exits={0: "the rows were added", 1: "the database can't be reached, or isn't one for development"},
)
def seed(
    users: Annotated[int, typer.Option(min=1, max=10_000_000, help="New users.")] = 100_000,
    tenants: Annotated[int, typer.Option(min=1, max=100_000, help="New tenants.")] = 1_000,
    sessions: Annotated[int, typer.Option(min=1, max=100_000_000, help="New sessions.")] = 1_000_000,
    *,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: ApplicationDatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fill a development database with tenants, users and live sessions. Takes minutes for a million."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands.seed import run
        from tenantgate_cli.stack.seeding import Size

        run(Size(users, tenants, sessions), data_dir, database_url, as_json=as_json)
