"""Write the fault matrix into docs/RELIABILITY.md.

python -m tests.functional.faults.report
"""

from __future__ import annotations

from tenantgate.revoked.holder import BOUND_SECONDS
from tenantgate_cli.paths import ROOT
from tests.fixtures.faults.flows import WORKS
from tests.functional.faults.matrix import FLOWS, KINDS, LINKS, RECOVERY, Cell, beyond, cell

PAGE = ROOT / "docs" / "RELIABILITY.md"
BEGIN = "<!-- faults: written by `python -m tests.functional.faults.report` -->"
END = "<!-- /faults -->"


def page() -> str:
    """Return the page with its tables updated."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    tables = "\n\n".join((_kinds(), _matrix(), _beyond()))
    return f"{before}{BEGIN}\n\n{tables}\n\n{END}{rest.partition(END)[2]}"


def _kinds() -> str:
    return "\n".join(
        ["| fault | in this test |", "|---|---|", *(f"| {n} | {kind.text} |" for n, kind in KINDS.items())]
    )


def _matrix() -> str:
    lines = [f"| link | fault | {' | '.join(FLOWS)} | recovered |", f"|---|---|{'---|' * len(FLOWS)}---|"]
    for link in LINKS:
        for kind in KINDS:
            cells = " | ".join(_text(cell(link, kind, flow)) for flow in FLOWS)
            lines.append(f"| {link} | {kind} | {cells} | ≤ {RECOVERY[link]:g} s |")
    return "\n".join(lines)


def _beyond() -> str:
    lines = [f"| link, gone for {BOUND_SECONDS:g} s or longer | {' | '.join(FLOWS)} |", f"|---|{'---|' * len(FLOWS)}"]
    lines += [f"| {link} | {' | '.join(_outcome(beyond(link, flow)) for flow in FLOWS)} |" for link in LINKS]
    return "\n".join(lines)


def _text(stated: Cell) -> str:
    within = f"≤ {stated.within:g} s"
    return within if stated.outcome == WORKS else f"{_outcome(stated.outcome)} {within}"


def _outcome(outcome: str) -> str:
    if outcome == WORKS:
        return WORKS
    status, code = outcome.split()
    return f"**{status} `{code}`**"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
