"""Check the authorizers of a template against a set of route rules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tenantgate.route_rules.engine import ApiRules, RuleSet
from tenantgate.route_rules.file_lines import lines_of
from tenantgate.route_rules.model import CONTAINER_API, OTHER_APIS
from tenantgate_cli.checks.rules_safety import Finding, findings
from tenantgate_cli.checks.rules_template import Guard, read_guards
from tenantgate_cli.console import Failure


class RulesFile:
    """A set of rules, and the lines of its rules in the file."""

    def __init__(self, source: str, text: str, rules: RuleSet) -> None:
        self.source = source
        self.rules = rules
        self._lines = {} if text.startswith("{") else lines_of(text)
        # In the file's order, which the order of the ids follows.
        self.blocks = list({id(block): block for block in rules.apis.values()}.values())

    def place(self, block: ApiRules, route: str) -> str:
        """Return the route and the place of its rule: `"GET /a" (rules.toml:12)`."""
        index = next((i for i, rule in enumerate(block.rules) if rule.route == route), 0)
        place = ("api", self.blocks.index(block), "route", index)
        line = self._lines.get((*place, "route"), self._lines.get(place))
        return f'"{route}" ({self.source}{f":{line}" if line else ""})'


def template_guards(template: str) -> list[Guard]:
    """Return the template's Lambda authorizers. Raises Failure if it has none, or can't be read."""
    guards = read_guards(Path(template))
    if not guards:
        raise Failure(f"{template} has no Lambda authorizer", "tenantgate rules check --template TEMPLATE")
    return guards


def guard_findings(guard: Guard, file: RulesFile, api: str | None) -> Iterator[Finding]:
    """Yield the findings for one authorizer, whose rules have the name `api` if one is given. Raises Failure."""
    block = _block(guard, file.rules, api)
    if block is None:
        yield Finding(
            guard.line,
            f"authorizer {guard.name} guards {guard.api}, which has no rules: every request would be denied",
            f'add "{guard.api}" to the ids of an [[api]] in {file.source}, or name one with --api NAME',
        )
        return
    yield from sorted(findings(guard, block, lambda route: file.place(block, route)))


def _block(guard: Guard, rules: RuleSet, api: str | None) -> ApiRules | None:
    """Find the rules for an API of a template, which doesn't contain the API's id yet.

    The first match wins: the rules with the name `api`, the rules with the API's logical id as an id or as the name,
    the rules of `*`, the only rules.
    """
    named = {block.name: block for block in rules.apis.values()}
    if api is not None:
        if api not in named:
            raise Failure(f'no [[api]] has the name "{api}"', f"one of: {', '.join(named)}")
        return named[api]
    for found in (rules.apis.get(guard.api), named.get(guard.api), rules.apis.get(OTHER_APIS)):
        if found is not None:
            return found
    own = {id(block): block for key, block in rules.apis.items() if key != CONTAINER_API}
    return next(iter(own.values())) if len(own) == 1 else None
