"""Checks of a rules file's document: each mistake has its line and its correction."""

from __future__ import annotations

import pytest

from tenantgate.route_rules.file import RulesError, load_rules


def problems(text: str) -> list[tuple[int | None, str]]:
    with pytest.raises(RulesError) as error:
        load_rules(text)
    return error.value.problems


def with_route(*lines: str) -> str:
    return "\n".join(["version = 1", "[[api]]", 'name = "a"', 'ids = ["*"]', "[[api.route]]", *lines])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", [(None, "version must be 1"), (None, "has no [[api]]")], id="empty"),
        pytest.param(
            "version = 2\n[[api]]\nname='a'\nids=['*']\n[[api.route]]\nroute='GET /'",
            [(1, "version must be 1")],
            id="version",
        ),
        pytest.param("version = 1\n[[api]\n", [(2, "is not TOML")], id="toml"),
        pytest.param('version = 1\nx = """', [(2, "is not TOML")], id="toml-that-ends-early"),
        pytest.param("{", [(1, "is not JSON")], id="json"),
        pytest.param("{}", [(None, "version must be 1"), (None, "has no [[api]]")], id="empty-json"),
        pytest.param("version = 1\n\n[api]\nname = 'a'", [(3, "write [[api]]")], id="a-table-instead-of-a-list"),
        pytest.param(
            "version = 1\n[[api]]\n",
            [(2, "name must be"), (2, "has no [[api.route]]"), (2, "ids must be a list")],
            id="empty-api",
        ),
        pytest.param(
            'version = 1\n[[api]]\nname = "a"\nids = ["a b"]\n[[api.route]]\nroute = "GET /"',
            [(4, '"a b" is not allowed; use API Gateway')],
            id="api-id",
        ),
        pytest.param(
            'version = 1\n[[api]]\nname = "a"\nids = ["*"]\n[[api.route]]\nroute = "GET /"\n'
            '[[api]]\nname = "a"\nids = ["*"]\n[[api.route]]\nroute = "GET /"',
            [(8, 'name "a" is already'), (9, 'API id "*" is already in an API above')],
            id="two-for-the-same",
        ),
        pytest.param(
            with_route('route = "GET /a"', "scope = ['x']"),
            [(7, '"scope" is not a known key; did you mean scopes?')],
            id="unknown-key",
        ),
        pytest.param(with_route('route = "GET /a"', "scopes = 'x'"), [(7, "scopes must be a list")], id="not-a-list"),
        pytest.param(with_route('route = "GET /a"', "roles = [7]"), [(7, "roles must be a list")], id="a-number"),
        pytest.param(with_route('route = "GET /a"', "roles = ['a', ' ']"), [(7, "roles must be a list")], id="a-blank"),
        pytest.param(
            with_route('route = "GET /a"', "max_auth_age_seconds = 31_536_001"),
            [(7, "from 0 to 31536000")],
            id="age-of-more-than-a-year",
        ),
        pytest.param(
            with_route('route = "GET /a"', "max_auth_age_seconds = -1"), [(7, "from 0 to 31536000")], id="age-below-0"
        ),
        pytest.param(with_route('route = "GET /a"', "scopes = []"), [(7, "scopes must be a list")], id="empty-list"),
        pytest.param(
            with_route('route = "GET /a"', "scopes = [", "  'a b']"),
            [(7, '"a b" is not allowed; use scopes without spaces')],
            id="two-scopes-in-one",
        ),
        pytest.param(with_route('route = "GET /a"', "acr = ['a\"b']"), [(7, "use acr values")], id="quote-in-acr"),
        pytest.param(
            with_route('route = "GET /a"', "max_auth_age_seconds = 1.5"),
            [(7, "must be a whole number")],
            id="age",
        ),
        pytest.param(
            with_route('route = "GET /a"', "max_auth_age_seconds = true"),
            [(7, "must be a whole number")],
            id="age-true",
        ),
        pytest.param(
            with_route('route = "GET /a"', "issuers = 'https://one.example'"),
            [(7, "issuers must be a list of issuers")],
            id="one-issuer-without-a-list",
        ),
        pytest.param(
            with_route('route = "GET /a"', "issuers = ['https://one.example https://two.example']"),
            [(7, "is not allowed; use issuers as in the claim iss")],
            id="two-issuers-in-one",
        ),
        pytest.param(
            with_route('route = "GET /a"', "issuers = ['https://one.example']", "public = true"),
            [(8, "remove public or issuers")],
            id="public-with-issuers",
        ),
        pytest.param(
            with_route('route = "GET /a"', "public = 'yes'"),
            [(7, "public must be true or false")],
            id="not-a-boolean",
        ),
        pytest.param(
            with_route('route = "GET /a"', "roles = ['x']", "public = true"),
            [(8, "remove public or roles")],
            id="public-with-a-requirement",
        ),
        pytest.param(with_route("scopes = ['x']"), [(5, "route must be a method and a path")], id="no-route"),
        pytest.param(
            with_route('route = "GET /a"', "[[api.route]]", "# twice", 'route = "GET /a"'),
            [(9, 'matches the same requests as "GET /a"')],
            id="twice",
        ),
        pytest.param(
            with_route('route = "GET /{a}"', "[[api.route]]", 'route = "GET /{b}"'),
            [(8, 'matches the same requests as "GET /{a}"')],
            id="another-name",
        ),
        pytest.param(
            with_route('description = """', "[[api.route]]", "route = 3", '"""', 'route = "FETCH /a"'),
            [
                (6, "is not a known key; the known keys are route"),
                (10, "must begin with one of GET"),
            ],
            id="tables-within-a-text",
        ),
    ],
)
def test_a_mistake_is_reported_with_its_line(text: str, expected: list[tuple[int | None, str]]) -> None:
    found = problems(text)

    assert [line for line, _ in found] == [line for line, _ in expected]
    for (_, message), (_, part) in zip(found, expected, strict=True):
        assert part in message


@pytest.mark.parametrize(
    ("route", "message"),
    [
        ("get /a", "must begin with one of GET"),
        ("GET", "a path that begins with /"),
        ("GET a", "a path that begins with /"),
        ("GET  /a", "a path that begins with /"),
        ("GET /a//b", "has an empty segment"),
        ("GET /{a+}/b", "only at the end"),
        ("GET /{a", "must be {name} or {name+}"),
        ("GET /x{a}", "as a whole segment"),
        ("GET /{a}:cancel", "as a whole segment"),
        ("GET /a/..", "no dot segment"),
        ("GET /a%20b", "must consist of the characters"),
        ("GET /a*", "must consist of the characters"),
        ("GET /a?b=c", "must consist of the characters"),
        ("GET /ä", "must consist of the characters"),
        ("GET /" + "a" * 256, "at most 256 characters"),
    ],
)
def test_a_route_that_api_gateway_or_a_policy_would_read_differently_is_a_mistake(route: str, message: str) -> None:
    ((line, problem),) = problems(with_route(f"route = '{route}'"))

    assert line == 6
    assert message in problem


@pytest.mark.parametrize("route", ["GET /", "ANY /{all+}", "GET /a/", "GET /Patient/{id}/$everything", "$connect"])
def test_unusual_routes_are_allowed(route: str) -> None:
    assert load_rules(with_route(f'route = "{route}"')).for_api("x").rules[0].route == route
