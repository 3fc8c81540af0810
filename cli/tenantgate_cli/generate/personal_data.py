"""Write the list of personal data in the database in `docs/SECURITY.md`, from the tables."""

from __future__ import annotations

import importlib
from pathlib import Path

from tenantgate.database.base import personal_columns

PAGE = Path("docs/SECURITY.md")
_PACKAGE = Path("layers/shared")
BEGIN, END = "<!-- personal data: written by `make docs` -->", "<!-- /personal data -->"


def import_tables() -> None:
    """Import the module of every table, so that `personal_columns` knows them all."""
    for path in sorted(_PACKAGE.rglob("tables.py")):
        importlib.import_module(".".join(path.relative_to(_PACKAGE).with_suffix("").parts))


def security_page() -> str:
    """Return the page with its list updated."""
    import_tables()
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    rows = ["| column | class | why in clear text |", "|---|---|---|"]
    for (table, column), one in sorted(personal_columns().items()):
        rows.append(f"| `{table}.{column}` | {one.data_class} | {one.reason} |")
    return f"{before}{BEGIN}\n\n{'\n'.join(rows)}\n\n{END}{rest.partition(END)[2]}"
