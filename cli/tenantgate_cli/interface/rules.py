"""`tenantgate rules`."""

# ruff: noqa: PLC0415
from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tenantgate_cli.interface.help import command, failures
from tenantgate_cli.interface.options import JsonOption

rules = typer.Typer(help="Check or convert route rules.", no_args_is_help=True)


@command(
    rules,
    examples=[
        "tenantgate rules check",
        "tenantgate rules check my-rules.toml",
        "tenantgate rules check my-rules.toml --template my-template.yaml",
        "tenantgate rules check --json",
    ],
    exits={0: "nothing was found", 1: "something was found, or a file can't be read"},
)
def check(
    file: Annotated[
        Path | None, typer.Argument(help="The rules file. Default: ROUTE_RULES_FILE, or the product's own file.")
    ] = None,
    template: Annotated[
        Path | None, typer.Option(help="A SAM or CloudFormation template that puts APIs behind the authorizer.")
    ] = None,
    api: Annotated[
        str | None,
        typer.Option(help="The name of the rules for the template's APIs, if their ids don't show it."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Report, with line numbers, errors in the rules and unsafe uses of the authorizer in a template."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands.rules import check

        if not check(file, template, api, as_json=as_json):
            raise typer.Exit(1)


@command(
    rules,
    "json",
    examples=["tenantgate rules json my-rules.toml > my-rules.json"],
    exits={0: "the JSON was printed", 1: "the file has errors or can't be read"},
)
def rules_json(file: Annotated[Path, typer.Argument(help="The rules file, TOML.")]) -> None:
    """Print the rules as JSON, which ROUTE_RULES_FILE also accepts and which loads faster at a cold start."""
    with failures():
        from tenantgate_cli.commands.rules import compiled

        typer.echo(compiled(file), nl=False)
