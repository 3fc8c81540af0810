"""The options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PortOption = Annotated[
    int, typer.Option(envvar="PORT", min=0, max=65535, help="The loopback port; 0 for any free one.")
]
DataDirOption = Annotated[Path, typer.Option(help="The folder of the database, secrets and logs.")]
ResetOption = Annotated[bool, typer.Option("--reset", help="Start over: delete the data first.")]
DatabaseOption = Annotated[
    str | None,
    typer.Option(envvar="DATABASE_OWNER_URL", help="The database's URL, as its owner. Default: the data folder's."),
]
ApplicationDatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database-url", envvar="DATABASE_URL", help="The database's URL. Default: that of the running `make dev`."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as one line of JSON.")]
