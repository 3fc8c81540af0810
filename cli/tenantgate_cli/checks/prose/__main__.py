"""The command: `python -m tenantgate_cli.checks.prose [--report] [PATH…]`.

Without paths it reads the whole checkout and also reports exemptions that no longer match anything. Exit status 1 where
it finds something; `--report` counts the findings by folder instead, with exit status 0.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from tenantgate_cli.checks.prose.glossary import Exemption, Finding, Word, findings_in, load_exemptions, load_words
from tenantgate_cli.checks.prose.passages import passages

_SUFFIXES = frozenset({".py", ".md", ".toml", ".yaml", ".yml", ".html", ".mjs", ".js", ".css", ".sh", ".mako"})
_NAMES = frozenset({"Makefile", "Dockerfile", ".dockerignore", ".gitignore", ".npmrc"})
_SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules"})
# History, and the words themselves. Generated files are left out too: their text is in code, which is checked.
_EXEMPT = ("CHANGELOG.md", "docs/fuzzing/LOG.md", "cli/**/prose/*.toml", "tests/unit/**/test_prose.py")


def files_below(root: Path, start: Path) -> Iterator[Path]:
    """Yield the files to check in `start`, which is a folder of the checkout `root` or one file of it."""
    if start.is_file():
        paths = [start]
    else:
        paths = []
        for folder, folders, names in start.walk():
            folders[:] = sorted(f for f in folders if not f.startswith(".") and f not in _SKIPPED_FOLDERS)
            paths += [folder / name for name in sorted(names)]
    for path in paths:
        name = PurePosixPath(path.relative_to(root))
        if (path.suffix in _SUFFIXES or path.name in _NAMES) and not any(name.full_match(e) for e in _EXEMPT):
            yield path


def check(
    root: Path, starts: Sequence[Path], words: Sequence[Word], exemptions: Sequence[Exemption]
) -> tuple[list[Finding], list[Exemption]]:
    """Return the findings that no exemption covers, and the exemptions that cover none."""
    findings: list[Finding] = []
    used: set[int] = set()
    for path in (path for start in starts for path in files_below(root, start)):
        found = passages(path, path.read_text(encoding="utf-8"))
        for finding in findings_in(path.relative_to(root).as_posix(), found, words):
            covering = [index for index, exemption in enumerate(exemptions) if exemption.covers(finding)]
            used.update(covering)
            if not covering:
                findings.append(finding)
    return findings, [exemption for index, exemption in enumerate(exemptions) if index not in used]


def folder_of(path: str) -> str:
    """Return the folder that a finding is counted under: a package or, elsewhere, at most two levels."""
    parts = path.split("/")[:-1]
    return "/".join(parts[: 4 if parts[:1] == ["layers"] else 2]) or "."


def main(arguments: Sequence[str] | None = None, root: Path | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tenantgate_cli.checks.prose", description="Check for plain English."
    )
    parser.add_argument("--report", action="store_true", help="count the findings by folder; exit status 0")
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="folders and files; default: everything")
    given = parser.parse_args(arguments)
    root = (root or Path.cwd()).resolve()
    starts = [(root / path).resolve() for path in given.paths] or [root]
    findings, unused = check(root, starts, load_words(), load_exemptions())
    stale = [] if given.paths else unused
    lines = [f"stale exemption: {exemption.name} in {exemption.path}: {exemption.reason}" for exemption in stale]
    if given.report:
        counts = Counter(folder_of(finding.path) for finding in findings)
        lines += [f"{count:5} {folder}" for folder, count in sorted(counts.items())]
    else:
        lines += [str(finding) for finding in findings]
    lines.append(f"{len(findings)} findings of the plain-English check")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if given.report else int(bool(findings or stale))


if __name__ == "__main__":
    sys.exit(main())
