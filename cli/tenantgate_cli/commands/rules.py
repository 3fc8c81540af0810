"""`tenantgate rules`: what is wrong with a rules file, or with a template that puts APIs behind the authorizer."""

from __future__ import annotations

import os
from pathlib import Path

from rich.text import Text

from tenantgate.route_rules.engine import ApiRules, RuleSet
from tenantgate.route_rules.file import RulesError, as_json, load_rules
from tenantgate.route_rules.file_lines import lines_of
from tenantgate.route_rules.model import CONTAINER_API, OTHER_APIS
from tenantgate_cli.checks.rules_safety import Finding, findings
from tenantgate_cli.checks.rules_template import Guard, read_guards
from tenantgate_cli.console import Failure, err, say
from tenantgate_cli.paths import RULES, shown


def check(file: Path | None, template: Path | None, api: str | None) -> bool:
    """Whether nothing is to be mended; what is, is printed with its line. Raises Failure when a file can't be read."""
    source = shown(file or Path(os.environ.get("ROUTE_RULES_FILE") or RULES))
    try:
        text = Path(source).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{source} can't be read: {error}", "tenantgate rules check FILE") from None
    try:
        rules = load_rules(text)
    except RulesError as error:
        for line, problem in error.problems:
            _complain(source, line, problem)
        return False
    blocks = {id(block): block for block in rules.apis.values()}.values()
    say(f"{source}: {_many(len(blocks), 'API')}, {_many(sum(len(block.rules) for block in blocks), 'rule')} ✓")
    return template is None or _check_template(shown(template), rules, _Lines(source, text, rules), api)


def compiled(file: Path) -> str:
    """The rules as JSON. Raises Failure."""
    try:
        return as_json(file.read_text("utf-8"))
    except RulesError as error:
        raise Failure(error.located(shown(file)), f"tenantgate rules check {file}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{file} can't be read: {error}", "tenantgate rules json FILE") from None


def _check_template(template: str, rules: RuleSet, lines: _Lines, api: str | None) -> bool:
    guards = read_guards(Path(template))
    if not guards:
        raise Failure(f"{template} has no Lambda authorizer", "tenantgate rules check --template TEMPLATE")
    sound = True
    for guard in guards:
        block = _block(guard, rules, api)
        found: list[Finding] = (
            [
                Finding(
                    guard.line,
                    f"authorizer {guard.name} guards {guard.api}, which has no rules: everything would be denied",
                    f'add "{guard.api}" to the ids of an [[api]] in {lines.source}, or name one with --api NAME',
                )
            ]
            if block is None
            else list(findings(guard, block, lambda route, block=block: lines.of(block, route)))  # type: ignore[misc]
        )
        for finding in sorted(found):
            sound = False
            _complain(template, finding.line, finding.problem, finding.mend)
    if sound:
        say(f"{template}: {_many(len(guards), 'authorizer')} ✓")
    return sound


def _block(guard: Guard, rules: RuleSet, api: str | None) -> ApiRules | None:
    """The rules for an API of a template, which doesn't know its id yet: the block named on the command line, that with
    the API's logical id among its ids or as its name, that of `*`, or the only one."""
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


class _Lines:
    """Where rules stand in their file."""

    def __init__(self, source: str, text: str, rules: RuleSet) -> None:
        self.source = source
        self._lines = {} if text.startswith("{") else lines_of(text)
        # Blocks in the order of the file, which that of their ids keeps.
        self._blocks = list({id(block): block for block in rules.apis.values()}.values())

    def of(self, block: ApiRules, route: str) -> str:
        index = next((i for i, rule in enumerate(block.rules) if rule.route == route), 0)
        place = ("api", self._blocks.index(block), "route", index)
        line = self._lines.get((*place, "route"), self._lines.get(place))
        return f'"{route}" ({self.source}{f":{line}" if line else ""})'


def _complain(file: str, line: int | None, problem: str, mend: str = "") -> None:
    where = f"{file}:{line}" if line else file
    err.print(Text("✗ ", style="red") + Text(f"{where}: {problem}"), soft_wrap=True)
    if mend:
        err.print(Text("  → ", style="green") + Text(mend), soft_wrap=True)


def _many(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"
