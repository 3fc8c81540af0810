"""The small changes: the replacements for a node of a syntax tree.

Text for people is left alone, because no test should hold its wording: docstrings, strings with white space, and the
details of exceptions and log records (statements that raise or log are removed whole). So are annotations, imports,
decorators and assertions, which do nothing at run time or exist for the type checker.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_LEFT_ALONE = frozenset({"annotation", "returns", "decorator_list", "type_params", "bases", "type"})
_LOGGER = "_log"


class Slot(NamedTuple):
    """A place in a tree: the field of a node or, with `place`, an item of the field."""

    parent: ast.AST
    field: str
    place: int | None = None

    def put(self, node: ast.AST | None) -> None:
        """Put the node in the place."""
        if self.place is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.place] = node


def children(node: ast.AST) -> Iterator[tuple[Slot, ast.AST]]:
    """Yield the nodes below a node that may be changed, in the order of the source."""
    for field, value in ast.iter_fields(node):
        # An exception handler's `type` is a list of classes: changed, it would only be another handler.
        if field in _LEFT_ALONE:
            continue
        for place, item in enumerate(value) if isinstance(value, list) else ((None, value),):
            if isinstance(item, ast.AST) and not _is_left_alone(item, node):
                yield Slot(node, field, place), item


def is_prose(node: ast.AST) -> bool:
    """Return True for a statement that raises and a call that logs: the text below them is for people."""
    match node:
        case ast.Raise():
            return True
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name))):
            return name == _LOGGER
        case _:
            return False


def replacements(slot: Slot, node: ast.AST) -> Iterator[tuple[Slot, ast.AST | None]]:
    """Yield each change that may be made at a node: the place and the node to put there."""
    yield from _of_expression(slot, node) if isinstance(node, ast.expr) else _of_statement(slot, node)
    yield from _negations(node)


def _of_expression(slot: Slot, node: ast.expr) -> Iterator[tuple[Slot, ast.AST | None]]:
    match node:
        case ast.Compare():
            for place, operator in enumerate(node.ops):
                for other in _COMPARISONS[type(operator)]:
                    yield Slot(node, "ops", place), other()
        case ast.BoolOp():
            yield Slot(node, "op"), ast.And() if isinstance(node.op, ast.Or) else ast.Or()
            for missing in node.values:
                rest = [value for value in node.values if value is not missing]
                yield slot, rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
        case ast.UnaryOp():
            yield slot, node.operand
        case ast.BinOp() if not _is_text(node.left) and not _is_text(node.right):
            yield Slot(node, "op"), _ARITHMETIC[type(node.op)]()
        case ast.Constant():
            yield from ((slot, ast.Constant(value)) for value in _near(node.value))
        case ast.Slice():
            yield from ((Slot(node, end), None) for end in ("lower", "upper") if getattr(node, end) is not None)
        case _:
            pass


def _of_statement(slot: Slot, node: ast.AST) -> Iterator[tuple[Slot, ast.AST | None]]:
    match node:
        case ast.AugAssign():
            yield Slot(node, "op"), _ARITHMETIC[type(node.op)]()
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield slot, ast.Return(ast.Constant(None))
        case ast.Break() | ast.Continue() | ast.Raise() | ast.Delete() | ast.Expr():
            yield slot, ast.Pass()
        # A name that is never assigned would only be a NameError.
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield slot, ast.Pass()
        case ast.AnnAssign(target=ast.Attribute(), value=ast.expr()):
            yield slot, ast.Pass()
        case _:
            pass


def _negations(node: ast.AST) -> Iterator[tuple[Slot, ast.AST]]:
    match node:
        case ast.If() | ast.While() | ast.IfExp():
            tests = [(Slot(node, "test"), node.test)]
        case ast.comprehension():
            tests = [(Slot(node, "ifs", place), test) for place, test in enumerate(node.ifs)]
        case ast.match_case(guard=ast.expr() as guard):
            tests = [(Slot(node, "guard"), guard)]
        case _:
            tests = []
    for slot, test in tests:
        # The operators of these are changed themselves, with the same effect.
        if not (isinstance(test, ast.Compare) and len(test.ops) == 1) and not _is_negation(test):
            yield slot, ast.UnaryOp(ast.Not(), test)


def _near(value: object) -> list[bool | int | float | str | bytes]:
    match value:
        case bool():
            return [not value]
        case int():
            return [value + 1, value - 1]
        case float():
            return [value + 1]
        case str() if not any(map(str.isspace, value)):
            return [f"{value}X"]
        case bytes():
            return [value + b"X"]
        case _:
            return []


def _is_text(node: ast.AST) -> bool:
    # Taking one from another is a TypeError: a mutant that says nothing.
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _is_negation(node: ast.AST) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)


def _is_left_alone(node: ast.AST, parent: ast.AST) -> bool:
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Assert() | ast.TypeAlias() | ast.pattern():
            return True
        case ast.Expr(value=ast.Constant()) | ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        # Runs only in its own process, which has the unchanged module.
        case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
            return True
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name in ("__slots__", "__all__")
        case ast.Constant() if isinstance(parent, ast.JoinedStr):
            return True
        case _:
            return isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) and parent.func.id == "cast"
