"""`tenantgate connect`."""

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
        "tenantgate connect ws://localhost:3003/live",
        """tenantgate connect ws://localhost:3003/live '{"action": "whoami"}'""",
        "tenantgate connect --token-file token.txt wss://chat.example.com",
    ],
    exits={
        0: "the connection was opened and closed normally",
        1: "it was rejected, or closed because of an error; or no stack is running",
    },
)
def connect(
    url: Annotated[str, typer.Argument(help="The address of the API with its stage.")],
    messages: Annotated[
        list[str] | None, typer.Argument(help="The messages to send. Default: the lines of standard input.")
    ] = None,
    *,
    token_file: Annotated[
        Path | None, typer.Option(help="A file with the token. Default: a token of the running stack's demo user.")
    ] = None,
    user: Annotated[str | None, typer.Option(help="Another demo user, as of tenantgate token.")] = None,
    as_browser: Annotated[
        bool, typer.Option("--as-browser", help="Send the token as a subprotocol, as a page in a browser must.")
    ] = False,
    wait: Annotated[
        float, typer.Option(min=0, help="The seconds to wait for another message when everything is sent.")
    ] = 2.0,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
) -> None:
    """Connect to a WebSocket API behind the authorizer, send messages and print the replies."""
    with failures():
        from tenantgate_cli.commands.connect import run

        run(
            url,
            messages or [],
            token_file=token_file,
            user=user,
            data_dir=data_dir,
            as_browser=as_browser,
            wait=wait,
        )
