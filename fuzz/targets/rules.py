"""The rules file: any text gives rules or a list of problems, and the rules decide as a simple matcher would."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable
from urllib.parse import unquote

from fuzz.judge import Finding
from fuzz.targets import Target, Try
from fuzz.world import NOW
from tenantgate.identity.principal import Principal
from tenantgate.route_rules.engine import RuleSet, unmet
from tenantgate.route_rules.file import RulesError, as_json, load_rules
from tenantgate.route_rules.matching import readings
from tenantgate.route_rules.model import CONNECT, METHODS, RouteRule

_ISSUER = "https://issuer.example.test"
# Some ways in which routers read a path (docs/ROUTE_RULES.md), independent of the product's list.
_FOLDS: tuple[Callable[[str], str], ...] = (
    lambda path: unquote(path, errors="replace"),
    lambda path: path.rstrip("/") or "/",
    lambda path: re.sub("/{2,}", "/", path),
    lambda path: posixpath.normpath("/" + path.lstrip("/")),
    lambda path: re.sub(";[^/]*", "", path),
    lambda path: path.replace("\\", "/"),
    lambda path: re.sub("[\t\r\n]", "", path).rstrip("".join(map(chr, range(0x21)))),
    lambda path: re.split(r"[?#]", path, maxsplit=1)[0],
    lambda path: "/".join(part if set(part) <= {"."} else part.rstrip(". ") for part in path.split("/")),
)
# Precedes the path in an input: the line after the rules, if present.
_ASKED = "\n#ask "
_PLAIN_CALLER = Principal("user-1", "org-1", _ISSUER, frozenset(), NOW + 600)
_PATHS = (
    "/",
    "/orders",
    "/orders/",
    "/orders/42",
    "/orders/4%32",
    "/orders/42/",
    "/orders;v/42",
    "/orders%2F42",
    "/orders.",
    "/orders%0a",
    "/x/..;/orders",
    "/orders/%2e%2e/x",
    "//orders",
    "/a/../orders",
    "/x/y/z",
)


def _takes(rule: RouteRule, method: str, path: str) -> bool:
    """Return whether the rule matches the request, by a regular expression instead of the trie."""
    if CONNECT in (rule.method, method):
        return rule.method == method
    parts = re.split(r"(\{[^{}]+\})", rule.pattern)
    form = "".join(
        (".+" if part.endswith("+}") else "[^/]+") if part.startswith("{") else re.escape(part) for part in parts
    )
    return rule.method in (method, "ANY") and re.fullmatch(form, path, re.DOTALL) is not None


def _read_as(path: str) -> set[str]:
    found = fresh = {path}
    for _ in range(3):
        fresh = {fold(one) or "/" for one in fresh for fold in _FOLDS} - found
        found = found | fresh
    return {one for one in found if one[:1] == "/"}


def _check_spellings(rules: RuleSet, path: str) -> None:
    """Check that an allowed request is allowed under every spelling of its path."""
    for api_id in rules.apis:
        api = rules.for_api(api_id)
        for caller in (None, _PLAIN_CALLER):
            decision = api.decide("GET", path, caller, now=NOW)
            if not decision.allowed:
                continue
            for read in _read_as(path):
                rule = api.match("GET", read)
                if rule is not None and not (rule.public or (caller and unmet(rule, caller, NOW) is None)):
                    raise Finding(f"{path!r} passes, but {rule.route} denies {read!r}")
            for route in (*(rule.pattern for rule in api.rules), "$default", "/{proxy+}"):
                with_route = api.decide("GET", path, caller, now=NOW, route=route)
                if with_route.allowed and not decision.allowed:
                    raise Finding("a route allowed a request that its path doesn't")


def _example(rule: RouteRule) -> tuple[str, str]:
    return ("GET" if rule.method == "ANY" else rule.method), re.sub(r"\{[^{}]+\}", "x", rule.pattern)


def _check_decisions(rules: RuleSet) -> None:
    for api_id in (*rules.apis, "another"):
        listed = rules.for_api(api_id).rules
        asked = [_example(rule) for rule in listed] + [(method, path) for path in _PATHS for method in METHODS[:2]]
        for method, path in [*asked, (CONNECT, ""), ("TRACE", "/")]:
            anonymous = rules.decide(api_id, method, path, None, now=NOW)
            identified = rules.decide(api_id, method, path, _PLAIN_CALLER, now=NOW)
            for decision in (anonymous, identified):
                if decision.rule is not None and not any(
                    _takes(decision.rule, method, reading) or _takes(decision.rule, method, f"{reading}/")
                    for reading in readings(path) or ("",)
                ):
                    raise Finding(f"{decision.rule.route} decided on {method} {path}")
                if decision.allowed and decision.rule is None:
                    raise Finding("allowed without a rule")
            if anonymous.allowed and not (anonymous.rule and anonymous.rule.public):
                raise Finding("an anonymous caller passed a rule that is not public")
            if (
                identified.allowed
                and identified.rule is not None
                and any((*identified.rule.requirement[:5], identified.rule.issuers - {_ISSUER}))
            ):
                raise Finding("a caller without scopes and roles met a requirement")
        for rule in listed:
            if rules.decide(api_id, *_example(rule), None, now=NOW).rule is None:
                raise Finding(f"{rule.route} doesn't match its own example")


def _prepare() -> Try:
    def try_bytes(data: bytes) -> None:
        text, _, asked = data.decode("utf-8", "replace").partition(_ASKED)
        try:
            rules = load_rules(text)
        except RulesError as refused:
            lines = text.count("\n") + 1
            if not refused.problems or any(line is not None and not 0 < line <= lines for line, _ in refused.problems):
                raise Finding("rejected without a problem, or at a line that doesn't exist") from None
            return
        _check_decisions(rules)
        _check_spellings(rules, f"/{asked}")
        if RuleSet.from_checked(json.loads(json.dumps(rules.checked()))).checked() != rules.checked():
            raise Finding("checked rules differ from the rules")
        again = load_rules(as_json(text))
        if {api: one.rules for api, one in again.apis.items()} != {api: one.rules for api, one in rules.apis.items()}:
            raise Finding("rules as JSON differ from the rules")

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
issuers = ["https://issuer.example.test"]

[[api]]
name = "rest"
ids = ["*"]
route = [{ route = "GET /", public = true }, { route = "$connect" }, { route = "POST /orders" }]
"""


