"""`tenantgate audit`."""

# ruff: noqa: PLC0415
from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tenantgate_cli.interface.help import command, failures
from tenantgate_cli.interface.options import ApplicationDatabaseOption, DatabaseOption, DataDirOption, JsonOption
from tenantgate_cli.paths import DEFAULT_DATA_DIR

audit = typer.Typer(help="Read the audit trail, and check that it is complete and unchanged.", no_args_is_help=True)
KeyOption = Annotated[
    list[str],
    typer.Option(
        "--key", help="A verifier key of the tenant's log, which its operator has published: one for each that signed."
    ),
]
KnownOption = Annotated[
    Path | None,
    typer.Option("--known", help="The file of an earlier checkpoint, or of an earlier proof, if FILE continues it."),
]


@command(
    audit,
    "check-proof",
    examples=[
        'tenantgate audit check-proof 4.tlog-proof --key "$(cat vkey)"',
        'tenantgate audit check-proof new --known old --key "$(cat vkey)"',
        'tenantgate audit check-proof new --known old --key "$A" --key "$B"',
    ],
    exits={0: "the proof is right", 1: "it proves nothing: it is wrong, of another log, or can't be read"},
)
def check_proof(
    file: Annotated[Path, typer.Argument(help="The proof file.")],
    key: KeyOption,
    known: KnownOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a proof offline: that an event is in the log, or that the log still has all that it had earlier."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands.check_proof import check

        check(file, key, known, as_json=as_json)


LogKeysOption = Annotated[
    list[str] | None,
    typer.Option("--key", help="A verifier key of any log, for each key that signed. Default: the deployment's."),
]
AnchorsOption = Annotated[Path | None, typer.Option(help="The folder with the anchors. Default: the deployment's.")]
OneTenantOption = Annotated[str, typer.Option("--tenant", help="The tenant whose log it is.")]
OutputOption = Annotated[Path | None, typer.Option("--output", "-o", help="The file to write.")]


@command(
    audit,
    examples=[
        "tenantgate audit verify",
        'tenantgate audit verify --tenant org-1 --json --key "$(cat vkey)"',
    ],
    exits={0: "every log is as it was sealed", 1: "something was changed, or can't be read"},
)
def verify(  # noqa: PLR0917  (options)
    tenant: Annotated[str | None, typer.Option(help="Only the log of this tenant.")] = None,
    key: LogKeysOption = None,
    anchors: AnchorsOption = None,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: ApplicationDatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check that no audit event was changed, removed or added late, and name the first one of each tenant that was."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands import audit_log

        if not audit_log.verify(audit_log.Place(data_dir, database_url, key or (), anchors), tenant, as_json=as_json):
            raise typer.Exit(1)


@command(
    audit,
    examples=["tenantgate audit prove 7c5e… --tenant org-1 --output proof"],
    exits={0: "the proof was written", 1: "there is no such sealed event, or it can't be proven"},
)
def prove(  # noqa: PLR0917  (options)
    event: Annotated[str, typer.Argument(help="The id of the event.")],
    tenant: OneTenantOption,
    key: LogKeysOption = None,
    output: OutputOption = None,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: ApplicationDatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a proof that an event is in its tenant's log. `check-proof` checks it offline."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands import audit_log

        audit_log.prove(audit_log.Place(data_dir, database_url, key or ()), tenant, event, output, as_json=as_json)


@command(
    audit,
    examples=[
        "tenantgate audit checkpoint --tenant org-1 --output old",
        "tenantgate audit checkpoint --tenant org-1 --since old --output new",
    ],
    exits={0: "the file was written", 1: "the log has no checkpoint, or doesn't continue the one that was given"},
)
def checkpoint(  # noqa: PLR0917  (options)
    tenant: OneTenantOption,
    key: LogKeysOption = None,
    since: Annotated[
        Path | None, typer.Option(help="The file of a checkpoint that the tenant has kept, or of a proof with it.")
    ] = None,
    output: OutputOption = None,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: ApplicationDatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the newest checkpoint of a log, or the proof that it continues an earlier one."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands import audit_log

        audit_log.checkpoint(audit_log.Place(data_dir, database_url, key or ()), tenant, since, output, as_json=as_json)


@command(
    audit,
    examples=["tenantgate audit status", "tenantgate audit status --json"],
    exits={0: "what isn't sealed or anchored is new", 1: "it has waited for longer than the unsealed window"},
)
def status(
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: ApplicationDatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print how many events aren't sealed and checkpoints aren't anchored, and for how long."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands import audit_sealing

        if not audit_sealing.status(data_dir, database_url, as_json=as_json):
            raise typer.Exit(1)


@command(
    audit,
    examples=["tenantgate audit keys --tenant org-1"],
    exits={0: "the keys were printed", 1: "there is no signing key, or it can't be used"},
)
def keys(
    tenant: Annotated[str, typer.Option(help="The tenant whose log it is.")],
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: ApplicationDatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the verifier keys of a tenant's log, which the tenant keeps to check proofs; the newest is the first."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands import audit_sealing

        audit_sealing.keys(tenant, data_dir, database_url, as_json=as_json)


@command(
    audit,
    examples=["tenantgate audit retain --days 730", "tenantgate audit retain --tenant org-1 --days 90"],
    exits={0: "the events were removed", 1: "the login isn't the owner's, or a log isn't as it was sealed"},
)
def retain(
    tenant: Annotated[str | None, typer.Option(help="Only the log of this tenant.")] = None,
    days: Annotated[int | None, typer.Option(min=1, help="Instead of AUDIT_RETENTION_DAYS.")] = None,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove the contents of sealed events after their time. Their leaves stay, and a signed event says so."""
    with failures(as_json=as_json):
        from tenantgate_cli.commands import audit_sealing

        audit_sealing.retain(tenant, days, data_dir, database_url, as_json=as_json)
