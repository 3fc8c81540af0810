"""`tenantgate explain`: read its input, and print the result as a table."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path

from rich.table import Table
from rich.text import Text

from tenantgate.authorizer.environment import InvalidEnvironment, route_rules, verification_policy
from tenantgate.route_rules.engine import RuleSet
from tenantgate.route_rules.model import CONNECT
from tenantgate.tokens.fetch import fetch_json
from tenantgate.tokens.issuers import IssuerPolicy
from tenantgate.tokens.jwks import Bundle
from tenantgate.tokens.keys import KeySet
from tenantgate.tokens.policy import TokenPolicy
from tenantgate.tokens.wiring import read_bundle
from tenantgate_cli.checks.explain import Explanation, FindBundle, Line, Route, explain_token
from tenantgate_cli.checks.registry import code_page
from tenantgate_cli.console import Failure, out, printable, say
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
    """Explain a code or a token. Return whether the request would pass, and True for a code.

    Raises `Failure` when the input doesn't suffice.
    """
    if (code is None) == (token_file is None):
        raise Failure("say what to explain", "tenantgate explain CODE, or tenantgate explain --token-file F")
    if code is not None:
        say(code_page(code))
        return True
    variables = environment()
    asked = None
    if route is not None:
        asked = Route(*_parse_route(route), _rules(rules, variables), api_id)
    policy, keys = _verification(variables, jwks, data_dir)
    explanation = explain_token(_token(token_file).strip(), policy, keys, route=asked)
    _print(explanation)
    return explanation.allowed


def _parse_route(text: str) -> tuple[str, str]:
    """`GET /orders/42` → method and path; raises `Failure`."""
    method, _, path = text.strip().partition(" ")
    if method == CONNECT and not path:
        return CONNECT, ""
    if not method.isalpha() or not path.strip().startswith("/"):
        raise Failure(f"{text!r} is not a route", "write it as --route 'GET /orders/42'")
    return method.upper(), path.strip()


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
    """Read policy and keys from the environment; without an issuer there, from the stack that runs on this machine."""
    keys = _bundle_finder(jwks, layer=ROOT / LAYER)
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


def _bundle_finder(jwks: Path | None, *, layer: Path) -> FindBundle:
    """Return key sets from one file for all issuers, or from each issuer's own bundled file."""
    if jwks is not None:
        bundle = read_bundle(str(jwks))
        if bundle is None:
            raise Failure(f"{jwks} is not a usable key set", "give --jwks the JSON document at the issuer's jwks_uri")
        return lambda _: bundle

    def find(issuer: IssuerPolicy) -> Bundle | None:
        if issuer.jwks_file is None:
            return None
        named = Path(issuer.jwks_file)
        built = layer / named.relative_to("/opt") if named.is_relative_to("/opt") else named
        return next((read_bundle(str(file)) for file in (named, built) if file.is_file()), None)

    return find


def _running_keys(url: str) -> FindBundle:
    # Only from loopback: `explain` uses no network.
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
    verdict = f"{code.code}: {code.message} ({code.status}). {code.remedy}" if code is not None else "would not pass"
    say(Text(verdict, style="red"))


def _row(line: Line) -> tuple[Text, ...]:
    mark, style = _MARKS[line.passed]
    texts = (line.check, line.expected, line.actual, line.reason)
    # Text, not markup, and no control characters: what a token holds must not write to the terminal.
    return (Text(mark, style=style), *(Text(printable(text)) for text in texts))