_DOOR = """version = 1
[[api]]
name = "door"
ids = ["*"]
route = [
  { route = "GET /admin", scopes = ["admin"] },
  { route = "GET /orders/{id}", issuers = ["https://another.example.test"] },
  { route = "GET /a/", roles = ["clerk"] },
  { route = "GET /{path+}" },
]
"""
_SPELLED = ("admin/", "%61dmin", "admin%2F", "admin;v", "admin.", "admin%20", "admin%0a", "x/../admin", "a", "b/c")


def _seeds() -> list[bytes]:
    small = 'version = 1\n[[api]]\nname = "a"\nids = ["*"]\n[[api.route]]\nroute = "ANY /{all+}"\n'
    return [
        _WHOLE.encode(),
        small.encode(),
        as_json(_WHOLE).encode(),
        as_json(small).encode(),
        *(f"{_DOOR}{_ASKED}{path}".encode() for path in _SPELLED),
    ]


_KEYS = (
    "version",
    "name",
    "ids",
    "every_route_listed",
    "route",
    "scopes",
    "any_scope",
    "roles",
    "acr",
    "public",
    "issuers",
)
_OTHERS = ("[[api]]\n", "[[api.route]]\n", '"""', "'''", "{id}", "{x+}", "$connect", "ANY /", "GET /", "true", '"*"')
_VALUES = ("1979-05-27T07:32:00Z", "inf", "nan", "0x1", "\\u0041", "{ a = 1 }", "max_auth_age_seconds = ")
_ODD = (_ASKED, "%2F", "%2e", "%25", "%0a", "..", ";", "\\", "//", "%5c", "#", "?", "%20", "%00")
_LONG = ("[" * 64, "{a=" * 30, "9" * 120)
TARGET = Target(
    "rules", _prepare, _seeds, (*(f"{key} = " for key in _KEYS), *_OTHERS, *_VALUES, *_ODD, *_LONG), longest=16384
)
