"""The check of a second stack before `tenantgate dev` serves it: `tenantgate rules check --template`, and more.

An unsafe use of the authorizer's cache stops the start, as it fails the command: the local gateway caches as AWS does,
so that callers would get the results of others. Anything else is a warning: it denies requests, or is an API that the
template itself leaves open.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from lambda_gateway.model import Template, TemplateError
from tenantgate.route_rules.file import RulesError, load_rules
from tenantgate_cli.checks.rules_report import RulesFile, guard_findings
from tenantgate_cli.checks.rules_safety import Finding
from tenantgate_cli.checks.rules_template import read_guards
from tenantgate_cli.checks.rules_tenants import tenant_findings
from tenantgate_cli.console import Failure
from tenantgate_cli.paths import shown
from tenantgate_cli.stack.second_stack import SecondStack, unserved


class Notice(NamedTuple):
    """One finding. `stops`: the stack can't be served with it."""

    problem: str
    remedy: str
    stops: bool = False

    def __str__(self) -> str:
        return f"{self.problem}\n  → {self.remedy}"


class SecondStackCheck:
    """The check of one stack, which is repeated when its template or its rules change."""

    def __init__(self, stack: SecondStack) -> None:
        self._stack = stack
        self._shown: list[Notice] = []
        self._found: list[Notice] = []

    def run(self, template: Template, rules: Path, served: Sequence[str]) -> None:
        """Check the template with this rules file. Raises TemplateError, which lists what stops the stack.

        `served` are the names of the APIs that have a port; before any has one, it is empty.
        """
        found = [*notices(self._stack, template, rules), *_added(template, served)]
        stopping = [str(notice) for notice in found if notice.stops]
        if stopping:
            raise TemplateError("\n".join(stopping))
        self._found = found

    def news(self) -> list[Notice]:
        """Return the warnings that the last call didn't return."""
        fresh = [notice for notice in self._found if notice not in self._shown]
        self._shown = self._found
        return fresh


def _added(template: Template, served: Sequence[str]) -> Iterator[Notice]:
    """Yield the APIs that the running stack doesn't serve, because the template didn't have them at the start."""
    for api in template.apis[1:] if served else ():
        if api.name not in served:
            yield Notice(f"{api.id}, {api.kind}, was added and isn't served yet", "stop, and start again: make dev")


def notices(stack: SecondStack, template: Template, rules: Path) -> Iterator[Notice]:
    """Yield every finding. `rules` is the file that the authorizer reads."""
    for problem, remedy in unserved(template.unserved):
        yield Notice(problem, remedy)
    try:
        guards = read_guards(stack.path)
    except Failure as failure:
        raise TemplateError(str(failure)) from None
    path = shown(stack.path)
    yield from (_of_template(path, finding) for finding in tenant_findings(stack.path))
    if not guards:
        yield from _unguarded(path, template)
        return
    if stack.note:
        # The ready lines say that it has no rules.
        return
    source = shown(rules)
    try:
        text = rules.read_text("utf-8")
        file = RulesFile(source, text, load_rules(text))
    except (OSError, UnicodeDecodeError) as error:
        yield Notice(f"{source} can't be read: {error}", "correct the path or the file", stops=True)
        return
    except RulesError as error:
        for line, problem in error.problems:
            yield Notice(f"{source}:{line}: {problem}" if line else f"{source}: {problem}", "correct it", stops=True)
        return
    for guard in guards:
        for finding in guard_findings(guard, file, None):
            yield _of_template(path, finding)


def _unguarded(path: str, template: Template) -> Iterator[Notice]:
    """Yield a notice, unless API Gateway's own JWT authorizers guard the second stack: they have no rules to check."""
    if not any(api.jwt_authorizers for api in template.apis[1:]):
        yield Notice(f"{path} has no authorizer: every caller may use its APIs", "see docs/GUARD_YOUR_API.md")


def _of_template(path: str, finding: Finding) -> Notice:
    return Notice(f"{path}:{finding.line}: {finding.problem}", finding.remedy, finding.unsafe)
