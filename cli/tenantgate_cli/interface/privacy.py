"""`tenantgate privacy`."""

# ruff: noqa: PLC0415
from __future__ import annotations

from typing import Annotated

import typer

from tenantgate_cli.interface.help import command, failures
from tenantgate_cli.interface.options import ApplicationDatabaseOption, DatabaseOption, DataDirOption, JsonOption
from tenantgate_cli.paths import DEFAULT_DATA_DIR

privacy = typer.Typer(help="Erase a person, and report the personal data that is held.", no_args_is_help=True)


@command(
    privacy,
    examples=["tenantgate privacy erase --tenant org-1 --issuer $ISSUER --user $ID"],
    exits={0: "the person is erased", 1: "nothing was erased, or its sessions haven't ended everywhere yet"},
)
def erase(
    tenant: Annotated[str, typer.Option("--tenant", help="The person's tenant.")],
    issuer: Annotated[str, typer.Option("--issuer", help="The issuer of the person's tokens.")],
    user: Annotated[str, typer.Option("--user", help="The person's user id, as its tokens have it.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: ApplicationDatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase a person: end the sessions, delete the rows, destroy the keys of its audit events."""
    with failures(as_json=as_json):
        from tenantgate.privacy.models import Subject
        from tenantgate_cli.commands import privacy as commands

        place = commands.Place(data_dir, database_url, as_json)
        commands.erase(Subject(tenant, issuer, user), place, confirmed=yes or as_json)


@command(
    privacy,
    examples=["tenantgate privacy report", "tenantgate privacy report --tenant org-1 --json"],
    exits={0: "the report was printed", 1: "the database can't be reached"},
)
def report(
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only this tenant.")] = None,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: ApplicationDatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the personal data held by tenant, the rules of retention, and the erasures, without names."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands import privacy as commands

        commands.report(tenant, commands.Place(data_dir, database_url, as_json))


@command(
    privacy,
    examples=["tenantgate privacy replay", "tenantgate privacy replay --database-url postgresql://owner@db/auth"],
    exits={0: "the database has every erasure of the ledger", 1: "nothing was changed"},
)
def replay(
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Repeat the erasures of the anchored ledger in a restored database, before it serves."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands import privacy as commands

        commands.replay_ledger(commands.Place(data_dir, database_url, as_json))
