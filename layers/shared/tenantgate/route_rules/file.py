"""The rules file: text in, rules or every problem with its line out.

    version = 1

    [[api]]
    name = "orders"
    ids = ["a1b2c3d4e5"]            # API Gateway's API ids; "*": every API without a block of its own
    every_route_listed = true       # optional; see authorizer/iam_policy.py

    [[api.route]]
    route = "GET /orders/{id}"      # a method or ANY; {id} is one segment, {path+} at the end all that follows
    scopes = ["orders:read"]        # all of these
    any_scope = ["a", "b"]          # at least one of these
    roles = ["clerk", "auditor"]    # at least one of these
    acr = ["urn:example:mfa"]       # one of these (RFC 9470)
    max_auth_age_seconds = 300
    issuers = ["https://a.example"] # one of these issued the token
    public = true                   # no credential is asked for; stands alone

TOML is what people write; the same document as JSON loads without the TOML parser. `python -m
tenantgate.route_rules.file FILE.toml` checks the rules and prints them as `RuleSet.from_checked` reads them: the
authorizer's build ships that.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from string import ascii_letters, digits

from tenantgate.route_rules.engine import ApiRules, RuleSet
from tenantgate.route_rules.matching import segments
from tenantgate.route_rules.model import ANY, CONNECT, METHODS, OTHER_APIS, RouteRule

# A policy's resource is at most 512 characters long, the ARN before the path included.
LONGEST_PATTERN = 256
_API_KEYS = ("name", "ids", "every_route_listed", "route")
_ROUTE_KEYS = ("route", "scopes", "any_scope", "roles", "acr", "max_auth_age_seconds", "issuers", "public")
_LONGEST_API_ID = 64
# Sets of characters, since each regular expression would be compiled at every cold start.
_API_ID = frozenset(ascii_letters + digits + "-")
# RFC 3986's pchar without `%` and `;` (one spelling for one path) and `*` (a wildcard in a policy).
_LITERAL = frozenset(ascii_letters + digits + "-._~!$&'()+,=:@")
_PARAMETER = frozenset(ascii_letters + digits + "._-")
# RFC 6749 §3.3; a list of them is written with spaces between, and in quotes.
_SCOPE = frozenset(map(chr, range(0x21, 0x7F))) - {'"', "\\"}

# A place in the document: ("api", 0, "route", 2, "scopes").
type Place = tuple[str | int, ...]
type Problems = list[tuple[Place, str]]


class RulesError(Exception):
    """Rules that can't be used. `problems`: the line of each (None for the whole file), and what is wrong there.

    The text leaves out the file's name: it comes from a setting, which may hold a URL with a password by mistake.
    A caller that shows the name masks it first.
    """

    def __init__(self, problems: list[tuple[int | None, str]]) -> None:
        super().__init__("\n".join(f"line {line}: {problem}" if line else problem for line, problem in problems))
        self.problems = problems

    def located(self, file: str) -> str:
        """One line of text for each problem, as `file:line: problem`."""
        return "\n".join(f"{file}{f':{line}' if line else ''}: {problem}" for line, problem in self.problems)


def load_rules(text: str) -> RuleSet:
    """The rules in `text`, JSON if it begins with `{`, else TOML. Raises `RulesError` with all problems."""
    problems: Problems = []
    rules = _rule_set(_document(text), problems)
    if problems:
        from tenantgate.route_rules.file_lines import line_of, lines_of  # noqa: PLC0415  (only a broken file pays)

        lines = {} if text.startswith("{") else lines_of(text)
        located = [(line_of(lines, place), problem) for place, problem in problems]
        raise RulesError(sorted(located, key=lambda item: item[0] or 0))
    return rules


def read_rules(path: str) -> RuleSet:
    """The rules of a file. Raises `RulesError`, also when it can't be read."""
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib is an import that a cold start can save
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise RulesError([(None, f"can't be read: {getattr(error, 'strerror', None) or error}")]) from None
    return load_rules(text)


