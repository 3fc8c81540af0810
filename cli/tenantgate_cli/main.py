"""The `tenantgate` command: the groups of commands in `interface`."""

from __future__ import annotations

from typing import Annotated

import typer

from tenantgate_cli.interface import (
    audit_trail,
    backups,
    data_keys,
    database,
    diagnosis,
    doctor,
    documents,
    growth,
    jwks,
    keys,
    privacy,
    revoke,
    rules,
    smoke,
    stack,
    tenants,
    tokens,
    versions,
    websockets,
)
from tenantgate_cli.interface.options import JsonOption

app = typer.Typer(
    name="tenantgate",
    help="Run Tenantgate on your machine, try tokens and route rules, migrate its database, and add endpoints.",
    no_args_is_help=True,
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(stack.app)
app.add_typer(tokens.app)
app.add_typer(websockets.app)
app.add_typer(diagnosis.app)
app.add_typer(doctor.app)
app.add_typer(smoke.app)
app.add_typer(rules.rules, name="rules")
app.add_typer(database.migrate, name="migrate")
app.add_typer(database.app)
app.add_typer(backups.app)
app.add_typer(tenants.tenants, name="tenants")
app.add_typer(revoke.revoke, name="revoke")
app.add_typer(jwks.jwks, name="jwks")
app.add_typer(keys.keys, name="keys")
app.add_typer(data_keys.data_keys, name="data-keys")
app.add_typer(audit_trail.audit, name="audit")
app.add_typer(privacy.privacy, name="privacy")
app.add_typer(versions.versions, name="versions")
app.add_typer(growth.new, name="new")
app.add_typer(documents.app)


@app.callback()
def main(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the version, or leave the rest to the command."""
    if not version:
        if as_json:
            raise typer.BadParameter("put --json after the command, or add --version")
        return
    from importlib.metadata import version as installed  # noqa: PLC0415

    if context.invoked_subcommand is not None:
        raise typer.BadParameter("--version goes without a command")
    number = installed("tenantgate")
    if as_json:
        from tenantgate_cli.results import print_result  # noqa: PLC0415

        print_result(version=number)
    else:
        typer.echo(f"tenantgate {number}")
    raise typer.Exit
