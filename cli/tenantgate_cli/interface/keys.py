"""`tenantgate keys`: sealing keys, and keys of backups."""

# ruff: noqa: PLC0415
from __future__ import annotations

import typer

from tenantgate_cli.interface.help import command, failures
from tenantgate_cli.interface.options import JsonOption

keys = typer.Typer(
    help="Make the keys that seal cookies and stored tokens, and those of backups.", no_args_is_help=True
)


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


@command(
    keys,
    "backup",
    examples=["tenantgate keys backup > backup.key", "tenantgate keys backup --json"],
    exits={0: "a key was printed", 1: "no key could be made"},
)
def backup_key(as_json: JsonOption = False) -> None:
    """Print a new key that encrypts backups. Without it, they are lost: keep it where no backup is."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands.backup import print_new_key

        print_new_key(as_json=as_json)
