"""Plan a new endpoint: its folder, and everything that knows it."""

from __future__ import annotations

import json
from pathlib import Path

from tenantgate.route_rules.model import CONTAINER_API, OTHER_APIS
from tenantgate_cli.checks.structure.endpoints import HANDLER, logical_id_of
from tenantgate_cli.checks.structure.tree import BUDGETS, OBSERVABILITY, RULES, TEMPLATE, Tree, same_path
from tenantgate_cli.console import Failure
from tenantgate_cli.new.changes import Plan
from tenantgate_cli.new.edits import with_alarms, with_budget, with_function, with_rule
from tenantgate_cli.new.filled import filled
from tenantgate_cli.new.names import Route, camel_case, checked_name, checked_route, class_name, words

# The part of a path that all routes share, and that names no tag.
_ROOT = "/api/v1"


def plan_endpoint(root: Path, name: str, route_text: str | None) -> tuple[Plan, Route]:
    """Return the changes that add the function `name` for a route behind the authorizer. Raises Failure."""
    name = checked_name(name, "endpoint")
    route = checked_route(route_text, name)
    tree = Tree(root)
    _check_free(tree, name, route)
    values = _values(name, route)
    plan = Plan(root)
    folder = f"functions/{name}"
    plan.create(f"{folder}/__init__.py", "")
    plan.create(f"{folder}/handler.py", HANDLER)
    plan.create(f"{folder}/routes.py", filled("endpoint/routes.py", values))
    plan.create(f"tests/unit/functions/{name}/test_routes.py", filled("endpoint/test_routes.py", values))
    template = with_function(plan.read(TEMPLATE), filled("endpoint/function.yaml", values))
    template, observability = with_alarms(template, plan.read(OBSERVABILITY), values["logical_id"])
    plan.change(TEMPLATE, template)
    plan.change(OBSERVABILITY, observability)
    for api_id in (OTHER_APIS, CONTAINER_API):
        plan.change(RULES, with_rule(plan.read(RULES), route, api_id))
    plan.change(BUDGETS, with_budget(plan.read(BUDGETS), name))
    return plan, route


def _check_free(tree: Tree, name: str, route: Route) -> None:
    if name in tree.function_folders:
        raise Failure(f"there is already a function {name}", "choose another name")
    for function in tree.functions:
        if logical_id_of(name) == function.logical_id:
            raise Failure(f"{TEMPLATE} already has a function {function.logical_id}", "choose another name")
        for event in function.events:
            if same_path(event.key) == same_path(route.key):
                raise Failure(
                    f"{event.key} is already a route of functions/{function.folder}", "choose another one with --route"
                )
    document = json.loads((tree.root / "docs" / "openapi.json").read_text(encoding="utf-8"))
    operations = (operation for path in document["paths"].values() for operation in path.values())
    if camel_case(name) in {operation.get("operationId") for operation in operations}:
        raise Failure(f"the API already has an operation {camel_case(name)}", "choose another name")


def _values(name: str, route: Route) -> dict[str, str]:
    below, _, last = route.path.rpartition("/")
    return {
        "name": name,
        "route": route.key,
        "verb": route.method,
        "path": route.path,
        "method": route.method.lower(),
        "prefix": below,
        "rest": f"/{last}",
        "tag": route.path.removeprefix(_ROOT).split("/")[1].strip("{}"),
        "logical_id": logical_id_of(name),
        "role": f"{logical_id_of(name).removesuffix('Function')}Role",
        "response": f"{class_name(name)}Response",
        "operation": camel_case(name),
        "summary": words(name).capitalize(),
        "members": "".join(f"    {variable}: str\n" for variable in route.variables),
        "parameters": "".join(f", {variable}: str" for variable in route.variables),
        "arguments": "".join(f", {variable}={variable}" for variable in route.variables),
        "expected": "".join(f', "{variable}": "{variable}-1"' for variable in route.variables),
        "example": _example(route),
    }


def _example(route: Route) -> str:
    path = route.path
    for variable in route.variables:
        path = path.replace(f"{{{variable}}}", f"{variable}-1")
    return path
