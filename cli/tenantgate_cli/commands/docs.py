"""`tenantgate docs`: write the generated documents, or compare them with the code."""

from __future__ import annotations

from pathlib import Path

from tenantgate_cli.console import Failure, say
from tenantgate_cli.generate.documents import DOCUMENTS, stale_documents
from tenantgate_cli.results import Problem, print_result


def run(*, check: bool, as_json: bool = False) -> bool:
    """Write each document that differs from the code; with `check`, only report them. Return False if one is stale."""
    root = Path.cwd()
    stale = stale_documents(root)
    if check and stale and not as_json:
        raise Failure(f"these documents differ from the code: {', '.join(stale)}", "make docs")
    if check:
        problems = [Problem("the document differs from the code", "make docs", file=name) for name in stale]
        if as_json:
            print_result(*problems, documents=list(DOCUMENTS))
        return not stale
    for name, text in stale.items():
        (root / name).write_text(text, encoding="utf-8")
        if not as_json:
            say(f"wrote {name}")
    if as_json:
        print_result(written=list(stale), documents=list(DOCUMENTS))
    return True
