"""`tenantgate audit`."""

# ruff: noqa: PLC0415
from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tenantgate_cli.interface.help import command, failures
from tenantgate_cli.interface.options import JsonOption

audit = typer.Typer(help="Read the audit trail, and check that it is complete and unchanged.", no_args_is_help=True)
KeyOption = Annotated[
    str, typer.Option("--key", help="The verifier key of the tenant's log, which its operator has published.")
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
