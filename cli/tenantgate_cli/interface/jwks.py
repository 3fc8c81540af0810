"""`tenantgate jwks`: key sets."""

# ruff: noqa: PLC0415
from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tenantgate_cli.interface.help import command, failures
from tenantgate_cli.interface.options import JsonOption
from tenantgate_cli.paths import LAYER

jwks = typer.Typer(help="Work with the key sets of the trusted issuers.", no_args_is_help=True)


@command(
    jwks,
    "bundle",
    examples=["tenantgate jwks bundle", "tenantgate jwks bundle --layer build/layer"],
    exits={0: "every key set was written", 1: "a key set couldn't be fetched; no file was changed"},
)
def jwks_bundle(
    layer: Annotated[Path, typer.Option(help="The folder that becomes /opt.")] = LAYER,
    as_json: JsonOption = False,
) -> None:
    """Fetch the issuers' key sets for the bundle, so that a cold start needs no network for them."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands.jwks import run

        run(layer, as_json=as_json)
