"""The document of a rules file, checked and turned into rules. `file.py` describes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from string import ascii_letters, digits

from tenantgate.route_rules.engine import ApiRules, RuleSet
from tenantgate.route_rules.matching import segments
from tenantgate.route_rules.model import ANY, CONNECT, METHODS, OTHER_APIS, RouteRule

API_KEYS = ("name", "ids", "every_route_listed", "route")
ROUTE_KEYS = ("route", "scopes", "any_scope", "roles", "acr", "max_auth_age_seconds", "issuers", "public")
# A policy's resource has at most 512 characters, including the ARN before the path.
_LONGEST_PATTERN = 256
_LONGEST_API_ID = 64
_LONGEST_AGE_SECONDS = 31_536_000
# Sets of characters, because each regular expression would be compiled at every cold start.
_API_ID = frozenset(ascii_letters + digits + "-")
# RFC 3986's pchar without `%` and `;` (one spelling for one path) and `*` (a wildcard in a policy).
_LITERAL = frozenset(ascii_letters + digits + "-._~!$&'()+,=:@")
_PARAMETER = frozenset(ascii_letters + digits + "._-")
# RFC 6749 §3.3, whose lists have spaces between scopes and may be in quotes.
_SCOPE = frozenset(map(chr, range(0x21, 0x7F))) - {'"', "\\"}
_SCOPE_FORM = "{} without spaces, quotes and backslashes"

# A place in the document: ("api", 0, "route", 2, "scopes").
type Place = tuple[str | int, ...]
type Problems = list[tuple[Place, str]]
type _Table = Mapping[str, object]


def rule_set(document: _Table, problems: Problems) -> RuleSet:
    """Return the rules of a document, and append every problem. With problems, the rules are incomplete."""
    if document.get("version") != 1 or isinstance(document.get("version"), bool):
        problems.append((("version",), "version must be 1"))
    _check_keys(document, ("version", "api"), (), problems)
    apis: dict[str, ApiRules] = {}
    names: set[str] = set()
    tables = _tables(document, "api", (), problems)
    if not tables and "api" not in document:
        problems.append(((), "has no [[api]]: every request would be denied"))
    for index, table in enumerate(tables):
        place: Place = ("api", index)
        _check_keys(table, API_KEYS, place, problems)
        name = table.get("name")
        if not isinstance(name, str) or not name.strip():
            problems.append(((*place, "name"), "name must be a text that identifies this API"))
            name = ""
        elif name in names:
            problems.append(((*place, "name"), f'name "{name}" is already the name of an API above'))
        names.add(name)
        listed = _truth(table, "every_route_listed", place, problems)
        rules = ApiRules(name, _routes(table, place, problems), every_route_listed=listed)
        form = 'API Gateway\'s API ids, "container" or "*"'
        # Sorted, so that every build writes the same rules.
        for api_id in sorted(_texts(table, "ids", _is_api_id, form, place=place, problems=problems, required=True)):
            if api_id in apis:
                problems.append(((*place, "ids"), f'API id "{api_id}" is already in an API above'))
            apis[api_id] = rules
    return RuleSet(apis)


def _routes(api: _Table, place: Place, problems: Problems) -> list[RouteRule]:
    rules: list[RouteRule] = []
    seen: dict[tuple[str, tuple[str, ...]], str] = {}
    tables = _tables(api, "route", place, problems)
    if not tables and "route" not in api:
        problems.append((place, "has no [[api.route]]: every request to this API would be denied"))
    for index, table in enumerate(tables):
        here: Place = (*place, "route", index)
        rule = _route(table, here, problems)
        if rule is None:
            continue
        shape = (rule.method, segments(rule.pattern))
        if shape in seen:
            problems.append(((*here, "route"), f'"{rule.route}" matches the same requests as "{seen[shape]}" above'))
        seen[shape] = rule.route
        rules.append(rule)
    return rules


def _route(table: _Table, place: Place, problems: Problems) -> RouteRule | None:
    before = len(problems)
    _check_keys(table, ROUTE_KEYS, place, problems)
    text = table.get("route")
    method, pattern = "", ""
    if not isinstance(text, str):
        problems.append(((*place, "route"), 'route must be a method and a path, such as "GET /orders/{id}"'))
    elif problem := _route_problem(text):
        problems.append(((*place, "route"), f'"{text}": {problem}'))
    else:
        method, _, pattern = text.partition(" ")

    def texts(key: str, is_valid: Callable[[str], bool] | None, form: str) -> frozenset[str]:
        return _texts(table, key, is_valid, form, place=place, problems=problems)

    scopes = texts("scopes", _SCOPE.issuperset, _SCOPE_FORM.format("scopes"))
    any_scope = texts("any_scope", _SCOPE.issuperset, _SCOPE_FORM.format("scopes"))
    roles = texts("roles", None, "names of roles")
    acr = texts("acr", _SCOPE.issuperset, _SCOPE_FORM.format("acr values"))
    issuers = texts("issuers", _is_issuer, "issuers as in the claim iss")
    age = table.get("max_auth_age_seconds")
    if age is not None and (not isinstance(age, int) or isinstance(age, bool) or not 0 <= age <= _LONGEST_AGE_SECONDS):
        form = f"max_auth_age_seconds must be a whole number from 0 to {_LONGEST_AGE_SECONDS}"
        problems.append(((*place, "max_auth_age_seconds"), form))
    public = _truth(table, "public", place, problems)
    if public and (others := sorted(set(table) & set(ROUTE_KEYS[1:-1]))):
        problems.append(((*place, "public"), f"a public route requires nothing; remove public or {', '.join(others)}"))
    if len(problems) > before:
        return None
    max_auth_age = age if isinstance(age, int) else None
    return RouteRule(method, pattern, scopes, any_scope, roles, acr or None, max_auth_age, public, issuers)


def _route_problem(text: str) -> str | None:
    """Describe the mistake in `METHOD /path` and its correction; None if there is no mistake."""
    if text == CONNECT:
        return None
    method, space, pattern = text.partition(" ")
    if method not in (*METHODS, ANY):
        return f"must begin with one of {', '.join(METHODS)}, {ANY} (or be {CONNECT})"
    if not space or not pattern.startswith("/"):
        return f'must have one space and a path that begins with /, such as "{method} /orders"'
    if len(pattern) > _LONGEST_PATTERN:
        return f"the path must have at most {_LONGEST_PATTERN} characters"
    return _path_problem(pattern.split("/")[1:])


def _path_problem(parts: list[str]) -> str | None:
    if "" in parts[:-1]:
        return "has an empty segment (//), which no request has"
    if any(part.endswith("+}") for part in parts[:-1]):
        return "may have {name+} only at the end"
    for part in parts:
        if "{" in part or "}" in part:
            name = part[1:-1].removesuffix("+")
            if part[0] != "{" or part[-1] != "}" or not name or not _PARAMETER.issuperset(name):
                return f'"{part}" must be {{name}} or {{name+}} as a whole segment'
        elif part[-1:] == "." or not _LITERAL.issuperset(part):
            allowed = "A-Z a-z 0-9 and -._~!$&'()+,=:@, no dot segment and no dot at the end"
            return f'"{part}" must consist of the characters {allowed}'
    return None


def _check_keys(table: _Table, known: tuple[str, ...], place: Place, problems: Problems) -> None:
    for key in table:
        if key not in known:
            from difflib import get_close_matches  # noqa: PLC0415  (only for a file with mistakes)

            near = get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"the known keys are {', '.join(known)}"
            problems.append(((*place, key), f'"{key}" is not a known key; {hint}'))


def _tables(table: _Table, key: str, place: Place, problems: Problems) -> list[_Table]:
    value = table.get(key, [])
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return value
    problems.append(((*place, key), f"write [[{'.'.join(str(p) for p in (*place, key) if isinstance(p, str))}]]"))
    return []


def _texts(
    table: _Table,
    key: str,
    is_valid: Callable[[str], bool] | None,
    form: str,
    *,
    place: Place,
    problems: Problems,
    required: bool = False,
) -> frozenset[str]:
    value = table.get(key)
    if value is None and not required:
        return frozenset()
    if not isinstance(value, list) or not value or not all(isinstance(item, str) and item.strip() for item in value):
        problems.append(((*place, key), f"{key} must be a list of {form}, and not empty"))
        return frozenset()
    for item in value:
        if is_valid is not None and not is_valid(item):
            problems.append(((*place, key), f'{key}: "{item}" is not allowed; use {form}'))
    return frozenset(value)


def _is_issuer(text: str) -> bool:
    return text.isprintable() and " " not in text


def _is_api_id(text: str) -> bool:
    return text == OTHER_APIS or (len(text) <= _LONGEST_API_ID and _API_ID.issuperset(text))


def _truth(table: _Table, key: str, place: Place, problems: Problems) -> bool:
    value = table.get(key, False)
    if isinstance(value, bool):
        return value
    problems.append(((*place, key), f"{key} must be true or false"))
    return False
