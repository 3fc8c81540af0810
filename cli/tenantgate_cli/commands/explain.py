"""`tenantgate explain`: read its input, and print the result as a table or as JSON."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from rich.table import Table
from rich.text import Text

from tenantgate.route_rules.model import CONNECT
from tenantgate_cli.checks.explain import Explanation, Line, Route, explain_token
from tenantgate_cli.checks.registry import code_page
from tenantgate_cli.commands import explain_request
from tenantgate_cli.commands.explain_sources import consulted_rules, consulted_verification
from tenantgate_cli.console import Failure, out, printable, say
from tenantgate_cli.program import as_called
from tenantgate_cli.results import Problem, print_result
from tenantgate_cli.stack.data_folder import DataFolder
from tenantgate_cli.stack.running_stack import running_stack
from tenantgate_cli.stack.variables import environment

_LONGEST = 128 * 1024
_MARKS = {True: ("✓", "green"), False: ("✗", "red"), None: ("–", "dim")}


def run(
    code: str | None,
    token_file: Path | None,
    request_id: str | None,
    *,
    route: str | None,
    api: str | None,
    jwks: Path | None,
    rules: Path | None,
    data_dir: Path,
    as_json: bool,
) -> bool:
    """Explain a code, a token or a request. Return whether a token's request would pass, otherwise True.

    Raises `Failure` when the input doesn't suffice.
    """
    if sum(given is not None for given in (code, token_file, request_id)) != 1:
        raise Failure(
            "say what to explain",
            "tenantgate explain CODE, or tenantgate explain --request ID, or tenantgate explain --token-file F",
        )
    if code is not None:
        page = code_page(code)
        if as_json:
            print_result(ok=True, **page.members())
        else:
            say(str(page))
        return True
    if request_id is not None:
        explain_request.run(request_id, data_dir, as_json_line=as_json)
        return True
    variables, running = environment(), running_stack(DataFolder(data_dir))
    consulted: dict[str, str] = {}
    asked = None
    if route is not None:
        method, path = _parse_route(route)
        found = consulted_rules(rules, api, variables, running)
        asked = Route(method, path, found.rules, found.api_id)
        consulted |= found.words
    elif api is not None:
        raise Failure("--api needs a route", "add --route, such as --route 'GET /orders/42'")
    verification = consulted_verification(jwks, variables, running)
    consulted |= verification.words
    consulted["revoked"] = "not known here: a revoked token may pass these checks"
    explanation = explain_token(_token(token_file).strip(), verification.policy, verification.keys, route=asked)
    if as_json:
        _print_json(explanation, consulted)
    else:
        _print(explanation, consulted)
    return explanation.allowed


def _parse_route(text: str) -> tuple[str, str]:
    """`GET /orders/42` → method and path; raises `Failure`."""
    method, _, path = text.strip().partition(" ")
    if method == CONNECT and not path:
        return CONNECT, ""
    if not method.isalpha() or not path.strip().startswith("/"):
        raise Failure(f"{printable(text)!r} is not a route", "write it as --route 'GET /orders/42'")
    return method.upper(), path.strip()


def _token(file: Path | None) -> str:
    if file is None or str(file) == "-":
        return sys.stdin.read(_LONGEST)
    try:
        with file.open(encoding="utf-8") as opened:
            return opened.read(_LONGEST)
    except (OSError, UnicodeDecodeError) as problem:
        raise Failure(f"{file} can't be read: {problem}", "name a file that holds one token, or - for stdin") from None


def _print(explanation: Explanation, consulted: Mapping[str, str]) -> None:
    for name, words in consulted.items():
        say(Text(f"{name:<7} ", style="dim") + Text(printable(words)))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "check", "expected", "actual", "reason"):
        table.add_column(column, overflow="fold")
    for line in explanation.lines:
        table.add_row(*_row(line))
    out.print(table)
    if explanation.allowed:
        say(Text("would pass", style="green"))
        return
    for line in explanation.lines:
        if line.passed is False:
            say(Text("✗ ", style="red") + Text(printable(f"{line.check}: {line.reason}")))
            explain_request.show_facts(line.facts)
    code = explanation.error
    verdict = f"{code.code}: {code.message} ({code.status})" if code is not None else "would not pass"
    say(Text(verdict, style="red"))


def _row(line: Line) -> tuple[Text, ...]:
    mark, style = _MARKS[line.passed]
    texts = (line.check, line.expected, line.actual, line.reason)
    # Text, not markup, and no control characters: what a token holds must not write to the terminal.
    return (Text(mark, style=style), *(Text(printable(text)) for text in texts))


def _print_json(explanation: Explanation, consulted: Mapping[str, str]) -> None:
    code = explanation.error
    checks = [
        {
            "check": line.check,
            "passed": line.passed,
            "expected": line.expected,
            "actual": line.actual,
            "reason": line.reason or None,
            **{name: as_called(line.facts[name]) for name in ("cause", "remedy") if name in line.facts},
        }
        for line in explanation.lines
    ]
    error = None if code is None else {"code": code.code, "status": code.status, "message": code.message}
    problems = [
        Problem(f"{line.check}: {line.reason}", line.facts.get("remedy", ""))
        for line in explanation.lines
        if line.passed is False
    ]
    print_result(*problems, ok=explanation.allowed, consulted=dict(consulted), error=error, checks=checks)
