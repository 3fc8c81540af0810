"""All checks of the structure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from tenantgate_cli.checks.structure.alarms import alarm_problems
from tenantgate_cli.checks.structure.conflicts import conflict_problems
from tenantgate_cli.checks.structure.domains import domain_problems
from tenantgate_cli.checks.structure.endpoints import endpoint_problems
from tenantgate_cli.checks.structure.tables import table_problems
from tenantgate_cli.checks.structure.tree import Tree
from tenantgate_cli.console import Failure
from tenantgate_cli.results import Problem

CHECKS: tuple[Callable[[Tree], Iterator[Problem]], ...] = (
    endpoint_problems,
    alarm_problems,
    domain_problems,
    table_problems,
    conflict_problems,
)


def problems_in(root: Path) -> list[Problem]:
    """Return everything that a checkout lacks. A file that can't be read is one problem of each check that needs it."""
    tree = Tree(root)
    found: list[Problem] = []
    for check in CHECKS:
        try:
            found += check(tree)
        except Failure as failure:
            found.append(Problem(str(failure), failure.remedy, file="."))
    return list(dict.fromkeys(found))
