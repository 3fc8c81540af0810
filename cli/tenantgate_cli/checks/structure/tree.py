"""The parts of a checkout that the checks compare, read from its files."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lambda_gateway.model import TemplateError
from lambda_gateway.template.document import load_template
from tenantgate.route_rules.engine import RuleSet
from tenantgate.route_rules.file import RulesError, load_rules
from tenantgate_cli.console import Failure

TEMPLATE = "template.yaml"
OBSERVABILITY = "infra/observability.yaml"
RULES = "functions/authorizer/rules.toml"
BUDGETS = "tests/functional/import_budgets.json"
PYPROJECT = "pyproject.toml"
NUMBERS = "cli/tenantgate_cli/checks/error_numbers.py"
PACKAGE = "layers/shared/tenantgate"
MIGRATIONS = "migrations/versions"
_METHODS = {"get", "post", "put", "patch", "delete"}


@dataclass(frozen=True, slots=True)
class Event:
    """A route of an HTTP API in the template. `key` as API Gateway writes it: `GET /path`."""

    key: str
    guarded: bool


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the template. `folder` is its `CodeUri` below `functions/`."""

    logical_id: str
    folder: str
    handler: str
    build_method: str | None
    events: tuple[Event, ...]
    is_conditional: bool


class Tree:
    """A checkout. Every property raises Failure if its file can't be read."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def text(self, name: str) -> str:
        try:
            return (self.root / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Failure(f"{name} can't be read: {error}") from None

    def module(self, name: str) -> ast.Module:
        try:
            return ast.parse(self.text(name))
        except SyntaxError as error:
            raise Failure(f"{name}:{error.lineno}: {error.msg}") from None

    @cached_property
    def function_folders(self) -> list[str]:
        return folders_below(self.root / "functions")

    @cached_property
    def functions(self) -> list[Function]:
        return [
            _function(name, body)
            for name, body in self._template(TEMPLATE)["Resources"].items()
            if body.get("Type") == "AWS::Serverless::Function"
        ]

    @cached_property
    def functions_with_alarms(self) -> frozenset[str]:
        """The functions that the template passes to `infra/observability.yaml`."""
        given = self._template(TEMPLATE)["Resources"].get("Observability", {}).get("Properties", {})
        return frozenset(name for name in given.get("Parameters", {}) if name.endswith("Function"))

    @cached_property
    def alarms(self) -> dict[str, frozenset[str]]:
        """The functions in each part of `infra/observability.yaml` that lists them."""
        document = self._template(OBSERVABILITY)
        found = {"Parameters": frozenset(name for name in document["Parameters"] if name.endswith("Function"))}
        for name, rows in document.get("Mappings", {}).items():
            found[name] = frozenset(f"{row}Function" for row in rows)
        for name, body in document["Resources"].items():
            if name.startswith("Fn::ForEach::"):
                found[name] = frozenset(f"{item}Function" for item in body[1])
        return found

    def _template(self, name: str) -> Mapping[str, Any]:
        try:
            return load_template(self.root / name)
        except TemplateError as error:
            raise Failure(str(error)) from None

    @cached_property
    def rules(self) -> RuleSet:
        try:
            return load_rules(self.text(RULES))
        except RulesError as error:
            raise Failure(error.located(RULES), "tenantgate rules check") from None

    @cached_property
    def budgets(self) -> dict[str, list[str]]:
        try:
            found: dict[str, list[str]] = json.loads(self.text(BUDGETS))
        except ValueError as error:
            raise Failure(f"{BUDGETS}: {error}") from None
        return found

    @cached_property
    def project(self) -> Mapping[str, Any]:
        try:
            return tomllib.loads(self.text(PYPROJECT))
        except tomllib.TOMLDecodeError as error:
            raise Failure(f"{PYPROJECT}: {error}") from None

    @cached_property
    def packages(self) -> list[str]:
        return folders_below(self.root / PACKAGE)

    @cached_property
    def tests(self) -> str:
        """The text of all test modules."""
        return "\n".join(path.read_text(encoding="utf-8") for path in sorted((self.root / "tests").rglob("*.py")))

    @cached_property
    def error_owners(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """The owner of each listed error code, and of each block of ten by its first code."""
        assigned = {
            ast.unparse(node.target): ast.literal_eval(node.value)
            for node in self.module(NUMBERS).body
            if isinstance(node, ast.AnnAssign) and node.value and ast.unparse(node.target) in {"LISTED", "BLOCKS"}
        }
        return assigned["LISTED"], assigned["BLOCKS"]

    def contract(self, name: str) -> Mapping[str, Any]:
        """Return a contract of import-linter; empty if it is missing."""
        contracts = self.project["tool"]["importlinter"]["contracts"]
        return next((contract for contract in contracts if contract["id"] == name), {})

    def routes_in_code(self, folder: str) -> Iterator[str]:
        """Yield the routes of a function's router, such as `GET /path`."""
        name = f"functions/{folder}/routes.py"
        if not (self.root / name).is_file():
            return
        module = self.module(name)
        prefix = ""
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "APIRouter":
                prefix = next((ast.literal_eval(key.value) for key in node.keywords if key.arg == "prefix"), "")
        for function in module.body:
            if isinstance(function, ast.AsyncFunctionDef | ast.FunctionDef):
                for decorator in function.decorator_list:
                    yield from _routes(decorator, prefix)


def folders_below(path: Path) -> list[str]:
    """Return the names of the folders that have files. Removing a package can leave a folder with caches."""
    return sorted(
        folder.name
        for folder in path.iterdir()
        if folder.is_dir() and any(file.is_file() and file.suffix != ".pyc" for file in folder.rglob("*"))
    )


def same_path(key: str) -> str:
    """Return a route with the names of its variables left out: they don't matter for equality."""
    return re.sub(r"\{[^}+]*(\+?)\}", r"{\1}", key)


def _function(logical_id: str, body: Mapping[str, Any]) -> Function:
    properties = body.get("Properties", {})
    events = [
        event.get("Properties", {}) for event in properties.get("Events", {}).values() if event.get("Type") == "HttpApi"
    ]
    return Function(
        logical_id,
        str(properties.get("CodeUri", "")).removeprefix("functions/").rstrip("/"),
        str(properties.get("Handler", "")),
        body.get("Metadata", {}).get("BuildMethod"),
        tuple(Event(f"{event['Method']} {event['Path']}", "Auth" in event) for event in events if "Path" in event),
        "Condition" in body,
    )


def _routes(decorator: ast.expr, prefix: str) -> Iterator[str]:
    if not (isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Attribute)):
        return
    if ast.unparse(decorator.func.value) != "router" or not decorator.args:
        return
    path = prefix + str(ast.literal_eval(decorator.args[0]))
    name = decorator.func.attr
    if name in _METHODS:
        yield f"{name.upper()} {path}"
    elif name == "api_route":
        methods = next((key.value for key in decorator.keywords if key.arg == "methods"), None)
        yield from (f"{method} {path}" for method in (ast.literal_eval(methods) if methods else ["GET"]))
