"""Additions to the files that list endpoints and domains. Each function returns the new text, or raises Failure."""

from __future__ import annotations

import json
import re

from tenantgate_cli.checks.structure.tree import BUDGETS, NUMBERS, OBSERVABILITY, PYPROJECT, RULES, TEMPLATE
from tenantgate_cli.console import Failure
from tenantgate_cli.new.names import Route

# This function's packages are those of every function with routes that only needs the caller.
_LIKE = "auth_me"


def with_function(template: str, block: str) -> str:
    """Add a function and its role to the template, before those for unknown routes."""
    return _inserted(template, "  UnknownRouteRole:\n", f"{block}\n", TEMPLATE)


def with_alarms(template: str, observability: str, function: str) -> tuple[str, str]:
    """Give a function the alarms of the others. Return both templates: the root, and the one with the alarms."""
    name = function.removesuffix("Function")
    anchor = "        UnknownRouteFunction: !Ref UnknownRouteFunction\n"
    template = _inserted(template, anchor, f"        {function}: !Ref {function}\n", TEMPLATE)
    described = f"  {function}:\n    Type: String\n    Description: The function's name.\n"
    observability = _inserted(observability, "  UnknownRouteFunction:\n", described, OBSERVABILITY)
    # Milliseconds: as the others, 80 % of the time-out in Globals.
    slow = re.search(r"^    UnknownRoute: (\{.+\})$", observability, re.MULTILINE)
    lists = re.findall(r"^    - \[[^]]*\bUnknownRoute,", observability, re.MULTILINE)
    if slow is None or not lists:
        raise Failure(f"{OBSERVABILITY} has no lists of functions with UnknownRoute", f"add {name} by hand")
    observability = observability.replace(f"{slow[0]}\n", f"    {name}: {slow[1]}\n{slow[0]}\n")
    for found in dict.fromkeys(lists):
        extended = f"{found.removesuffix('UnknownRoute,')}\n       {name},\n       UnknownRoute,"
        observability = observability.replace(found, extended)
    return template, observability


def with_rule(rules: str, route: Route, api_id: str) -> str:
    """Add a route for any caller with a valid token to an API's block, after the block's last guarded route."""
    found = re.search(rf'^ids = \["{re.escape(api_id)}"\]\n', rules, re.MULTILINE)
    if found is None:
        raise Failure(f'{RULES} has no block with the id "{api_id}"', f"add the rule for {route.key} by hand")
    end = re.compile(r"^\[\[api\]\]\n", re.MULTILINE).search(rules, found.end())
    block = rules[found.end() : end.start() if end else len(rules)]
    guarded = [
        entry
        for entry in re.finditer(r"^\[\[api\.route\]\]\n(?:\w+ = .*\n)+", block, re.MULTILINE)
        if "public = true" not in entry[0]
    ]
    place = found.end() + (guarded[-1].end() if guarded else 0)
    return f'{rules[:place]}\n[[api.route]]\nroute = "{route.key}"\n{rules[place:]}'


def with_budget(budgets: str, function: str) -> str:
    """Give a function the import budget of one that has no domain."""
    known = json.loads(budgets)
    if _LIKE not in known:
        raise Failure(f"{BUDGETS} has no budget of {_LIKE}", f"add the budget of {function} by hand")
    return json.dumps(dict(sorted({**known, function: known[_LIKE]}.items())), indent=2) + "\n"


def with_contracts(pyproject: str, domain: str) -> str:
    """Add a domain to the contracts of import-linter, and give it a coverage floor."""
    module = f"tenantgate.{domain}"
    for contract, key, name in (
        ("web-apart", "forbidden_modules", module),
        ("domains-meet-in-wiring", "modules", module),
        ("wiring-on-top", "protected_modules", f"{module}.wiring"),
        ("plain", "source_modules", module),
    ):
        pyproject = _in_list(pyproject, contract, key, name)
    start = pyproject.find('id = "floors"')
    head, rest = (pyproject[:start], pyproject[start:]) if start >= 0 else ("", pyproject)
    pyproject = head + _inserted(rest, '    "authorizer",\n', f'    "{domain}",\n', PYPROJECT)
    return _with_floor(pyproject, domain)


def with_block(numbers: str, first: str, domain: str) -> str:
    """Reserve a block of ten error numbers."""
    return _inserted(
        numbers, "    # A new domain takes the next free block.\n", f'    "{first}": "{domain}",\n', NUMBERS
    )


def _in_list(pyproject: str, contract: str, key: str, name: str) -> str:
    found = re.search(rf'^id = "{contract}"\n(?:(?!\[\[).*\n)*?{key} = \[(?P<items>[^\]]*)\]', pyproject, re.MULTILINE)
    if found is None:
        raise Failure(f'{PYPROJECT} has no contract "{contract}" with {key}', f'add "{name}" by hand')
    items = [item.strip() for item in found["items"].split(",") if item.strip()] + [f'"{name}"']
    line = ", ".join(items)
    if len(line) + len(key) + len(" = []") > 120:
        line = "\n" + "".join(f"    {item},\n" for item in items)
    return f"{pyproject[: found.start('items')]}{line}{pyproject[found.end('items') :]}"


def _with_floor(pyproject: str, domain: str) -> str:
    section = re.search(
        r"^\[tool\.tenantgate\.coverage-floors\]\n(?P<floors>(?:\w+ = \d+\n)+)", pyproject, re.MULTILINE
    )
    if section is None:
        raise Failure(f"{PYPROJECT} has no [tool.tenantgate.coverage-floors]", f"add {domain} = 95 by hand")
    lines = section["floors"].splitlines(keepends=True)
    # The packages of `tenantgate` come first, in the order of their names.
    packages = next((place for place, line in enumerate(lines) if line.startswith("functions ")), len(lines))
    place = next((place for place, line in enumerate(lines[:packages]) if line.partition(" ")[0] > domain), packages)
    lines.insert(place, f"{domain} = 95\n")
    return f"{pyproject[: section.start('floors')]}{''.join(lines)}{pyproject[section.end('floors') :]}"


def _inserted(text: str, anchor: str, added: str, file: str) -> str:
    if text.count(f"\n{anchor}") != 1:
        raise Failure(f"{file} has no single line {anchor.strip()!r}", f"add this by hand:\n{added.rstrip()}")
    return text.replace(f"\n{anchor}", f"\n{added}{anchor}")
