"""`tenantgate versions`: the versions of deployed functions."""

# ruff: noqa: PLC0415
from __future__ import annotations

from typing import Annotated

import typer

from tenantgate_cli.interface.help import command, failures
from tenantgate_cli.interface.options import JsonOption

versions = typer.Typer(help="Delete old versions of the functions that are deployed to AWS.", no_args_is_help=True)


@command(
    versions,
    "prune",
    examples=[
        "tenantgate versions prune --stack-name tenantgate-prod --dry-run",
        "tenantgate versions prune --stack-name my-auth --keep 5 --yes",
    ],
    exits={0: "the old versions are deleted", 1: "AWS refused, a version stayed, or it wasn't confirmed"},
)
def prune(
    stack_name: Annotated[str, typer.Option(help="The stack, such as tenantgate-prod.")],
    keep: Annotated[
        int, typer.Option(min=1, max=1000, help="The newest versions of each function that stay for a rollback.")
    ] = 3,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be deleted.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask for a confirmation.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete old versions of a stack's functions; one with SnapStart costs money. Those of an alias stay."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands import versions as commands

        if not commands.prune(stack_name, keep, confirmed=yes, dry_run=dry_run, as_json=as_json):
            raise typer.Exit(1)
