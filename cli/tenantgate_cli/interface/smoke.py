"""`tenantgate smoke`."""

# ruff: noqa: PLC0415
from __future__ import annotations

from typing import Annotated

import typer

from tenantgate_cli.interface.help import command, failures
from tenantgate_cli.interface.options import DataDirOption, JsonOption
from tenantgate_cli.paths import DEFAULT_DATA_DIR

app = typer.Typer()


@command(
    app,
    examples=[
        "tenantgate smoke http://localhost:3000",
        "tenantgate smoke https://api.example.com --token - < token.txt",
        "tenantgate smoke https://api.example.com --scoped 'GET /orders'",
        "tenantgate smoke https://api.example.com --json",
    ],
    exits={0: "no check failed", 1: "a check failed, or the URL can't be used"},
)
def smoke(
    url: Annotated[str, typer.Argument(help="The API's address, such as https://api.example.com.")],
    token: Annotated[
        str | None,
        typer.Option(
            envvar="TENANTGATE_TOKEN",
            help="An access token that the API accepts; - reads it from standard input, which keeps it out of the "
            "shell's history. Default: for a running `make dev`, one of its demo user.",
        ),
    ] = None,
    scoped: Annotated[
        str | None,
        typer.Option(
            metavar="ROUTE", help="A route that requires a scope which the token doesn't have: 'GET /path', or a URL."
        ),
    ] = None,
    origin: Annotated[
        str | None, typer.Option(help="The origin of a web app that may call the API. Default: the API's own.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, max=300, help="The seconds that a response may take.")] = 15.0,
    *,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    as_json: JsonOption = False,
) -> None:
    """Test a deployed API from outside: denials, routing, CORS, headers and readiness."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands.smoke import run

        if not run(url, token=token, scoped=scoped, origin=origin, seconds=timeout, data_dir=data_dir, as_json=as_json):
            raise typer.Exit(1)
