"""`tenantgate backup` and `tenantgate restore`."""

# ruff: noqa: PLC0415
from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tenantgate_cli.interface.help import command, failures
from tenantgate_cli.interface.options import DatabaseOption, DataDirOption, JsonOption
from tenantgate_cli.paths import DEFAULT_DATA_DIR

app = typer.Typer()

KeyFileOption = Annotated[
    Path | None,
    typer.Option(
        envvar="BACKUP_KEY_FILE",
        help="The file with the key, mode 0600. Or set BACKUP_KEY, or BACKUP_KEY_SECRET_ID (AWS Secrets Manager).",
    ),
]


@command(
    app,
    "backup",
    examples=[
        "tenantgate backup --to /backups/auth --key-file backup.key",
        "tenantgate backup --to /backups/auth --keep 48 --json",
    ],
    exits={0: "the backup is complete", 1: "it failed, and left nothing that looks complete"},
)
def backup(
    to: Annotated[Path, typer.Option(help="The folder of the backups.")],
    key_file: KeyFileOption = None,
    keep: Annotated[int | None, typer.Option(min=1, help="Remove older ones: keep this number.")] = None,
    *,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Back up every row of the database: one snapshot, encrypted, with counts and checksums."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands.backup import Place, backup

        backup(to, key_file, keep, Place(data_dir, database_url, as_json))


@command(
    app,
    "restore",
    examples=[
        "tenantgate restore --from /backups/auth --key-file backup.key",
        "tenantgate restore --from /backups/auth --at 2026-11-26T17:15:00Z",
        "tenantgate restore --from /backups/auth --check",
    ],
    exits={
        0: "restored and verified",
        1: "refused: nothing was changed",
        3: "it failed after it began: no row was changed, but tables may have been created",
    },
)
def restore(
    from_: Annotated[Path, typer.Option("--from", help="The folder of the backups.")],
    at: Annotated[str | None, typer.Option(help="Restore the state of this time: 2026-11-26T17:15:00Z.")] = None,
    key_file: KeyFileOption = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Delete all rows that the database has. Without it, it must be empty.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Only verify the files of all backups.")] = False,
    *,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Restore a backup into an empty database, verify it, and end all earlier sessions and tokens."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands import backup as commands

        place = commands.Place(data_dir, database_url, as_json)
        if check:
            commands.check(from_, key_file, place)
        else:
            commands.restore(from_, at, key_file, place, overwrite=overwrite)
