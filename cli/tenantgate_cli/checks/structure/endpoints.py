"""Everything that knows an endpoint: its folder, the template, the rules, the budgets and the tests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tenantgate.route_rules.model import ANY, CONTAINER_API, OTHER_APIS, RouteRule
from tenantgate_cli.checks.structure.tree import BUDGETS, RULES, TEMPLATE, Tree, same_path
from tenantgate_cli.results import Problem

# The Lambda adapter, which is the same in every function that has routes.
HANDLER = '''\
"""Lambda adapter."""

from tenantgate.web.lambda_adapter import lambda_handler_for

lambda_handler = lambda_handler_for(__package__)
'''
# The container itself serves these in development; they have no function.
_WITHOUT_FUNCTION = {"GET /docs", "GET /docs/{+}"}


def endpoint_problems(tree: Tree) -> Iterator[Problem]:
    """Yield what is missing from, or left over by, an endpoint."""
    yield from _folders(tree)
    yield from _functions(tree)
    yield from _routes(tree)
    yield from _rules(tree)
    yield from _budgets(tree)


def logical_id_of(folder: str) -> str:
    """Return AuthLoginFunction for auth_login."""
    return "".join(word.capitalize() for word in folder.split("_")) + "Function"


def _folders(tree: Tree) -> Iterator[Problem]:
    in_template = {function.folder for function in tree.functions}
    for folder in tree.function_folders:
        place = f"functions/{folder}"
        for name in ("__init__.py", "handler.py"):
            if not (tree.root / place / name).is_file():
                yield Problem(f"{place}/{name} is missing", f"create {place}/{name}", file=place)
        if folder not in in_template:
            yield Problem(
                f"no function has CodeUri: {place}/",
                f"add the function to {TEMPLATE}, or remove {place}",
                file=TEMPLATE,
            )
        handler = tree.root / place / "handler.py"
        if (
            (tree.root / place / "routes.py").is_file()
            and handler.is_file()
            and tree.text(f"{place}/handler.py") != HANDLER
        ):
            yield Problem(
                f"{place}/handler.py differs from the other adapters",
                "copy functions/auth_me/handler.py",
                file=f"{place}/handler.py",
            )


def _functions(tree: Tree) -> Iterator[Problem]:
    for function in tree.functions:
        folder = function.folder
        if folder not in tree.function_folders:
            yield Problem(
                f"{function.logical_id} has CodeUri: functions/{folder}/, which doesn't exist",
                f"create functions/{folder}, or remove the function",
                file=TEMPLATE,
            )
        if function.logical_id != logical_id_of(folder):
            yield Problem(
                f"{function.logical_id} has CodeUri: functions/{folder}/",
                f"name it {logical_id_of(folder)}: functions/Makefile finds the folder by the name",
                file=TEMPLATE,
            )
        expected = f"functions.{folder}.handler.lambda_handler"
        if function.handler != expected:
            yield Problem(
                f"{function.logical_id} has Handler: {function.handler or 'nothing'}",
                f"Handler: {expected}",
                file=TEMPLATE,
            )
        if function.build_method != "makefile":
            yield Problem(f"{function.logical_id} has no build method", "Metadata: *function-build", file=TEMPLATE)


def _routes(tree: Tree) -> Iterator[Problem]:
    for function in tree.functions:
        in_code = list(tree.routes_in_code(function.folder))
        in_template = [event.key for event in function.events]
        source = f"functions/{function.folder}/routes.py"
        for key in in_code:
            if not any(_covers(event, key) for event in in_template):
                yield Problem(f"{function.logical_id} has no event for {key}", f"add it, as in {source}", file=TEMPLATE)
        for event in in_template:
            if not any(_covers(event, key) for key in in_code):
                yield Problem(
                    f"there is no route {event}, which {function.logical_id} has in {TEMPLATE}",
                    f"add the route to {source}, or remove the event",
                    file=source,
                )
            if not _is_tested(event, tree.tests):
                yield Problem(
                    f"no test requests {event}",
                    f"add tests/unit/functions/{function.folder}/test_routes.py",
                    file=source,
                )


def _rules(tree: Tree) -> Iterator[Problem]:
    """Compare the rules with the template: a route is public in both or guarded in both."""
    events = {same_path(event.key): event for function in tree.functions for event in function.events}
    own = _by_route(tree.rules.for_api(OTHER_APIS).rules)
    container = _by_route(tree.rules.for_api(CONTAINER_API).rules)
    for key, event in events.items():
        if event.guarded != (key in own):
            yield Problem(
                f'the block with the id "*" has {"a" if key in own else "no"} rule for {event.key}, which is '
                f"{'behind the authorizer' if event.guarded else 'not behind the authorizer'} in {TEMPLATE}",
                f"{'remove' if key in own else 'add'} the rule, or change the event's Auth",
                file=RULES,
            )
        if key not in container:
            yield Problem(
                f'the block with the id "{CONTAINER_API}" has no rule for {event.key}',
                "add the rule: without one, the container denies every request",
                file=RULES,
            )
        elif container[key].public == event.guarded:
            yield Problem(
                f'the block with the id "{CONTAINER_API}" has a {"public" if event.guarded else "guarded"} rule for '
                f"{event.key}, which is {'behind' if event.guarded else 'not behind'} the authorizer in {TEMPLATE}",
                "decide which of the two is right",
                file=RULES,
            )
        if key in own and key in container and own[key].requirement != container[key].requirement:
            yield Problem(
                f"the two blocks require different things for {event.key}", "make the two rules equal", file=RULES
            )
    for name, rules, known in (
        (OTHER_APIS, own, set(events)),
        (CONTAINER_API, container, set(events) | _WITHOUT_FUNCTION),
    ):
        for key in rules:
            if key not in known:
                yield Problem(
                    f'the block with the id "{name}" has a rule for {rules[key].route}, which is not a route',
                    f"remove the rule, or add the route to {TEMPLATE}",
                    file=RULES,
                )


def _budgets(tree: Tree) -> Iterator[Problem]:
    for folder in tree.function_folders:
        if folder not in tree.budgets:
            yield Problem(
                f"{folder} has no import budget", "list the packages that its handler may import", file=BUDGETS
            )
    for folder in tree.budgets:
        if folder not in tree.function_folders:
            yield Problem(f"{folder} has an import budget, but no folder", "remove the budget", file=BUDGETS)


def _is_tested(event: str, tests: str) -> bool:
    # A path after a space is the text of a route, not a request.
    path, variable, _ = event.partition(" ")[2].partition("{")
    return re.search(r"(?<![\w ])" + re.escape(path) + ("" if variable else r"(?![\w-])"), tests) is not None


def _by_route(rules: Iterable[RouteRule]) -> dict[str, RouteRule]:
    return {same_path(rule.route): rule for rule in rules}


def _covers(event: str, key: str) -> bool:
    """Return True if the template's route is the code's, or `ANY` for every path below a prefix."""
    if same_path(event) == same_path(key):
        return True
    method, _, path = event.partition(" ")
    return method == ANY and path.endswith("+}") and key.partition(" ")[2].startswith(path.partition("{")[0])
