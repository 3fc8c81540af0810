"""`tenantgate keys`: sealing keys."""

# ruff: noqa: PLC0415
from __future__ import annotations

import typer

from tenantgate_cli.interface.help import command, failures
from tenantgate_cli.interface.options import JsonOption

keys = typer.Typer(help="Make the keys that seal cookies and stored tokens.", no_args_is_help=True)


@command(
    keys,
    "new",
    examples=["tenantgate keys new", "tenantgate keys new --json"],
    exits={0: "a key was printed", 1: "no key could be made"},
)
def new_key(as_json: JsonOption = False) -> None:
    """Print a new key for COOKIE_SEALING_KEYS, and how to rotate to it. Nothing is stored."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands.keys import print_new

        print_new(as_json=as_json)


@keys.callback()
def _group() -> None:
    """Keep `new` a subcommand: Typer would replace a group of one command by that command."""
