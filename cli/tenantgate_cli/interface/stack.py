"""`tenantgate dev` and `tenantgate serve`."""

# ruff: noqa: PLC0415
from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tenantgate_cli.interface.help import command, failures
from tenantgate_cli.interface.options import DataDirOption, PortOption, ResetOption
from tenantgate_cli.paths import DEFAULT_DATA_DIR, TEMPLATE

app = typer.Typer()
_EXITS = {0: "stopped by Ctrl-C or SIGTERM", 1: "it couldn't start, or stopped because a part of it failed"}


@command(
    app,
    examples=[
        "tenantgate dev",
        "tenantgate dev --port 0 --reset",
        "tenantgate dev --with examples/guarded_api/template.yaml",
    ],
    exits=_EXITS,
)
def dev(
    port: PortOption = 3000,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    reset: ResetOption = False,
    template: Annotated[Path, typer.Option(help="The SAM template to serve.", show_default="template.yaml")] = TEMPLATE,
    second: Annotated[
        Path | None,
        typer.Option(
            "--with",
            exists=True,
            dir_okay=False,
            help="The SAM template of a second stack that our authorizer guards, with rules.toml in its folder.",
        ),
    ] = None,
) -> None:
    """Run everything: PostgreSQL, the provider, and each function under Lambda's runtime client."""
    with failures():
        from tenantgate_cli.commands import dev as command

        command.run(port, data_dir, reset=reset, template=template, second=second)


@command(app, examples=["tenantgate serve", "tenantgate serve --port 8000"], exits=_EXITS)
def serve(port: PortOption = 3000, data_dir: DataDirOption = DEFAULT_DATA_DIR, reset: ResetOption = False) -> None:
    """Run the container's application, with the PostgreSQL and the provider of `dev`."""
    with failures():
        from tenantgate_cli.commands import serve as command

        command.run(port, data_dir, reset=reset)
