"""`tenantgate docs`: write every generated document, or with `--check` compare them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from tenantgate_cli.generate.authorizer import authorizer_page
from tenantgate_cli.generate.configuration import configuration_page, env_example
from tenantgate_cli.generate.error_codes import error_codes_page
from tenantgate_cli.generate.openapi import openapi_document
from tenantgate_cli.generate.providers import auth_configuration_page, readme
from tenantgate_cli.generate.route_table import route_table_module

DOCUMENTS: Mapping[str, Callable[[], str]] = {
    "README.md": readme,
    "docs/AUTH_CONFIGURATION.md": auth_configuration_page,
    "docs/AUTHORIZER.md": authorizer_page,
    "docs/ERROR_CODES.md": error_codes_page,
    "docs/CONFIGURATION.md": configuration_page,
    ".env.example": env_example,
    "docs/openapi.json": openapi_document,
    "functions/unknown_route/route_table.py": route_table_module,
}


def stale_documents(root: Path) -> list[str]:
    """The documents whose file differs from what the code says now."""
    return [name for name, write in DOCUMENTS.items() if _read(root / name) != write()]


def docs(
    check: Annotated[bool, typer.Option("--check", help="Only say which are out of step; exit 1 if any is.")] = False,
) -> None:
    """Write the documents that are generated from code."""
    root = Path.cwd()
    stale = stale_documents(root)
    if check and stale:
        typer.echo(f"out of step with the code: {', '.join(stale)}\nmend: make docs", err=True)
        raise typer.Exit(1)
    for name in stale:
        (root / name).write_text(DOCUMENTS[name](), encoding="utf-8")
        typer.echo(f"wrote {name}")


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
