"""`tenantgate explain` and `tenantgate logs`: the commands that explain a response."""

# ruff: noqa: PLC0415
from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tenantgate_cli.interface.help import command, failures
from tenantgate_cli.interface.options import DataDirOption, JsonOption
from tenantgate_cli.paths import DEFAULT_DATA_DIR

app = typer.Typer()


@command(
    app,
    examples=[
        "tenantgate explain AUTH_007",
        "tenantgate explain missing_role",
        "tenantgate explain --request Uq1kPiKCliAEMzg=",
        "tenantgate explain --token-file token.txt --route 'GET /orders/42'",
        "tenantgate token | tenantgate explain --token-file -",
    ],
    exits={
        0: "the token's request would pass, or the code or request was explained",
        1: "it would be denied",
        2: "the code, request or API is unknown, or nothing could be checked",
    },
)
def explain(
    code: Annotated[str | None, typer.Argument(help="An error code or reason code to explain.")] = None,
    *,
    token_file: Annotated[
        Path | None, typer.Option(help="A file with the token to check; - for standard input.")
    ] = None,
    request_id: Annotated[
        str | None,
        typer.Option(
            "--request",
            help="A request id of the last run: that of X-Request-ID, apigw-requestid, x-amzn-requestid or an error.",
        ),
    ] = None,
    route: Annotated[
        str | None, typer.Option(help="Check the route rules for a request too, such as 'GET /orders/42'.")
    ] = None,
    api: Annotated[
        str | None,
        typer.Option(help="The API whose rules apply: its id, or the name of its rules. Default: any other API."),
    ] = None,
    jwks_file: Annotated[
        Path | None, typer.Option("--jwks", help="The key set to verify with. Default: the bundled one.")
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option(envvar="ROUTE_RULES_FILE", help="The rules file. Default: the running stack's."),
    ] = None,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    as_json: JsonOption = False,
) -> None:
    """Explain a code or a request, or run each check of a token offline, by the rules of the running stack."""
    with failures(exit_code=2, as_json=as_json):
        from tenantgate_cli.commands.explain import run

        passes = run(
            code,
            token_file,
            request_id,
            route=route,
            api=api,
            jwks=jwks_file,
            rules=rules,
            data_dir=data_dir,
            as_json=as_json,
        )
    if not passes:
        raise typer.Exit(1)


@command(
    app,
    examples=[
        "tenantgate logs",
        "tenantgate logs authorizer --follow",
        "tenantgate logs --request Uq1kPiKCliAEMzg=",
        "tenantgate logs AuthorizerFunction --json",
    ],
    exits={0: "the lines were printed", 1: "there are no logs, or the function or request is unknown"},
)
def logs(
    function: Annotated[
        str | None, typer.Argument(help="The function, such as AuthorizerFunction or authorizer. Default: all.")
    ] = None,
    *,
    request_id: Annotated[
        str | None, typer.Option("--request", help="Only the lines of the request with this id.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Print further lines until Ctrl-C.")] = False,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    as_json: Annotated[bool, typer.Option("--json", help="Print each line as JSON.")] = False,
) -> None:
    """Print the functions' log lines of the last run in order of time."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands.logs import run

        run(function, request_id, data_dir, as_json_lines=as_json, follow=follow)
