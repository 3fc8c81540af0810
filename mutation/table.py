"""The results of a run: the table in `docs/mutation/README.md`, and every verdict in `.local/mutation/last.json`."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from mutation.judge import Verdict
from mutation.mutants import Key
from mutation.targets import ROOT

DOCUMENT = ROOT / "docs" / "mutation" / "README.md"
LAST = ROOT / ".local" / "mutation" / "last.json"
_BEGIN, _END = "<!-- begin run -->\n", "<!-- end run -->"


class Row(NamedTuple):
    """The figures of a module. `mutants` are all that it has, `tried` those of the sample."""

    module: str
    mutants: int
    tried: int
    killed: int
    equivalent: int

    @property
    def survived(self) -> int:
        """The number that neither a test killed nor a reason explains."""
        return self.tried - self.killed - self.equivalent

    @property
    def score(self) -> float:
        """The percentage killed of those that can be."""
        possible = self.tried - self.equivalent
        return 100 * self.killed / possible if possible else 100.0

    def __str__(self) -> str:
        return (
            f"| {self.module} | {self.mutants:,} | {self.tried:,} | {self.killed:,} | {self.equivalent:,} "
            f"| {self.survived:,} | {self.score:.1f} |"
        )


def rows(listed: dict[str, int], verdicts: list[Verdict], equivalents: Collection[Key]) -> list[Row]:
    """Count the verdicts by module; `listed` is the number of mutants of each. The last row is their sum."""
    counted: list[Row] = []
    for module, mutants in listed.items():
        own = [verdict for verdict in verdicts if verdict.mutant.key.module == module]
        killed = sum(verdict.killed for verdict in own)
        excused = sum(not verdict.killed and verdict.mutant.key in equivalents for verdict in own)
        counted.append(Row(module, mutants, len(own), killed, excused))
    sums = [sum(column) for column in zip(*(row[1:] for row in counted), strict=True)]
    return [*counted, Row("**all**", *sums)]


def survivors(verdicts: list[Verdict], equivalents: Collection[Key]) -> list[Verdict]:
    """List the mutants that no test kills and no reason explains."""
    return [verdict for verdict in verdicts if not verdict.killed and verdict.mutant.key not in equivalents]


def markdown(summary: str, counted: list[Row], survived: list[Verdict]) -> str:
    """The section of the document."""
    lines = [summary, "", "| module | mutants | tried | killed | equivalent | survived | score, % |"]
    lines += ["|---|--:|--:|--:|--:|--:|--:|", *map(str, counted), ""]
    if survived:
        lines += ["Survivors:", ""]
        lines += [f"- `{str(verdict.mutant.key).replace('`', "'")}`" for verdict in survived]
        lines += [""]
    return "\n".join(lines)


def write(section: str, document: Path = DOCUMENT) -> None:
    """Put the section into the document; raises ValueError when it lacks the marks."""
    text = document.read_text(encoding="utf-8")
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{document} lacks the marks of the run")
    document.write_text(f"{before}{begin}{section}{end}{after}", encoding="utf-8")


def keep(verdicts: list[Verdict], file: Path = LAST) -> None:
    """Write every verdict, with the test that killed the mutant."""
    file.parent.mkdir(parents=True, exist_ok=True)
    told = [
        {
            **verdict.mutant.key._asdict(),
            "line": verdict.mutant.lines.start,
            "killed": verdict.killed,
            "killer": verdict.killer,
            "seconds": round(verdict.seconds, 2),
        }
        for verdict in verdicts
    ]
    file.write_text(json.dumps(told, indent=1, ensure_ascii=False), encoding="utf-8")
