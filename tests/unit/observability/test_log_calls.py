"""Every log call of the product: its template and member names are literals, its closed vocabularies are `Word`s.

So a caller that sends the same text can't mask them. A member whose value comes from outside has its reason here.
"""

from __future__ import annotations

import ast
import json
import logging
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import quote_plus

import pytest

from tenantgate.observability.logging import JsonFormatter
from tenantgate.observability.redaction import CarriedSecrets, carry_secrets, redact_text

ROOT = Path(__file__).parents[3]
SOURCES = [
    path
    for folder in ("layers/shared/tenantgate", "functions", "container", "cli", "migrations")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}

# Members whose value is not one of our own words: it may be masked if a caller repeats it.
FROM_OUTSIDE = {
    "method": "the caller's; the protocol's own methods are never masked",
    "path": "the caller's; the application's own paths are never masked",
    "query": "the caller's, sanitized",
    "private": "expected and actual values",
    "expected": "what the rules or settings ask for, as a list",
    "actual": "the token's",
    "problem": "an exception, whose literals are never masked",
    "reason": "an exception, whose literals are never masked",
    "finding": "an exception, whose literals are never masked",
    "provider_error": "the provider's",
    "description": "the provider's",
    "client_id": "of the built-in provider's caller",
    "kid": "random",
    "file": "a path of the installation",
    "thread": "a name that a library chose",
    "before": "a migration's revision",
    "after": "a migration's revision",
    "newest_known": "a migration's revision",
    "revision": "the database's, logged where no caller chose it",
    "refused": "a count",
    "sessions": "a count",
    "tenant_id": "a verified tenant's, logged where no request is served",
    "first": "an event's id",
    "reasons": "counts, by literals",
    "withheld": "the caller's scopes, of which one with the text of a secret is masked",
    "origin": "the caller's, and masked where the caller sent the same text as a secret",
    "audit": "an audit event, whose own vocabulary is words",
    "detail": "an error's, logged where no request is served",
    "remedy": "the registry's, logged where no request is served",
}


def log_calls() -> Iterator[tuple[Path, ast.Module, ast.Call]]:
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        if "log" not in text.lower():
            continue
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in LEVELS
                and ("log" in ast.unparse(node.func.value).lower())
            ):
                yield path, tree, node


CALLS = list(log_calls())


