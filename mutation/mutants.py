"""The mutants of a module. Their names stay the same when lines move, so that notes about them stay valid."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from random import Random
from types import CodeType
from typing import NamedTuple

from mutation.operators import Slot, children, is_prose, replacements

# Of a statement's text, this much is shown around the change.
_AROUND = 40


class Key(NamedTuple):
    """The name of a mutant. `function` is empty for the module's own lines.

    `original` and `mutated` are the statement's text around the change; `occurrence` tells equal changes of a function
    apart, in the order of the source.
    """

    module: str
    function: str
    original: str
    mutated: str
    occurrence: int = 1

    def __str__(self) -> str:
        again = f" (occurrence {self.occurrence})" if self.occurrence > 1 else ""
        return f"{self.module} {self.function or '<module>'}: {self.original} → {self.mutated}{again}"


class Mutant(NamedTuple):
    """One change. `lines` are those of the changed statement, without the statements in it."""

    key: Key
    path: Path
    lines: range
    number: int

    def code(self) -> CodeType:
        """Compile the module with the change."""
        tree = ast.parse(self.path.read_bytes())
        for number, change in enumerate(_changes(tree)):
            if number == self.number:
                change.slot.put(change.new)
                return compile(ast.fix_missing_locations(tree), str(self.path), "exec")
        raise ValueError(f"{self.path} has changed since its mutants were listed")


class _Change(NamedTuple):
    function: str
    statement: Slot
    slot: Slot
    old: ast.AST | None
    new: ast.AST | None


def mutants_of(module: str, path: Path) -> list[Mutant]:
    """List every mutant of a module, in the order of the source."""
    tree = ast.parse(path.read_bytes())
    seen: Counter[tuple[str, str, str]] = Counter()
    found: list[Mutant] = []
    for number, change in enumerate(_changes(tree)):
        statement = _at(change.statement)
        lines = _own_lines(statement)
        before = _text(statement)
        change.slot.put(change.new)
        after = _text(_at(change.statement))
        change.slot.put(change.old)
        name = (change.function, *_difference(before, after))
        seen[name] += 1
        found.append(Mutant(Key(module, *name, seen[name]), path, lines, number))
    return found


def sample(mutants: list[Mutant], size: int, seed: int) -> list[Mutant]:
    """Choose `size` mutants of a module; 0 chooses all.

    A seed always chooses the same ones, and a larger sample holds the smaller one.
    """
    if size == 0 or size >= len(mutants):
        return mutants
    chosen = mutants.copy()
    Random(f"{seed} {mutants[0].key.module}").shuffle(chosen)  # noqa: S311 - repeatable on purpose
    return sorted(chosen[:size], key=lambda mutant: mutant.number)


def _changes(tree: ast.Module) -> Iterator[_Change]:
    for slot, node in children(tree):
        yield from _below(node, slot, slot, "")


def _below(node: ast.AST, slot: Slot, statement: Slot, function: str) -> Iterator[_Change]:
    """Yield the changes at a node and below it."""
    if isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case):
        statement = slot
    for place, new in replacements(slot, node):
        yield _Change(function, statement, place, _at(place), new)
    if is_prose(node):
        return
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        function = f"{function}.{node.name}".removeprefix(".")
    for below, child in children(node):
        yield from _below(child, below, statement, function)


def _at(slot: Slot) -> ast.AST:
    found = getattr(slot.parent, slot.field)
    node = found if slot.place is None else found[slot.place]
    assert isinstance(node, ast.AST)  # noqa: S101 - for the type checker: slots hold nodes
    return node


def _text(statement: ast.AST) -> str:
    """The statement on one line; of one that holds others, only its head."""
    body = getattr(statement, "body", None)
    if not isinstance(body, list):
        return " ".join(ast.unparse(statement).split())
    head = type(statement)(**{
        name: [] if name in ("orelse", "finalbody", "handlers", "decorator_list", "cases") else value
        for name, value in ast.iter_fields(statement)
    } | {"body": [ast.Expr(ast.Constant(...))]})  # fmt: skip
    return ast.unparse(ast.fix_missing_locations(head)).strip().splitlines()[0]


def _own_lines(statement: ast.AST) -> range:
    assert isinstance(statement, ast.stmt | ast.ExceptHandler | ast.match_case)  # noqa: S101 - as above
    if isinstance(statement, ast.match_case):
        test = statement.guard or statement.pattern
        return range(test.lineno, (test.end_lineno or test.lineno) + 1)
    first: int = statement.lineno
    body = getattr(statement, "body", None)
    if isinstance(body, list):
        return range(first, max(first + 1, body[0].lineno))
    return range(first, (statement.end_lineno or first) + 1)


def _difference(before: str, after: str) -> tuple[str, str]:
    """Return both texts, cut to the surroundings of the difference."""
    same_start = _same(before, after)
    same_end = min(_same(before[::-1], after[::-1]), min(len(before), len(after)) - same_start)
    start = max(0, same_start - _AROUND)
    cut = max(0, same_end - _AROUND)
    lead, tail = "…" if start else "", "…" if cut else ""
    return (
        f"{lead}{before[start : len(before) - cut]}{tail}",
        f"{lead}{after[start : len(after) - cut]}{tail}",
    )


def _same(one: str, other: str) -> int:
    """The number of characters that both texts begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
