"""The command line of `tenantgate explain`: what it reads, and the table that it prints."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from rich.table import Table
from rich.text import Text

from tenantgate.authorizer.environment import InvalidEnvironment, route_rules, verification_policy
from tenantgate.route_rules.engine import RuleSet
from tenantgate.tokens.fetch import fetch_json
from tenantgate.tokens.jwks import Bundle
from tenantgate.tokens.keys import KeySet
from tenantgate.tokens.policy import TokenPolicy
from tenantgate_cli.checks.explain import (
    Explanation,
    FindBundle,
    Line,
    Route,
    bundle_finder,
    code_page,
    explain_token,
    parse_route,
)
from tenantgate_cli.console import Failure, out, say
from tenantgate_cli.paths import LAYER, ROOT, RULES
from tenantgate_cli.stack.data_folder import DataFolder
from tenantgate_cli.stack.variables import BUILT_IN_AUDIENCE, environment

_LONGEST = 128 * 1024
_MARKS = {True: ("✓", "green"), False: ("✗", "red"), None: ("–", "dim")}


def run(
    code: str | None,
    token_file: Path | None,
    *,
    route: str | None,
    api_id: str,
    jwks: Path | None,
    rules: Path | None,
    data_dir: Path,
) -> bool:
    """Whether the request would pass; True for a code that was explained. Raises Failure when it can't tell."""
    if (code is None) == (token_file is None):
        raise Failure("say what to explain", "tenantgate explain CODE, or tenantgate explain --token-file F")
    if code is not None:
        say(code_page(code))
        return True
    variables = environment()
    asked = None
    if route is not None:
        asked = Route(*parse_route(route), _rules(rules, variables), api_id)
    policy, keys = _verification(variables, jwks, data_dir)
    explanation = explain_token(_token(token_file).strip(), policy, keys, route=asked)
    _print(explanation)
    return explanation.allowed


def _token(file: Path | None) -> str:
    if file is None or str(file) == "-":
        return sys.stdin.read(_LONGEST)
    try:
        with file.open(encoding="utf-8") as opened:
            return opened.read(_LONGEST)
    except (OSError, UnicodeDecodeError) as problem:
        raise Failure(f"{file} can't be read: {problem}", "name a file that holds one token, or - for stdin") from None


def _rules(file: Path | None, variables: Mapping[str, str]) -> RuleSet:
    named = {**variables, "ROUTE_RULES_FILE": str(file)} if file is not None else variables
    try:
        return route_rules(str(RULES), named)
    except InvalidEnvironment as problem:
        raise Failure(str(problem), "tenantgate rules check FILE") from None


def _verification(variables: Mapping[str, str], jwks: Path | None, data_dir: Path) -> tuple[TokenPolicy, FindBundle]:
    """By the caller's environment; without an issuer in it, by the stack that runs on this machine."""
    keys = bundle_finder(jwks, layer=ROOT / LAYER)
    if not variables.get("OIDC_ISSUER_URL") and not variables.get("TRUSTED_ISSUERS"):
        running = DataFolder(data_dir).running().get("url")
        if not running:
            raise Failure(
                "no issuer is configured, and no stack runs here",
                "set OIDC_ISSUER_URL and OIDC_AUDIENCE (or TRUSTED_ISSUERS) as the authorizer has them",
            )
        issuer = {"OIDC_ISSUER_URL": f"{running}/idp", "OIDC_AUDIENCE": BUILT_IN_AUDIENCE, "ENVIRONMENT": "development"}
        variables = {**variables, **issuer}
        if jwks is None:
            keys = _running_keys(f"{running}/idp/jwks")
    try:
        return verification_policy(variables), keys
    except InvalidEnvironment as problem:
        raise Failure(str(problem), "set these variables as the authorizer has them") from None


def _running_keys(url: str) -> FindBundle:
    # Loopback alone: the stack on this machine is no network.
    import time  # noqa: PLC0415

    bundle = Bundle(KeySet.parse(fetch_json(url, timeout=5)), time.time())
    return lambda _: bundle


def _print(explanation: Explanation) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "check", "expected", "actual", "reason"):
        table.add_column(column, overflow="fold")
    for line in explanation.lines:
        table.add_row(*_row(line))
    out.print(table)
    if explanation.allowed:
        say(Text("would pass", style="green"))
        return
    code = explanation.error
    said = f"{code.code}: {code.message} ({code.status}). {code.remedy}" if code is not None else "would not pass"
    say(Text(said, style="red"))


def _row(line: Line) -> tuple[Text, ...]:
    mark, style = _MARKS[line.passed]
    texts = (line.check, line.expected, line.actual, line.reason)
    # Text, not markup: a token's words must not paint the terminal, and control characters never reach it.
    return (Text(mark, style=style), *(Text("".join(c if c.isprintable() else "?" for c in text)) for text in texts))
