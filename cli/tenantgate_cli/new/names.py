"""The names of endpoints and domains, and the names of classes and things that are derived from them."""

from __future__ import annotations

import builtins
import keyword
import re
import sys
from dataclasses import dataclass

from tenantgate_cli.console import Failure

LONGEST_NAME = 30
LONGEST_PATH = 80
# functions/Makefile finds a function's folder by its logical id, so a word has at least two characters.
_NAME = re.compile(r"[a-z][a-z0-9]+(?:_[a-z][a-z0-9]+)*")
_PATH = re.compile(r"/api/v1(?:/(?:[a-z0-9][a-z0-9._-]*|\{[a-z][a-z0-9_]*\}))+")
_METHODS = ("GET", "POST", "PUT", "DELETE")
# Other words with a meaning in the written modules.
_USED_IN_ENDPOINTS = {"router", "principal", "user_id", "tenant_id"}
_USED_IN_DOMAINS = {"base", "database", "principal", "protocol", "row", "store", "text", "unit", "uuid", "mapped"}
# PostgreSQL 18's reserved key words (appendix C), which can't be the name of a table, without those of Python above.
_RESERVED_IN_SQL = frozenset(
    [
        "all",
        "analyse",
        "analyze",
        "and",
        "any",
        "array",
        "as",
        "asc",
        "asymmetric",
        "authorization",
        "binary",
        "both",
        "case",
        "cast",
        "check",
        "collate",
        "collation",
        "column",
        "concurrently",
        "constraint",
        "create",
        "cross",
        "current_catalog",
        "current_date",
        "current_role",
        "current_schema",
        "current_time",
        "current_timestamp",
        "current_user",
        "default",
        "deferrable",
        "desc",
        "distinct",
        "do",
        "else",
        "end",
        "except",
        "false",
        "fetch",
        "for",
        "foreign",
        "freeze",
        "from",
        "full",
        "grant",
        "group",
        "having",
        "ilike",
        "in",
        "initially",
        "inner",
        "intersect",
        "into",
        "is",
        "isnull",
        "join",
        "lateral",
        "leading",
        "left",
        "like",
        "limit",
        "localtime",
        "localtimestamp",
        "natural",
        "not",
        "notnull",
        "null",
        "offset",
        "on",
        "only",
        "or",
        "order",
        "outer",
        "overlaps",
        "placing",
        "primary",
        "references",
        "returning",
        "right",
        "select",
        "session_user",
        "similar",
        "some",
        "symmetric",
        "system_user",
        "table",
        "tablesample",
        "then",
        "to",
        "trailing",
        "true",
        "union",
        "unique",
        "user",
        "using",
        "variadic",
        "verbose",
        "when",
        "where",
        "window",
        "with",
    ]
)


@dataclass(frozen=True, slots=True)
class Route:
    """A route. `variables` are the names in `{…}`, in order."""

    method: str
    path: str
    variables: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"{self.method} {self.path}"


def checked_name(name: str, kind: str) -> str:
    """Return the name of an `endpoint`, `domain` or `item`. Raises Failure."""
    if not _NAME.fullmatch(name):
        example = {"endpoint": "tenant_current", "domain": "notes"}.get(kind, "note")
        raise Failure(
            f"{name!r} can't be the name of {_a(kind)}",
            f"use lower-case words of two characters or more, joined by _, such as {example}",
        )
    if len(name) > LONGEST_NAME:
        raise Failure(f"{name} is longer than {LONGEST_NAME} characters", "choose a shorter name")
    if keyword.iskeyword(name) or keyword.issoftkeyword(name) or hasattr(builtins, name):
        raise Failure(f"{name} has a meaning in Python", f"choose another name for the {kind}")
    if name in sys.stdlib_module_names:
        raise Failure(f"{name} is a module of Python's standard library", f"choose another name for the {kind}")
    if name in (_USED_IN_ENDPOINTS if kind == "endpoint" else _USED_IN_DOMAINS):
        raise Failure(f"{name} has a meaning in the code of {_a(kind)}", f"choose another name for the {kind}")
    if kind == "domain" and name in _RESERVED_IN_SQL:
        raise Failure(f"{name} is a reserved word of SQL, and can't name a table", "choose another name for the domain")
    return name


def checked_route(text: str | None, name: str) -> Route:
    """Return the route of `--route`, `GET /api/v1/<name>` without it. Raises Failure."""
    given = f"GET /api/v1/{name.replace('_', '-')}" if text is None else text.strip()
    method, _, path = given.partition(" ")
    if not re.fullmatch(r"[A-Z]+", method) or not path.startswith("/"):
        raise Failure(f"{given!r} is not a route", "write it as --route 'GET /api/v1/tenants/current'")
    if method not in _METHODS:
        raise Failure(f"{method} is not a method of this API", f"use {', '.join(_METHODS[:-1])} or {_METHODS[-1]}")
    if not _PATH.fullmatch(path) or len(path) > LONGEST_PATH:
        raise Failure(
            f"{path!r} is not a path of this API",
            "begin with /api/v1/, with segments of a-z, 0-9, '.', '_' and '-' or variables such as {note_id}, "
            f"and at most {LONGEST_PATH} characters",
        )
    variables = tuple(re.findall(r"\{(\w+)\}", path))
    for variable in variables:
        if variables.count(variable) > 1:
            raise Failure(f"{{{variable}}} appears twice in the path", "give each variable its own name")
        if keyword.iskeyword(variable) or hasattr(builtins, variable) or variable in _USED_IN_ENDPOINTS:
            raise Failure(
                f"{{{variable}}} can't be a variable of this path: Python or the new code uses that name",
                "choose a longer name, such as {note_id}",
            )
    return Route(method, path, variables)


def item_of(domain: str) -> str:
    """Return the name of one thing of a domain: note for notes, policy for policies, audit for audit."""
    for ending, replacement in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh")):
        if domain.endswith(ending):
            return domain.removesuffix(ending) + replacement
    return domain[:-1] if domain.endswith("s") and not domain.endswith(("ss", "us", "is")) else domain


def class_name(name: str) -> str:
    """Return TenantCurrent for tenant_current."""
    return "".join(word.capitalize() for word in name.split("_"))


def camel_case(name: str) -> str:
    """Return tenantCurrent for tenant_current."""
    return name[0] + class_name(name)[1:]


def words(name: str) -> str:
    """Return `tenant current` for tenant_current."""
    return name.replace("_", " ")


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aei' else 'a'} {kind}"
