"""The rules file: any text gives rules or a list of what is wrong, and rules decide as a plain reader would."""

from __future__ import annotations

import re

from fuzz.judge import Finding
from fuzz.targets import Target, Try
from fuzz.world import NOW
from tenantgate.access.principal import Principal
from tenantgate.access.rules import CONNECT, METHODS, RouteRule, RuleSet
from tenantgate.access.rules_file import RulesError, as_json, load_rules

_NOBODY_SPECIAL = Principal("user-1", "org-1", "https://issuer.example.test", frozenset(), NOW + 600)
_PATHS = (
    "/",
    "/orders",
    "/orders/",
    "/orders/42",
    "/orders/4%32",
    "/orders/%2e%2e/x",
    "//orders",
    "/a/../orders",
    "/x/y/z",
)


def _takes(rule: RouteRule, method: str, path: str) -> bool:
    """Whether the rule takes the request, by a regular expression instead of the trie."""
    if CONNECT in (rule.method, method):
        return rule.method == method
    parts = re.split(r"(\{[^{}]+\})", rule.pattern)
    form = "".join(
        (".+" if part.endswith("+}") else "[^/]+") if part.startswith("{") else re.escape(part) for part in parts
    )
    return rule.method in (method, "ANY") and re.fullmatch(form, path, re.DOTALL) is not None


def _example(rule: RouteRule) -> tuple[str, str]:
    return ("GET" if rule.method == "ANY" else rule.method), re.sub(r"\{[^{}]+\}", "x", rule.pattern)


def _check_decisions(rules: RuleSet) -> None:
    for api_id in (*rules.apis, "another"):
        listed = rules.for_api(api_id).rules
        asked = [_example(rule) for rule in listed] + [(method, path) for path in _PATHS for method in METHODS[:2]]
        for method, path in [*asked, (CONNECT, ""), ("TRACE", "/")]:
            nobody = rules.decide(api_id, method, path, None, now=NOW)
            somebody = rules.decide(api_id, method, path, _NOBODY_SPECIAL, now=NOW)
            for decision in (nobody, somebody):
                if decision.rule is not None and not any(
                    _takes(decision.rule, method, reading) for reading in (path, path.replace("%32", "2"))
                ):
                    raise Finding(f"{decision.rule.route} decided on {method} {path}")
                if decision.allowed and decision.rule is None:
                    raise Finding("allowed without a rule")
            if nobody.allowed and not (nobody.rule and nobody.rule.public):
                raise Finding("nobody was let in where nothing is public")
            if somebody.allowed and somebody.rule is not None and any(somebody.rule.requirement[:5]):
                raise Finding("somebody without scopes and roles met a requirement")
        for rule in listed:
            if rules.decide(api_id, *_example(rule), None, now=NOW).rule is None:
                raise Finding(f"{rule.route} doesn't take its own example")


def _prepare() -> Try:
    def try_bytes(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        try:
            rules = load_rules(text, source="rules")
        except RulesError as refused:
            lines = text.count("\n") + 1
            if not refused.problems or any(line is not None and not 0 < line <= lines for line, _ in refused.problems):
                raise Finding("refused without a problem, or at a line that isn't there") from None
            return
        _check_decisions(rules)
        again = load_rules(as_json(text, source="rules"), source="JSON")
        if {api: one.rules for api, one in again.apis.items()} != {api: one.rules for api, one in rules.apis.items()}:
            raise Finding("other rules once they are JSON")

    return try_bytes


_WHOLE = """version = 1

[[api]]
name = "orders"
ids = ["a1b2c3", "container"]
every_route_listed = true

[[api.route]]
route = "GET /orders/{id}"
scopes = ["orders:read"]
any_scope = ["a", "b"]

[[api.route]]
route = "ANY /files/{path+}"
roles = ["clerk"]
acr = ["urn:example:mfa"]
max_auth_age_seconds = 300

[[api]]
name = "rest"
ids = ["*"]
route = [{ route = "GET /", public = true }, { route = "$connect" }, { route = "POST /orders" }]
"""


def _seeds() -> list[bytes]:
    small = 'version = 1\n[[api]]\nname = "a"\nids = ["*"]\n[[api.route]]\nroute = "ANY /{all+}"\n'
    return [
        _WHOLE.encode(),
        small.encode(),
        as_json(_WHOLE, source="seed").encode(),
        as_json(small, source="seed").encode(),
    ]


_KEYS = ("version", "name", "ids", "every_route_listed", "route", "scopes", "any_scope", "roles", "acr", "public")
_OTHERS = ("[[api]]\n", "[[api.route]]\n", '"""', "'''", "{id}", "{x+}", "$connect", "ANY /", "GET /", "true", '"*"')
_VALUES = ("1979-05-27T07:32:00Z", "inf", "nan", "0x1", "\\u0041", "{ a = 1 }", "max_auth_age_seconds = ")
_LONG = ("[" * 64, "{a=" * 30, "9" * 120)
TARGET = Target("rules", _prepare, _seeds, (*(f"{key} = " for key in _KEYS), *_OTHERS, *_VALUES, *_LONG), longest=16384)
