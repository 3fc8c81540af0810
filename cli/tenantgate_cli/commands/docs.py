"""`tenantgate docs`: write the generated documents, or compare them with the code."""

from __future__ import annotations

from pathlib import Path

from tenantgate_cli.console import Failure, say
from tenantgate_cli.generate.documents import stale_documents


def run(*, check: bool) -> None:
    """Write each document that differs from the code. With `check`, raise Failure instead."""
    root = Path.cwd()
    stale = stale_documents(root)
    if check and stale:
        raise Failure(f"these documents differ from the code: {', '.join(stale)}", "make docs")
    for name, text in stale.items():
        (root / name).write_text(text, encoding="utf-8")
        say(f"wrote {name}")
