"""`tenantgate explain`: the commands that explain a response."""

# ruff: noqa: PLC0415
from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tenantgate_cli.interface.help import command, failures
from tenantgate_cli.interface.options import DataDirOption
from tenantgate_cli.paths import DEFAULT_DATA_DIR

app = typer.Typer()


@command(
    app,
    examples=[
        "tenantgate explain AUTH_007",
        "tenantgate explain missing_role",
        "tenantgate explain --token-file token.txt --route 'GET /orders/42'",
        "tenantgate token | tenantgate explain --token-file -",
    ],
    exits={0: "the request would pass, or the code was explained", 1: "it would be denied", 2: "nothing was checked"},
)
def explain(
    code: Annotated[str | None, typer.Argument(help="An error code or reason code to explain.")] = None,
    *,
    token_file: Annotated[
        Path | None, typer.Option(help="A file with the token to check; - for standard input.")
    ] = None,
    route: Annotated[
        str | None, typer.Option(help="Check the route rules for a request too, such as 'GET /orders/42'.")
    ] = None,
    api: Annotated[str, typer.Option(help="The API Gateway id of the API whose rules apply.")] = "*",
    jwks_file: Annotated[
        Path | None, typer.Option("--jwks", help="The key set to verify with. Default: the bundled one.")
    ] = None,
    rules: Annotated[Path | None, typer.Option(envvar="ROUTE_RULES_FILE", help="The rules file.")] = None,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
) -> None:
    """Explain a code, or run each check of a token offline."""
    with failures(exit_code=2):
        from tenantgate_cli.commands.explain import run

        passes = run(code, token_file, route=route, api_id=api, jwks=jwks_file, rules=rules, data_dir=data_dir)
    if not passes:
        raise typer.Exit(1)