def _document(text: str) -> Mapping[str, object]:
    if text.startswith("{"):
        import json  # noqa: PLC0415

        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise RulesError([(getattr(error, "lineno", None), f"is not JSON: {error}")]) from None
        return document if isinstance(document, dict) else {}
    import tomllib  # noqa: PLC0415  (costs a cold start; the build ships JSON)

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        told = str(error)
        where = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", told)
        line = int(where[1]) if where and where[1] else text.count("\n") + 1 if where else None
        raise RulesError([(line, f"is not TOML: {told[: where.start()] if where else told}")]) from None
    except (ValueError, RecursionError) as error:
        # tomllib lets these through: a number of thousands of digits, brackets nested too deeply.
        raise RulesError([(None, f"is not TOML that can be read: {error}")]) from None


def _rule_set(document: Mapping[str, object], problems: Problems) -> RuleSet:
    if document.get("version") != 1 or isinstance(document.get("version"), bool):
        problems.append((("version",), "version must be 1"))
    _refuse_unknown(document, ("version", "api"), (), problems)
    apis: dict[str, ApiRules] = {}
    names: set[str] = set()
    tables = _tables(document, "api", (), problems)
    if not tables and "api" not in document:
        problems.append(((), "has no [[api]]: nobody could call anything"))
    for index, table in enumerate(tables):
        place: Place = ("api", index)
        _refuse_unknown(table, _API_KEYS, place, problems)
        name = table.get("name")
        if not isinstance(name, str) or not name.strip():
            problems.append(((*place, "name"), "name must be a text that tells this API from others"))
            name = ""
        elif name in names:
            problems.append(((*place, "name"), f'name "{name}" is taken by an API above'))
        names.add(name)
        listed = _truth(table, "every_route_listed", place, problems)
        rules = ApiRules(name, _routes(table, place, problems), every_route_listed=listed)
        said = 'API Gateway\'s API ids, "container" or "*"'
        for api_id in _texts(table, "ids", _is_api_id, said, place=place, problems=problems, needed=True):
            if api_id in apis:
                problems.append(((*place, "ids"), f'API id "{api_id}" is named by an API above'))
            apis[api_id] = rules
    return RuleSet(apis)


def _routes(api: Mapping[str, object], place: Place, problems: Problems) -> list[RouteRule]:
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
            problems.append(((*here, "route"), f'"{rule.route}" takes the same requests as "{seen[shape]}" above'))
        seen[shape] = rule.route
        rules.append(rule)
    return rules


def _route(table: Mapping[str, object], place: Place, problems: Problems) -> RouteRule | None:
    before = len(problems)
    _refuse_unknown(table, _ROUTE_KEYS, place, problems)
    text = table.get("route")
    method, pattern = "", ""
    if not isinstance(text, str):
        problems.append(((*place, "route"), 'route must be a method and a path, such as "GET /orders/{id}"'))
    elif problem := route_problem(text):
        problems.append(((*place, "route"), f'"{text}": {problem}'))
    else:
        method, _, pattern = text.partition(" ")
    scope = "scopes without spaces, quotes and backslashes"
    scopes = _texts(table, "scopes", _SCOPE.issuperset, scope, place=place, problems=problems)
    any_scope = _texts(table, "any_scope", _SCOPE.issuperset, scope, place=place, problems=problems)
    roles = _texts(table, "roles", None, "names of roles", place=place, problems=problems)
    said = "acr values without spaces, quotes and backslashes"
    acr = _texts(table, "acr", _SCOPE.issuperset, said, place=place, problems=problems)
    issuers = _texts(table, "issuers", _is_issuer, "issuers as in the claim iss", place=place, problems=problems)
    age = table.get("max_auth_age_seconds")
    if age is not None and (not isinstance(age, int) or isinstance(age, bool) or not 0 <= age <= 31_536_000):
        problems.append(
            ((*place, "max_auth_age_seconds"), "max_auth_age_seconds must be a whole number, 0 to 31536000")
        )
    public = _truth(table, "public", place, problems)
    if public and (others := sorted(set(table) & set(_ROUTE_KEYS[1:-1]))):
        problems.append(
            ((*place, "public"), f"a public route asks for nothing; take away public or {', '.join(others)}")
        )
    if len(problems) > before:
        return None
    max_auth_age = age if isinstance(age, int) else None
    return RouteRule(method, pattern, scopes, any_scope, roles, acr or None, max_auth_age, public, issuers)


