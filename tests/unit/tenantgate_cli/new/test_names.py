"""The names and routes that `tenantgate new` accepts, and the words about the others."""

from __future__ import annotations

import pytest

from tenantgate_cli.console import Failure
from tenantgate_cli.new.names import camel_case, checked_name, checked_route, class_name, item_of, words

WORDS = "use lower-case words of two characters or more, joined by _, such as "
RESERVED = "can't be a variable of this path: Python or the new code uses that name"
LONGER = "choose a longer name, such as {note_id}"
PATHS = (
    "begin with /api/v1/, with segments of a-z, 0-9, '.', '_' and '-' or variables such as {note_id}, "
    "and at most 80 characters"
)


@pytest.mark.parametrize(
    ("name", "kind", "problem", "remedy"),
    [
        ("Tenant", "endpoint", "'Tenant' can't be the name of an endpoint", f"{WORDS}tenant_current"),
        ("tenant-current", "endpoint", "'tenant-current' can't be the name of an endpoint", f"{WORDS}tenant_current"),
        ("../evil", "endpoint", "'../evil' can't be the name of an endpoint", f"{WORDS}tenant_current"),
        ("notes/x", "domain", "'notes/x' can't be the name of a domain", f"{WORDS}notes"),
        ("", "domain", "'' can't be the name of a domain", f"{WORDS}notes"),
        ("notes\n", "domain", "'notes\\n' can't be the name of a domain", f"{WORDS}notes"),
        ("nötes", "domain", "'nötes' can't be the name of a domain", f"{WORDS}notes"),
        ("note_", "item", "'note_' can't be the name of an item", f"{WORDS}note"),
        # The template's name of the function could not be turned into the name of the folder.
        ("a_note", "endpoint", "'a_note' can't be the name of an endpoint", f"{WORDS}tenant_current"),
        ("note_2x", "endpoint", "'note_2x' can't be the name of an endpoint", f"{WORDS}tenant_current"),
        ("n" * 31, "domain", f"{'n' * 31} is longer than 30 characters", "choose a shorter name"),
        ("class", "domain", "class has a meaning in Python", "choose another name for the domain"),
        ("match", "endpoint", "match has a meaning in Python", "choose another name for the endpoint"),
        ("list", "endpoint", "list has a meaning in Python", "choose another name for the endpoint"),
        (
            "email",
            "domain",
            "email is a module of Python's standard library",
            "choose another name for the domain",
        ),
        (
            "principal",
            "endpoint",
            "principal has a meaning in the code of an endpoint",
            "choose another name for the endpoint",
        ),
        ("text", "item", "text has a meaning in the code of an item", "choose another name for the item"),
        (
            "user",
            "domain",
            "user is a reserved word of SQL, and can't name a table",
            "choose another name for the domain",
        ),
    ],
)
def test_a_name_that_can_not_be_used(name: str, kind: str, problem: str, remedy: str) -> None:
    with pytest.raises(Failure) as caught:
        checked_name(name, kind)

    assert (str(caught.value), caught.value.remedy) == (problem, remedy)


@pytest.mark.parametrize("name", ["notes", "api_policies", "tenant_current", "oauth2_clients", "ab", "n" * 30])
def test_a_name_that_can_be_used(name: str) -> None:
    assert [checked_name(name, kind) for kind in ("endpoint", "domain", "item")] == [name] * 3


@pytest.mark.parametrize(
    ("route", "problem", "remedy"),
    [
        (
            "tenants/current",
            "'tenants/current' is not a route",
            "write it as --route 'GET /api/v1/tenants/current'",
        ),
        ("get /api/v1/x", "'get /api/v1/x' is not a route", "write it as --route 'GET /api/v1/tenants/current'"),
        ("PATCH /api/v1/x", "PATCH is not a method of this API", "use GET, POST, PUT or DELETE"),
        ("GET /tenants", "'/tenants' is not a path of this API", PATHS),
        ("GET /api/v1/", "'/api/v1/' is not a path of this API", PATHS),
        ("GET /api/v1/a//b", "'/api/v1/a//b' is not a path of this API", PATHS),
        ("GET /api/v1/../b", "'/api/v1/../b' is not a path of this API", PATHS),
        ("GET /api/v1/a b", "'/api/v1/a b' is not a path of this API", PATHS),
        ('GET /api/v1/a"', "'/api/v1/a\"' is not a path of this API", PATHS),
        ("GET /api/v1/{rest+}", "'/api/v1/{rest+}' is not a path of this API", PATHS),
        (f"GET /api/v1/{'x' * 80}", f"'/api/v1/{'x' * 80}' is not a path of this API", PATHS),
        ("GET /api/v1/{class}", f"{{class}} {RESERVED}", LONGER),
        ("GET /api/v1/notes/{id}", f"{{id}} {RESERVED}", LONGER),
        ("GET /api/v1/{tenant_id}", f"{{tenant_id}} {RESERVED}", LONGER),
        ("GET /api/v1/{a}/{a}", "{a} appears twice in the path", "give each variable its own name"),
    ],
)
def test_a_route_that_can_not_be_used(route: str, problem: str, remedy: str) -> None:
    with pytest.raises(Failure) as caught:
        checked_route(route, "tenant_current")

    assert (str(caught.value), caught.value.remedy) == (problem, remedy)


def test_a_route_that_can_be_used() -> None:
    assert checked_route(None, "tenant_current").key == "GET /api/v1/tenant-current"
    assert checked_route(" DELETE /api/v1/notes/{note_id} ", "x").variables == ("note_id",)


@pytest.mark.parametrize(
    ("domain", "item"),
    [
        ("notes", "note"),
        ("api_policies", "api_policy"),
        ("addresses", "address"),
        ("boxes", "box"),
        ("batches", "batch"),
        ("audit", "audit"),
        ("access", "access"),
        ("status", "status"),
    ],
)
def test_one_thing_of_a_domain(domain: str, item: str) -> None:
    assert item_of(domain) == item


def test_the_forms_of_a_name() -> None:
    assert class_name("tenant_current") == "TenantCurrent"
    assert camel_case("tenant_current") == "tenantCurrent"
    assert words("tenant_current") == "tenant current"