def where(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{node.lineno}"  # type: ignore[attr-defined]


def members(tree: ast.Module, node: ast.expr, call: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    """Yield names and values of a context: of a dict display, its unions, and variables and functions in its module."""
    match node:
        case ast.Dict():
            for key, value in zip(node.keys, node.values, strict=True):
                assert key is None or isinstance(key, ast.Constant), f"a name is not a literal: {ast.unparse(node)}"
                if key is not None:
                    yield str(key.value), value
        case ast.BinOp():
            yield from members(tree, node.left, call)
            yield from members(tree, node.right, call)
        case ast.Name():
            yield from assigned(tree, function_around(tree, call), node.id, call)
        case ast.Call(func=ast.Name(id=name)):
            yield from returned(tree, name, call)


type Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.Module) -> list[Function]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def function_around(tree: ast.Module, call: ast.Call) -> Function:
    return next(function for function in functions(tree) if any(inner is call for inner in ast.walk(function)))


def returned(tree: ast.Module, name: str, call: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    for function in functions(tree):
        for statement in ast.walk(function):
            if function.name == name and isinstance(statement, ast.Return) and statement.value is not None:
                if isinstance(statement.value, ast.Name):
                    yield from assigned(tree, function, statement.value.id, call)
                else:
                    yield from members(tree, statement.value, call)


def assigned(tree: ast.Module, function: Function, name: str, call: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    for statement in ast.walk(function):
        if not isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign) or statement.value is None:
            continue
        target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
        if isinstance(target, ast.Name) and target.id == name and not isinstance(statement.value, ast.Name):
            yield from members(tree, statement.value, call)
        elif isinstance(target, ast.Subscript) and ast.unparse(target.value) == name:
            assert isinstance(target.slice, ast.Constant)
            yield str(target.slice.value), statement.value


def is_a_word(value: ast.expr) -> bool:
    """A `Word`, a class, a code of the registry, or no text."""
    match value:
        case ast.IfExp(body=body, orelse=orelse):
            return is_a_word(body) and is_a_word(orelse)
        case ast.ListComp(elt=element):
            return is_a_word(element)
        case ast.Call(func=ast.Name(id=name)):
            return name in {"Word", "type", "bool", "round", "len"}
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name in {"code", "skipped", "status", "failures", "hits", "misses", "_issuer", "_failure"}
    return isinstance(value, ast.Constant | ast.Compare | ast.BoolOp)


def test_the_log_calls_are_found() -> None:
    assert len(CALLS) >= 30
    assert {"request completed", "denied"} <= {call.args[0].value for _, _, call in CALLS}  # type: ignore[attr-defined]


@pytest.mark.parametrize(("path", "tree", "call"), [pytest.param(*item, id=where(item[0], item[2])) for item in CALLS])
def test_a_log_call_has_a_literal_template_and_one_context(path: Path, tree: ast.Module, call: ast.Call) -> None:
    template = call.args[1 if call.func.attr == "log" else 0]  # type: ignore[attr-defined]
    assert isinstance(template, ast.Constant)
    assert isinstance(template.value, str)
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    assert keywords.keys() <= {"exc_info", "extra"}
    if (extra := keywords.get("extra")) is not None:
        assert isinstance(extra, ast.Dict)
        assert [ast.literal_eval(key) for key in extra.keys if key is not None] == ["context"]
        for name, value in members(tree, extra.values[0], call):
            assert is_a_word(value) or name in FROM_OUTSIDE, f"{where(path, call)}: {name} = {ast.unparse(value)}"


def event_calls() -> Iterator[tuple[Path, ast.Module, ast.Call]]:
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "log_security_event":
                yield path, tree, node


def test_the_details_of_security_events_are_words() -> None:
    found = 0
    for path, tree, call in event_calls():
        for keyword in call.keywords:
            if keyword.arg == "details":
                for name, value in members(tree, keyword.value, call):
                    found += 1
                    assert is_a_word(value) or name in FROM_OUTSIDE, f"{where(path, call)}: {name}"
    assert found >= 10


@cache
def templates() -> list[str]:
    return sorted({call.args[0].value for _, _, call in CALLS if not call.args[1:]})  # type: ignore[attr-defined]


@cache
def names() -> list[str]:
    found = set()
    for _, tree, call in CALLS:
        for keyword in call.keywords:
            if keyword.arg == "extra" and isinstance(keyword.value, ast.Dict):
                found |= {name for name, _ in members(tree, keyword.value.values[0], call)}
    return sorted(found)


def test_a_caller_that_repeats_every_template_and_member_name_masks_none_of_them() -> None:
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler = Keep()
    handler.setFormatter(JsonFormatter(service="test"))
    # Functions that log as the product's do: each template is a literal of the one that logs it.
    source = "".join(
        f"def call_{number}(log, context):\n    log.info({template!r}, extra={{'context': context}})\n"
        for number, template in enumerate(templates())
    )
    namespace: dict[str, object] = {}
    exec(compile(source, str(Path(__file__)), "exec"), namespace)
    logger = logging.getLogger("tests.log_calls")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    said = [*templates(), *names()]
    carry_secrets(CarriedSecrets([], "&".join(f"a={quote_plus(text)}" for text in said).encode()))
    try:
        for number in range(len(templates())):
            # A line keeps 50 members.
            for part in (names()[::2], names()[1::2]):
                namespace[f"call_{number}"](logger, dict.fromkeys(part, 1))  # type: ignore[operator]
    finally:
        carry_secrets(None)
        logger.removeHandler(handler)
    parsed = [json.loads(line) for line in lines]
    assert [line["message"] for line in parsed[::2]] == [line["message"] for line in parsed[1::2]] == templates()
    assert all([*line["context"]] == names()[place % 2 :: 2] for place, line in enumerate(parsed))


def raised_reasons() -> Iterator[tuple[str, str]]:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
                reason = node.exc.args[0]
                if isinstance(reason, ast.Constant) and isinstance(reason.value, str):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", reason.value


def test_none_of_our_reasons_has_the_form_of_a_secret() -> None:
    # Settings' forms hold an example of a URL; they are printed, not logged.
    reasons = [(place, text) for place, text in raised_reasons() if "postgresql://" not in text]
    assert len(reasons) > 100
    assert [(place, text) for place, text in reasons if redact_text(text) != text] == []
