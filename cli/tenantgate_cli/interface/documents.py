"""`tenantgate docs`."""

# ruff: noqa: PLC0415
from __future__ import annotations

from typing import Annotated

import typer

from tenantgate_cli.interface.help import command, failures
from tenantgate_cli.interface.options import JsonOption

app = typer.Typer()


@command(
    app,
    examples=["tenantgate docs", "tenantgate docs --check", "tenantgate docs --check --json"],
    exits={0: "the documents match the code", 1: "with --check: a document differs"},
)
def docs(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 if a document differs from the code.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the documents that are generated from code."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands.docs import run

        if not run(check=check, as_json=as_json):
            raise typer.Exit(1)
