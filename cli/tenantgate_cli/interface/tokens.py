"""`tenantgate token`."""

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
        "tenantgate token",
        "tenantgate token --scope orders:write --role clerk --tenant other",
        "tenantgate token --user member@example.test --expires 5m",
        "tenantgate token --expires -5m > expired.txt",
        "tenantgate token --browser",
    ],
    exits={
        0: "the token was printed",
        1: "no stack is running, it has another provider, the user may not have that, or the sign-in failed",
    },
)
def token(
    *,
    user: Annotated[
        str | None, typer.Option(help="The demo user, by e-mail or name. Default: demo@example.test (Demo Admin).")
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="The token's scopes, separated by spaces or repeated. Default: OIDC_SCOPES (openid profile email)."
        ),
    ] = None,
    role: Annotated[
        list[str] | None, typer.Option(help="The token's only role; repeat it for several. Default: all of the user's.")
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(help="The token's tenant, by id or name. Default: the user's first.")
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(help="The lifetime, such as 90s, 5m, 1h or 3600; -5m for a token that has expired. Default: 1h."),
    ] = None,
    browser: Annotated[
        bool,
        typer.Option(
            "--browser",
            help="Sign in with a browser instead, at any provider. Needs a loopback origin in ALLOWED_ORIGINS.",
        ),
    ] = False,
    as_json: JsonOption = False,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
) -> None:
    """Print an access token for the running stack: of a demo user, or of the user who signs in with a browser."""
    with failures(as_json=as_json):
        if browser:
            from tenantgate_cli.commands import token_browser

            given = {"--user": user, "--scope": scope, "--role": role, "--tenant": tenant, "--expires": expires}
            refused = [name for name, value in given.items() if value]
            token_browser.run(data_dir, as_json=as_json, refused_options=refused)
            return
        from tenantgate_cli.commands.token import run
        from tenantgate_cli.stack.token_request import Wanted

        wanted = Wanted(user=user, tenant=tenant, scopes=scope or (), roles=role or (), expires=expires)
        run(data_dir, wanted, as_json=as_json)
