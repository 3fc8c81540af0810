"""`tenantgate data-keys`."""

# ruff: noqa: PLC0415
from __future__ import annotations

from typing import Annotated

import typer

from tenantgate_cli.interface.help import command, failures
from tenantgate_cli.interface.options import ApplicationDatabaseOption, DataDirOption, JsonOption
from tenantgate_cli.paths import DEFAULT_DATA_DIR

data_keys = typer.Typer(help="List, rotate and rewrap the keys that encrypt stored data.", no_args_is_help=True)
_FAILED = "the database or the key-encryption key can't be used; run the command again to continue"
TenantOption = Annotated[str | None, typer.Option("--tenant", help="Only the keys of this tenant.")]
PurposeOption = Annotated[str | None, typer.Option(help="Only the keys for this purpose, such as `session-tokens`.")]
OlderOption = Annotated[int | None, typer.Option("--older-than", min=0, help="Only keys that are older, in days.")]
AgainOption = Annotated[
    bool, typer.Option("--all", help="Also keys that the newest key-encryption key has wrapped already.")
]


@command(
    data_keys,
    "list",
    examples=["tenantgate data-keys list", "tenantgate data-keys list --tenant org-1 --json"],
    exits={0: "the numbers were printed", 1: "the database can't be reached"},
)
def list_keys(
    tenant: TenantOption = None,
    purpose: PurposeOption = None,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: ApplicationDatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the numbers of data keys by tenant, purpose and key-encryption key."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands.data_keys import selection, show

        show(selection(tenant, purpose, None), data_dir, database_url, as_json=as_json)


@command(
    data_keys,
    examples=["tenantgate data-keys rotate --older-than 90", "tenantgate data-keys rotate --tenant org-1 --json"],
    exits={0: "new keys encrypt from now on; the old ones still decrypt", 1: _FAILED},
)
def rotate(  # noqa: PLR0917  (options)
    tenant: TenantOption = None,
    purpose: PurposeOption = None,
    older_than: OlderOption = None,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: ApplicationDatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replace data keys by new ones. Processes use the new keys within a minute."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands import data_keys as commands

        commands.rotate(commands.selection(tenant, purpose, older_than), data_dir, database_url, as_json=as_json)


@command(
    data_keys,
    examples=["tenantgate data-keys rewrap", "tenantgate data-keys rewrap --all --json"],
    exits={0: "the newest key-encryption key wraps every selected data key", 1: _FAILED},
)
def rewrap(  # noqa: PLR0917  (options)
    tenant: TenantOption = None,
    purpose: PurposeOption = None,
    again: AgainOption = False,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: ApplicationDatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Wrap data keys with the newest key-encryption key, before an old one is removed."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands import data_keys as commands

        commands.rewrap(commands.selection(tenant, purpose, None), data_dir, database_url, again=again, as_json=as_json)
