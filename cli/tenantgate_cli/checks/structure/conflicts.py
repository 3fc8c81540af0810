"""Markers that Git leaves in a file whose conflict wasn't resolved. A Markdown page with them fails no other check."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tenantgate_cli.checks.structure.tree import Tree
from tenantgate_cli.results import Problem

# A line of seven equals signs also underlines a title: each conflict has the other two.
_MARKER = re.compile(rb"^(?:<{7}|>{7}|\|{7})(?: |$)", re.MULTILINE)
_SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules"})


def conflict_problems(tree: Tree) -> Iterator[Problem]:
    """Yield the first marker of each file. Hidden folders are not read."""
    for path in _files(tree.root):
        content = path.read_bytes()
        if (found := _MARKER.search(content)) is not None:
            line = content.count(b"\n", 0, found.start()) + 1
            yield Problem(
                f"line {line} is the marker of a conflict that wasn't resolved",
                "merge both sides, and remove the markers",
                file=path.relative_to(tree.root).as_posix(),
            )


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, names in root.walk():
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _SKIPPED_FOLDERS)
        yield from (folder / name for name in sorted(names) if (folder / name).is_file())
