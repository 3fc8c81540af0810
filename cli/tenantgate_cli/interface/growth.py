"""`tenantgate new`."""

# ruff: noqa: PLC0415
from __future__ import annotations

from typing import Annotated

import typer

from tenantgate_cli.interface.help import command, failures
from tenantgate_cli.interface.options import JsonOption

new = typer.Typer(help="Write a new endpoint or domain, with everything that knows it.", no_args_is_help=True)
_EXITS = {0: "everything was written, or would be", 1: "nothing was written: the name or route can't be used"}
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what would be written, and write nothing.")]


@command(
    new,
    examples=[
        "tenantgate new endpoint tenant_current",
        "tenantgate new endpoint tenant --route 'GET /api/v1/tenants'",
        "tenantgate new endpoint note --route 'PUT /api/v1/notes/{key}'",
        "tenantgate new endpoint tenant_current --dry-run",
    ],
    exits=_EXITS,
)
def endpoint(
    name: Annotated[str, typer.Argument(help="The function: lower-case words joined by _.")],
    route: Annotated[
        str | None, typer.Option(help="Its route. Default: GET /api/v1/ and the name, with - for _.")
    ] = None,
    *,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a function for one route behind the authorizer: code, template, rules, budget, tests and docs."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands.new import endpoint

        endpoint(name, route, dry_run=dry_run, as_json=as_json)


@command(
    new,
    examples=[
        "tenantgate new domain notes",
        "tenantgate new domain staff --item employee",
        "tenantgate new domain notes --dry-run --json",
    ],
    exits=_EXITS,
)
def domain(
    name: Annotated[str, typer.Argument(help="The package and its table: lower-case words joined by _.")],
    item: Annotated[
        str | None, typer.Option(help="One thing of the domain. Default: the name in the singular.")
    ] = None,
    *,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a domain package with a tenant's table: code, migration, error numbers, contracts and tests."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands.new import domain

        domain(name, item, dry_run=dry_run, as_json=as_json)
