"""`tenantgate token`."""

# ruff: noqa: PLC0415
from __future__ import annotations

import typer

from tenantgate_cli.interface.help import command, failures
from tenantgate_cli.interface.options import DataDirOption
from tenantgate_cli.paths import DEFAULT_DATA_DIR

app = typer.Typer()


@command(
    app,
    examples=["tenantgate token", "tenantgate token > token.txt"],
    exits={0: "the token was printed", 1: "no stack is running, or it has another provider"},
)
def token(data_dir: DataDirOption = DEFAULT_DATA_DIR) -> None:
    """Sign the demo user in at the running stack and print the access token."""
    with failures():
        from tenantgate_cli.commands.token import access_token

        typer.echo(access_token(data_dir))
