"""`tenantgate audit tail` and `tenantgate audit export`."""

# ruff: noqa: PLC0415
from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from tenantgate_cli.interface.audit import audit
from tenantgate_cli.interface.help import command, failures
from tenantgate_cli.interface.options import ApplicationDatabaseOption, DataDirOption
from tenantgate_cli.paths import DEFAULT_DATA_DIR

__all__ = ["audit"]
_FAILED = "the database or the keys can't be used, or the reading can't be recorded"
Times = "as 2026-11-27, or 2026-11-27T03:22:08Z"


@command(
    audit,
    examples=[
        "tenantgate audit tail",
        "tenantgate audit tail --tenant org-1 --follow",
        "tenantgate audit tail --tenant org-1 --lines 100 --json",
    ],
    exits={0: "the events were printed", 1: _FAILED},
)
def tail(  # noqa: PLR0917  (options)
    tenant: Annotated[str | None, typer.Option(help="The tenant. Default: the deployment's own log.")] = None,
    lines: Annotated[int, typer.Option(min=1, max=10_000, help="The number of events to begin with.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Print further events until Ctrl-C.")] = False,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: ApplicationDatabaseOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each event as JSON.")] = False,
) -> None:
    """Print the newest events of a log, with personal data masked. The reading is recorded in the log."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands.audit_tail import run

        run(tenant, lines, data_dir, database_url, follow=follow, as_json_lines=as_json)


@command(
    audit,
    examples=[
        "tenantgate audit export --tenant org-1 --output events.jsonl",
        "tenantgate audit export --tenant org-1 --format csv > events.csv",
        "tenantgate audit export --tenant org-1 --unmasked > all.jsonl",
    ],
    exits={0: "every event of this time was written", 1: f"{_FAILED}; what was written is incomplete"},
)
def export(
    tenant: Annotated[str, typer.Option(help="The tenant; `:deployment` for the deployment's own log.")],
    *,
    since: Annotated[str | None, typer.Option("--from", help=f"Only events recorded then or later, {Times}.")] = None,
    until: Annotated[str | None, typer.Option("--to", help=f"Only events recorded before then, {Times}.")] = None,
    form: Annotated[Literal["jsonl", "csv"], typer.Option("--format", help="JSON lines, or CSV.")] = "jsonl",
    output: Annotated[Path | None, typer.Option(help="A new file, readable only by you. Default: the output.")] = None,
    unmasked: Annotated[
        bool, typer.Option("--unmasked", help="With personal data. Needs the login of the tables' owner.")
    ] = False,
    owner_url: Annotated[
        str | None,
        typer.Option(
            "--owner-url", envvar="DATABASE_OWNER_URL", help="The database's URL, as its owner, for --unmasked."
        ),
    ] = None,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: ApplicationDatabaseOption = None,
) -> None:
    """Write a log's events, the oldest first, with personal data masked. The reading is recorded in the log."""
    with failures():
        from tenantgate_cli.commands.audit_export import Place, run

        place = Place(data_dir, database_url, owner_url)
        run(tenant, since, until, output, place, form=form, masked=not unmasked)