def route_problem(text: str) -> str | None:
    """What is wrong with `METHOD /path`, in words that say what to write instead; None if nothing is."""
    if text == CONNECT:
        return None
    method, space, pattern = text.partition(" ")
    if method not in (*METHODS, ANY):
        return f"must begin with one of {', '.join(METHODS)}, {ANY} (or be {CONNECT})"
    if not space or not pattern.startswith("/"):
        return f'must have one space and a path that begins with /, such as "{method} /orders"'
    if len(pattern) > LONGEST_PATTERN:
        return f"must be at most {LONGEST_PATTERN} characters long"
    return _path_problem(pattern.split("/")[1:])


def _path_problem(parts: list[str]) -> str | None:
    if "" in parts[:-1]:
        return "has an empty segment (//), which no request has"
    if any(part.endswith("+}") for part in parts[:-1]):
        return "may have {name+} at the end alone"
    for part in parts:
        if "{" in part or "}" in part:
            name = part[1:-1].removesuffix("+")
            if part[0] != "{" or part[-1] != "}" or not name or not _PARAMETER.issuperset(name):
                return f'"{part}" must be {{name}} or {{name+}} as a whole segment'
        elif part[-1:] == "." or not _LITERAL.issuperset(part):
            said = "A-Z a-z 0-9 and -._~!$&'()+,=:@, no dot segment and no dot at the end"
            return f'"{part}" must be of the characters {said}'
    return None


def _refuse_unknown(table: Mapping[str, object], known: tuple[str, ...], place: Place, problems: Problems) -> None:
    for key in table:
        if key not in known:
            from difflib import get_close_matches  # noqa: PLC0415

            near = get_close_matches(key, known, 1)
            meant = f"; is {near[0]} meant?" if near else f"; known are {', '.join(known)}"
            problems.append(((*place, key), f'"{key}" is not known here{meant}'))


def _tables(table: Mapping[str, object], key: str, place: Place, problems: Problems) -> list[Mapping[str, object]]:
    value = table.get(key, [])
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return value
    problems.append(((*place, key), f"write [[{'.'.join(str(p) for p in (*place, key) if isinstance(p, str))}]]"))
    return []


def _texts(
    table: Mapping[str, object],
    key: str,
    is_good: Callable[[str], bool] | None,
    said: str,
    *,
    place: Place,
    problems: Problems,
    needed: bool = False,
) -> frozenset[str]:
    value = table.get(key)
    if value is None and not needed:
        return frozenset()
    if not isinstance(value, list) or not value or not all(isinstance(item, str) and item.strip() for item in value):
        problems.append(((*place, key), f"{key} must be a list of {said}, and not empty"))
        return frozenset()
    for item in value:
        if is_good is not None and not is_good(item):
            problems.append(((*place, key), f'{key}: "{item}" is none of: {said}'))
    return frozenset(value)


def _is_issuer(text: str) -> bool:
    return text.isprintable() and " " not in text


def _is_api_id(text: str) -> bool:
    return text == OTHER_APIS or (len(text) <= _LONGEST_API_ID and _API_ID.issuperset(text))


def _truth(table: Mapping[str, object], key: str, place: Place, problems: Problems) -> bool:
    value = table.get(key, False)
    if isinstance(value, bool):
        return value
    problems.append(((*place, key), f"{key} must be true or false"))
    return False


def as_json(text: str) -> str:
    """The TOML document as JSON, once it is good. Raises `RulesError`."""
    import json  # noqa: PLC0415

    load_rules(text)
    return json.dumps(_document(text), ensure_ascii=False, separators=(",", ":")) + "\n"


if __name__ == "__main__":
    import json

    try:
        print(json.dumps(read_rules(sys.argv[1]).checked(), ensure_ascii=False, separators=(",", ":")))
    except RulesError as refused:
        sys.exit(refused.located(sys.argv[1]))
