"""`tenantgate rules`: check a rules file and a template that uses the authorizer, or convert the file to JSON."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tenantgate.route_rules.file import RulesError, as_json, load_rules
from tenantgate_cli.checks.rules_report import RulesFile, guard_findings, template_guards
from tenantgate_cli.checks.rules_revocation import revocation_delays
from tenantgate_cli.checks.rules_tenants import tenant_findings
from tenantgate_cli.console import Failure, say, show_failure
from tenantgate_cli.paths import RULES, shown
from tenantgate_cli.results import Problem, print_result

_THINGS = {"apis": "API", "rules": "rule", "authorizers": "authorizer"}


def check(file: Path | None, template: Path | None, api: str | None, *, as_json: bool = False) -> bool:
    """Print every finding with its line. Return True if nothing was found. Raises Failure if a file can't be read."""
    checked: list[dict[str, object]] = []
    problems = list(_findings(file, template, api, checked))
    delays = [] if template is None else revocation_delays(template_guards(shown(template)))
    if as_json:
        print_result(*problems, checked=checked, revocation=[delay._asdict() for delay in delays])
        return not problems
    for passed in checked:
        counts = ", ".join(_counted(count, _THINGS[name]) for name, count in passed.items() if isinstance(count, int))
        say(f"{passed['file']}: {counts} ✓")
    for delay in delays:
        say(str(delay))
    for problem in problems:
        _show(problem)
    return not problems


def _findings(
    file: Path | None, template: Path | None, api: str | None, checked: list[dict[str, object]]
) -> Iterator[Problem]:
    """Yield the findings, and add each file without any to `checked`, with the number of things in it."""
    source = shown(file or Path(os.environ.get("ROUTE_RULES_FILE") or RULES))
    try:
        text = Path(source).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{source} can't be read: {error}", "tenantgate rules check FILE") from None
    try:
        rules = RulesFile(source, text, load_rules(text))
    except RulesError as error:
        for line, problem in error.problems:
            yield Problem(problem, file=source, line=line)
        return
    count = sum(len(block.rules) for block in rules.blocks)
    checked.append({"file": source, "apis": len(rules.blocks), "rules": count})
    if template is None:
        return
    name = shown(template)
    guards = template_guards(name)
    found = [finding for guard in guards for finding in guard_findings(guard, rules, api)]
    found += tenant_findings(Path(name))
    for finding in found:
        yield Problem(finding.problem, finding.remedy, file=name, line=finding.line)
    if not found:
        checked.append({"file": name, "authorizers": len(guards)})


def compiled(file: Path) -> str:
    """Return the rules as JSON. Raises Failure."""
    try:
        return as_json(file.read_text("utf-8"))
    except RulesError as error:
        raise Failure(error.located(shown(file)), f"tenantgate rules check {file}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{file} can't be read: {error}", "tenantgate rules json FILE") from None


def _show(problem: Problem) -> None:
    place = f"{problem.file}:{problem.line}" if problem.line else problem.file
    show_failure(Failure(f"{place}: {problem.problem}", problem.remedy))


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"
