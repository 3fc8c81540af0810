"""The rules file: every mistake is told with its line, and with what to write instead."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tenantgate.route_rules.engine import RuleSet
from tenantgate.route_rules.file import RulesError, as_json, load_rules, read_rules
from tenantgate.route_rules.file_lines import lines_of
from tenantgate.route_rules.model import RouteRule

GOOD = """\
version = 1
# [[api]] in a comment

[[api]]
name = "orders"
ids = ["a1b2c3d4e5", "*"]
every_route_listed = true

  [[api.route]]
  route = "GET /orders/{id}"
  scopes = ["orders:read", "openid"]
  roles = [
    "clerk",  # [x
    "]]",
  ]
  acr = ["urn:example:mfa"]
  max_auth_age_seconds = 300
  issuers = ["https://one.example", "http://ADFS.Example.test/adfs/services/trust"]

[[api.route]]
route = "ANY /public/{path+}"
public = true
"""


def problems(text: str) -> list[tuple[int | None, str]]:
    with pytest.raises(RulesError) as refused:
        load_rules(text)
    return refused.value.problems


def test_good_file_becomes_rules() -> None:
    rules = load_rules(GOOD)

    assert set(rules.apis) == {"a1b2c3d4e5", "*"}
    api = rules.for_api("a1b2c3d4e5")
    assert (api.name, api.every_route_listed) == ("orders", True)
    assert api.rules == (
        RouteRule(
            "GET",
            "/orders/{id}",
            scopes=frozenset({"orders:read", "openid"}),
            roles=frozenset({"clerk", "]]"}),
            acr=frozenset({"urn:example:mfa"}),
            max_auth_age=300,
            issuers=frozenset({"https://one.example", "http://ADFS.Example.test/adfs/services/trust"}),
        ),
        RouteRule("ANY", "/public/{path+}", public=True),
    )


def test_json_of_a_file_means_the_same(tmp_path: Path) -> None:
    compiled = as_json(GOOD)

    assert load_rules(compiled).for_api("x").rules == load_rules(GOOD).for_api("x").rules


def test_a_file_that_isnt_there_is_an_error_in_the_rules(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match="can't be read: No such file"):
        read_rules(str(tmp_path / "rules.toml"))


def test_checked_rules_are_the_rules_that_were_checked() -> None:
    rules = load_rules(GOOD)

    again = RuleSet.from_checked(json.loads(json.dumps(rules.checked())))

    assert again.apis.keys() == rules.apis.keys()
    for api_id, api in rules.apis.items():
        assert again.apis[api_id].rules == api.rules
        assert again.apis[api_id].name == api.name
        assert again.apis[api_id].every_route_listed is api.every_route_listed


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
            [(4, '"a b" is none of')],
            id="api-id",
        ),
        pytest.param(
            'version = 1\n[[api]]\nname = "a"\nids = ["*"]\n[[api.route]]\nroute = "GET /"\n'
            '[[api]]\nname = "a"\nids = ["*"]\n[[api.route]]\nroute = "GET /"',
            [(8, 'name "a" is taken'), (9, 'API id "*" is named by an API above')],
            id="two-for-the-same",
        ),
        pytest.param(
            with_route('route = "GET /a"', "scope = ['x']"),
            [(7, '"scope" is not known here; is scopes meant?')],
            id="unknown-key",
        ),
        pytest.param(with_route('route = "GET /a"', "scopes = 'x'"), [(7, "scopes must be a list")], id="no-list"),
        pytest.param(with_route('route = "GET /a"', "scopes = []"), [(7, "scopes must be a list")], id="empty-list"),
        pytest.param(
            with_route('route = "GET /a"', "scopes = [", "  'a b']"),
            [(7, '"a b" is none of')],
            id="two-scopes-in-one",
        ),
        pytest.param(with_route('route = "GET /a"', "acr = ['a\"b']"), [(7, "is none of")], id="quote-in-acr"),
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
            [(7, "is none of: issuers as in the claim iss")],
            id="two-issuers-in-one",
        ),
        pytest.param(
            with_route('route = "GET /a"', "issuers = ['https://one.example']", "public = true"),
            [(8, "take away public or issuers")],
            id="public-for-some-issuers",
        ),
        pytest.param(
            with_route('route = "GET /a"', "public = 'yes'"),
            [(7, "public must be true or false")],
            id="truth",
        ),
        pytest.param(
            with_route('route = "GET /a"', "roles = ['x']", "public = true"),
            [(8, "take away public or roles")],
            id="public-and-guarded",
        ),
        pytest.param(with_route("scopes = ['x']"), [(5, "route must be a method and a path")], id="no-route"),
        pytest.param(
            with_route('route = "GET /a"', "[[api.route]]", "# twice", 'route = "GET /a"'),
            [(9, 'the same requests as "GET /a"')],
            id="twice",
        ),
        pytest.param(
            with_route('route = "GET /{a}"', "[[api.route]]", 'route = "GET /{b}"'),
            [(8, 'the same requests as "GET /{a}"')],
            id="another-name",
        ),
        pytest.param(
            with_route('description = """', "[[api.route]]", "route = 3", '"""', 'route = "FETCH /a"'),
            [(6, '"description" is not known here'), (10, "must begin with one of GET")],
            id="tables-within-a-text",
        ),
    ],
)
def test_mistakes_are_told_with_their_lines(text: str, expected: list[tuple[int | None, str]]) -> None:
    found = problems(text)

    assert [line for line, _ in found] == [line for line, _ in expected]
    for (_, said), (_, part) in zip(found, expected, strict=True):
        assert part in said


@pytest.mark.parametrize(
    ("route", "said"),
    [
        ("get /a", "must begin with one of GET"),
        ("GET", "a path that begins with /"),
        ("GET a", "a path that begins with /"),
        ("GET  /a", "a path that begins with /"),
        ("GET /a//b", "has an empty segment"),
        ("GET /{a+}/b", "at the end alone"),
        ("GET /{a", "must be {name} or {name+}"),
        ("GET /x{a}", "as a whole segment"),
        ("GET /{a}:cancel", "as a whole segment"),
        ("GET /a/..", "no dot segment"),
        ("GET /a%20b", "must be of the characters"),
        ("GET /a*", "must be of the characters"),
        ("GET /a?b=c", "must be of the characters"),
        ("GET /ä", "must be of the characters"),
        ("GET /" + "a" * 256, "at most 256 characters"),
    ],
)
def test_routes_that_api_gateway_or_a_policy_would_read_otherwise_are_refused(route: str, said: str) -> None:
    ((line, problem),) = problems(with_route(f"route = '{route}'"))

    assert line == 6
    assert said in problem


@pytest.mark.parametrize("route", ["GET /", "ANY /{all+}", "GET /a/", "GET /Patient/{id}/$everything", "$connect"])
def test_unusual_routes_are_taken(route: str) -> None:
    assert load_rules(with_route(f'route = "{route}"')).for_api("x").rules[0].route == route


def test_problems_are_located_by_line_and_by_the_file_that_the_caller_names() -> None:
    with pytest.raises(RulesError, match=r"^line 6: route must be a method") as refused:
        load_rules(with_route("route = 3"))

    (located,) = refused.value.located("my/rules.toml").splitlines()
    assert located.startswith("my/rules.toml:6: route must be")
    with pytest.raises(RulesError, match=r"^can't be read") as refused:
        read_rules("/nowhere/rules.toml")
    assert refused.value.located("rules.toml").startswith("rules.toml: can't be read")
    assert "nowhere" not in str(refused.value)


def test_lines_of_every_header_and_key() -> None:
    lines = lines_of(GOOD)

    assert lines["api", 0, "route", 0] == 9
    assert lines["api", 0, "route", 0, "max_auth_age_seconds"] == 17
    assert lines["api", 0, "route", 1, "public"] == 22
    assert len(lines) == 15


def test_shipped_rules_are_good_and_compile_to_json() -> None:
    shipped = Path(__file__).parents[3] / "functions" / "authorizer" / "rules.toml"

    assert json.loads(as_json(shipped.read_text()))["version"] == 1
