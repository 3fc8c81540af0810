"""`tenantgate rules`: check a rules file and a template that uses the authorizer, or convert the file to JSON."""

from __future__ import annotations

import os
from pathlib import Path

from rich.text import Text

from tenantgate.route_rules.file import RulesError, as_json, load_rules
from tenantgate_cli.checks.rules_report import RulesFile, guard_findings, template_guards
from tenantgate_cli.console import Failure, err, say
from tenantgate_cli.paths import RULES, shown


def check(file: Path | None, template: Path | None, api: str | None) -> bool:
    """Print every finding with its line. Return True if nothing was found. Raises Failure if a file can't be read."""
    source = shown(file or Path(os.environ.get("ROUTE_RULES_FILE") or RULES))
    try:
        text = Path(source).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{source} can't be read: {error}", "tenantgate rules check FILE") from None
    try:
        rules = RulesFile(source, text, load_rules(text))
    except RulesError as error:
        for line, problem in error.problems:
            _show(source, line, problem)
        return False
    count = sum(len(block.rules) for block in rules.blocks)
    say(f"{source}: {_counted(len(rules.blocks), 'API')}, {_counted(count, 'rule')} ✓")
    return template is None or _check_template(shown(template), rules, api)


def compiled(file: Path) -> str:
    """Return the rules as JSON. Raises Failure."""
    try:
        return as_json(file.read_text("utf-8"))
    except RulesError as error:
        raise Failure(error.located(shown(file)), f"tenantgate rules check {file}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{file} can't be read: {error}", "tenantgate rules json FILE") from None


def _check_template(template: str, rules: RulesFile, api: str | None) -> bool:
    guards = template_guards(template)
    found = [finding for guard in guards for finding in guard_findings(guard, rules, api)]
    for finding in found:
        _show(template, finding.line, finding.problem, finding.remedy)
    if not found:
        say(f"{template}: {_counted(len(guards), 'authorizer')} ✓")
    return not found


def _show(file: str, line: int | None, problem: str, remedy: str = "") -> None:
    place = f"{file}:{line}" if line else file
    err.print(Text("✗ ", style="red") + Text(f"{place}: {problem}"), soft_wrap=True)
    if remedy:
        err.print(Text("  → ", style="green") + Text(remedy), soft_wrap=True)


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"
