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
        "tenantgate backup --to /backups/auth --stream --every 10",
    ],
    exits={0: "the backup is complete", 1: "it failed, and left nothing that looks complete"},
)
def backup(
    to: Annotated[Path, typer.Option(help="The folder of the backups.")],
    key_file: KeyFileOption = None,
    keep: Annotated[int | None, typer.Option(min=1, help="Remove older ones: keep this number.")] = None,
    *,
    stream: Annotated[
        bool,
        typer.Option("--stream", help="Keep running: a copy of the server, and its write-ahead log as it is written."),
    ] = False,
    every: Annotated[float, typer.Option(min=1, max=60, help="With --stream: seconds between two looks.")] = 10.0,
    base_hours: Annotated[float, typer.Option(min=0.01, help="With --stream: hours between two copies.")] = 24.0,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Back up the database: every row as one snapshot shows it, or a copy of the server and its log (--stream)."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands import backup as commands

        place = commands.Place(data_dir, database_url, as_json)
        if stream:
            commands.stream(to, key_file, place, every=every, base_hours=base_hours, keep=keep)
        else:
            commands.backup(to, key_file, keep, place)


@command(
    app,
    "restore",
    examples=[
        "tenantgate restore --from /backups/auth --key-file backup.key",
        "tenantgate restore --from /backups/auth --at 2026-11-26T17:15:00Z",
        "tenantgate restore --from /backups/auth --files /data/restored",
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
    *,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Delete all rows that the database has. Without it, it must be empty.")
    ] = False,
    files: Annotated[
        Path | None, typer.Option(help="A new folder for a server's files, from a --stream, instead of a database.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only verify the files of all backups.")] = False,
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
        elif files is not None:
            commands.restore_files(from_, at, key_file, place, target=files)
        else:
            commands.restore(from_, at, key_file, place, overwrite=overwrite)


@command(
    app,
    "restore-drill",
    examples=["tenantgate restore-drill", "tenantgate restore-drill --seconds 20 --sessions 1000 --no-log"],
    exits={0: "restored within the limits, and everything was there", 1: "a finding, or a step that failed"},
)
def restore_drill(
    seconds: Annotated[float, typer.Option(min=2, help="Seconds of load before the database is lost.")] = 120.0,
    sessions: Annotated[int, typer.Option(min=1, help="Sessions in the database.")] = 100_000,
    every: Annotated[float, typer.Option(min=1, max=60, help="Seconds between two looks at the log.")] = 10.0,
    log: Annotated[bool, typer.Option("--log/--no-log", help="Add a row to docs/recovery/LOG.md.")] = True,
    *,
    as_json: JsonOption = False,
) -> None:
    """Lose a database in use and restore it, with separate servers on this machine; measure loss and outage."""
    with failures(as_json=as_json):
        from tenantgate_cli.backup.drill.run import Plan
        from tenantgate_cli.commands.restore_drill import run
        from tenantgate_cli.paths import ROOT

        run(Plan(seconds, every, sessions), ROOT / "docs/recovery/LOG.md" if log else None, as_json=as_json)
