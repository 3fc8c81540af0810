"""The alarms of each function behind the API, in infra/observability.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tenantgate_cli.checks.structure.tree import OBSERVABILITY, TEMPLATE, Tree
from tenantgate_cli.results import Problem


def alarm_problems(tree: Tree) -> Iterator[Problem]:
    """Yield each function that an alarm lacks, and each name of a function that is gone."""
    functions = {function.logical_id for function in tree.functions}
    behind_the_api = [
        function.logical_id for function in tree.functions if function.events and not function.is_conditional
    ]
    for file, places in ((TEMPLATE, {"Observability": tree.functions_with_alarms}), (OBSERVABILITY, tree.alarms)):
        for name in behind_the_api:
            if missing := _without(name, places):
                yield Problem(f"{name} is not in {missing}", "add it, as the other functions", file=file)
        for name in sorted(set().union(*places.values()) - functions):
            left = ", ".join(place for place, names in places.items() if name in names)
            yield Problem(f"{name} is in {left}, and is not a function", "remove it", file=file)


def _without(name: str, places: Mapping[str, frozenset[str]]) -> str:
    return ", ".join(place for place, names in places.items() if name not in names)
