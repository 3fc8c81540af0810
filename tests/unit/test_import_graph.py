"""The import graph of the product has no circle, imports inside functions included.

Modules of a circle can only be read, tested and moved together, and import-linter's layers see only circles between
floors. Imports for the type checker are left out: they don't run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import grimp
import pytest

ROOTS = ("tenantgate", "tenantgate_cli", "lambda_gateway", "functions", "container")


def circles(imports: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Find the groups of modules that import each other, directly or not (Tarjan's algorithm)."""
    found: list[list[str]] = []
    index: dict[str, int] = {}
    lowest: dict[str, int] = {}
    path: list[str] = []

    def visit(module: str) -> None:
        index[module] = lowest[module] = len(index)
        path.append(module)
        for imported in imports.get(module, ()):
            if imported not in index:
                visit(imported)
                lowest[module] = min(lowest[module], lowest[imported])
            elif imported in path:
                lowest[module] = min(lowest[module], index[imported])
        if lowest[module] == index[module]:
            group = path[path.index(module) :]
            del path[path.index(module) :]
            if len(group) > 1:
                found.append(sorted(group))

    for module in imports:
        if module not in index:
            visit(module)
    return found


@pytest.mark.parametrize(
    ("imports", "expected"),
    [
        pytest.param({"a": ["b"], "b": ["c"], "c": []}, [], id="a-line"),
        pytest.param({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}, [], id="a-diamond"),
        pytest.param({"a": ["b"], "b": ["a"]}, [["a", "b"]], id="two"),
        pytest.param({"a": ["b"], "b": ["c"], "c": ["d"], "d": ["b"]}, [["b", "c", "d"]], id="three-behind-one"),
        pytest.param({"a": ["b"], "b": ["a"], "c": ["a", "d"], "d": ["c"]}, [["a", "b"], ["c", "d"]], id="two-circles"),
    ],
)
def test_finds_circles(imports: dict[str, list[str]], expected: list[list[str]]) -> None:
    assert sorted(circles(imports)) == expected


def test_the_import_graph_has_no_circle() -> None:
    graph = grimp.build_graph(*ROOTS, exclude_type_checking_imports=True, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}

    assert len(imports) > 200
    assert circles(imports) == []
