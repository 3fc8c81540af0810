"""The Allows and Denies of a policy: all that are needed and no others, because API Gateway accepts few."""

from __future__ import annotations

import pytest

from tenantgate.authorizer.iam_policy import compile_policy
from tenantgate.authorizer.method_arn import MethodArn
from tenantgate.authorizer.policy_compiler import NOT_EXPRESSIBLE, TOO_LARGE, PolicyCompiler, Resources
from tenantgate.route_rules.engine import ApiRules
from tenantgate.route_rules.model import METHODS, RouteRule
from tests.fixtures.authorizer.iam import allows

STAGE = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/prod/"


def rules_of(*routes: str, listed: bool = False) -> ApiRules:
    """Public routes; a method may come first, and `!` marks a route that needs a scope."""
    rules = []
    for route in routes:
        method, _, pattern = route.removeprefix("!").rpartition(" ")
        scopes = frozenset({"admin"} if route.startswith("!") else ())
        rules.append(RouteRule(method or "GET", pattern, scopes=scopes, public=not scopes))
    return ApiRules("api", rules, every_route_listed=listed)


def compiled(*routes: str, listed: bool = False) -> Resources:
    compiler = PolicyCompiler(rules_of(*routes, listed=listed))
    return compiler.resources(compiler.requirements.met(None, 0))


@pytest.mark.parametrize(
    ("routes", "listed", "allow", "deny"),
    [
        pytest.param(["/a"], False, {"GET/a"}, set(), id="one"),
        pytest.param(["/", "/a"], False, {"GET/", "GET/a"}, set(), id="the-root-too"),
        pytest.param(["/{x}", "/a"], False, {"GET/?*"}, {"GET/*/*"}, id="in-a-parameter"),
        pytest.param(["/{x}", "/a", "/a/b"], True, {"GET/?*"}, set(), id="listed-below-a-parameter"),
        pytest.param(["/{x}", "/{x}/{y}"], True, {"GET/?*"}, set(), id="listed-parameters"),
        pytest.param(["/{x}", "/a/{r+}"], True, {"GET/?*"}, set(), id="listed-rest-below-a-parameter"),
        pytest.param(["/{r+}", "/a/b", "/{x}", "/"], False, {"GET/", "GET/?*"}, set(), id="in-a-rest"),
        pytest.param(["/a/{r+}", "/a/{x}", "/a"], False, {"GET/a", "GET/a/?*"}, set(), id="in-a-rest-below"),
        pytest.param(
            ["/{x}/{y}", "/a/{y}"],
            False,
            {"GET/?*/?*", "GET/a/?*"},
            {"GET/*/*/*", "GET/a/*/*"},
            id="a-parameter-behind-a-literal",
        ),
        pytest.param(["/{r+}", "!/a"], False, {"GET/?*"}, {"GET/a", "GET/a/"}, id="denied-in-a-rest"),
        pytest.param(["ANY /a", "GET /a"], False, {f"{method}/a" for method in METHODS}, set(), id="each-method"),
        pytest.param(
            [f"{method} /{{r+}}" for method in METHODS], False, {"*/?*"}, set(), id="seven-methods-are-every-method"
        ),
        pytest.param(
            [f"{method} /{{r+}}" for method in METHODS[1:]],
            False,
            {f"{method}/?*" for method in METHODS[1:]},
            set(),
            id="six-methods-are-not-every-method",
        ),
        pytest.param(["ANY /{r+}", "GET /a"], False, {"*/?*"}, set(), id="every-method-and-path"),
        pytest.param(["ANY /{r+}", "/"], False, {"*/?*", "GET/"}, set(), id="every-method-and-path-and-the-root"),
    ],
)
def test_a_policy_has_the_resources_that_it_needs(
    routes: list[str], listed: bool, allow: set[str], deny: set[str]
) -> None:
    found = compiled(*routes, listed=listed)
    assert found.problem == ""
    assert sorted(found.allow) == sorted(allow)
    assert sorted(found.deny) == sorted(deny)


@pytest.mark.parametrize(
    ("routes", "named"),
    [
        (["/{r+}", "!/{x}"], {"GET /{x}", "GET /{r+}"}),
        (["/{x}", "/a/b"], {"GET /{x}", "GET /a/b"}),
        (["/{x}/b/{r+}"], {"GET /{x}/b/{r+}"}),
    ],
)
def test_routes_that_no_policy_can_separate_are_named(routes: list[str], named: set[str]) -> None:
    found = compiled(*routes)
    assert (found.allow, found.deny, found.problem) == ((), (), NOT_EXPRESSIBLE)
    assert set(found.routes) == named


def test_a_policy_of_140_resources_is_tried_and_of_one_more_is_too_large() -> None:
    assert len(compiled(*(f"/{number}" for number in range(140))).allow) == 140
    assert compiled(*(f"/{number}" for number in range(141))).problem == TOO_LARGE
    # A Deny takes as much room as an Allow.
    assert compiled(*(f"/{number}" for number in range(138)), "/a/{x}").problem == ""
    assert compiled(*(f"/{number}" for number in range(139)), "/a/{x}").problem == TOO_LARGE


def test_callers_who_meet_the_same_requirements_share_a_policy() -> None:
    compiler = PolicyCompiler(rules_of("/a", "!/b"))
    met = compiler.requirements.met(None, 0)
    assert compiler.resources(met) is compiler.resources(met)
    assert compiler.resources(frozenset()) is not compiler.resources(met)


ODD = [
    "/a//b", "//", "/a/.", "/a/./b", "/./a", "/a/..", "/../a", "/a/../b", "/ a", "/a/ b", "/a/. b", "/a;b", "/a;",
    "/a\\b", "/a#b",
]  # fmt: skip
DISGUISED = [
    "/a%2Fb", "/a%2fb", "/a%2Eb", "/a%2eb", "/a%252F", "/a%25", "/a%%41", "/a%4%31", "/a%u002F", "/a%U002F", "/a%5Cb",
    "/a%5cb", "/a%3Bb", "/a%3bb", "/a%3Fb", "/a%3fb", "/a%23b", "/a%00", "/a%0A", "/a%1F", "/a%7Fb", "/a%7fb", "/%20a",
    "/b/%20a", "/a/.%20",
]  # fmt: skip
SPELLINGS = ["/c%41", "/%63", "/a.", "/b./c", "/a ", "/b /c"]


@pytest.mark.parametrize("path", [*ODD, *DISGUISED])
def test_a_wildcard_never_takes_a_path_that_routers_read_in_several_ways(path: str) -> None:
    assert not is_allowed(rules_of("/{r+}"), path)


@pytest.mark.parametrize("path", SPELLINGS)
def test_another_spelling_does_not_escape_an_exception(path: str) -> None:
    assert not is_allowed(rules_of("/{r+}", "!/secret"), path)
    assert is_allowed(rules_of("/{r+}"), path)


@pytest.mark.parametrize("path", ["/a", "/a.b", "/a%20b", "/%41", "/a/b.c", "/~a", "/.well-known/a"])
def test_plain_paths_are_allowed(path: str) -> None:
    assert is_allowed(rules_of("/{r+}"), path)


def is_allowed(rules: ApiRules, path: str) -> bool:
    policy = compile_policy(rules, None, arn=MethodArn.parse(f"{STAGE}GET/nothing"), now=0)
    assert policy.complete
    return allows(policy.document, f"{STAGE}GET{path}")


MANY = [f"/r{number}" for number in range(150)]


@pytest.mark.parametrize(
    ("routes", "allow", "deny"),
    [
        pytest.param(["!/secret"], {"*/?*"}, {"GET/secret", "GET/secret/", "HEAD/secret", "HEAD/secret/"}, id="get"),
        pytest.param(
            ["!/secret", "HEAD /secret"], {"*/?*"}, {"GET/secret", "GET/secret/"}, id="get-with-a-rule-for-head"
        ),
        pytest.param(["!POST /secret"], {"*/?*"}, {"POST/secret", "POST/secret/"}, id="another-method"),
        pytest.param(
            ["!ANY /s"], {"*/?*"}, {f"{method}/s{end}" for method in METHODS for end in ("", "/")}, id="every-method"
        ),
        pytest.param(["/", "!/s/"], {"*/?*", "GET/"}, {"GET/s/", "GET/s", "HEAD/s/", "HEAD/s"}, id="the-root"),
        pytest.param(["!/"], {"*/?*"}, set(), id="the-root-is-denied"),
        pytest.param(["!$connect "], {"*/?*"}, set(), id="a-websocket"),
    ],
)
def test_a_caller_with_most_permissions_is_allowed_everything_except_the_denied_routes(
    routes: list[str], allow: set[str], deny: set[str]
) -> None:
    found = compiled(*MANY, *routes, listed=True)
    assert (found.problem, set(found.allow), set(found.deny)) == ("", allow, deny)
    # Without the promise that every route is listed, an unlisted route would be open.
    assert compiled(*MANY, *routes).problem == TOO_LARGE


@pytest.mark.parametrize(
    ("routes", "problem"),
    [
        pytest.param([f"!/s{number}" for number in range(40)], TOO_LARGE, id="too-many-are-denied"),
        pytest.param(["/a/{x}", "!/{x}/{y}"], TOO_LARGE, id="a-denied-route-contains-an-allowed-one"),
    ],
)
def test_the_first_problem_counts_if_neither_form_is_possible(routes: list[str], problem: str) -> None:
    assert compiled(*MANY, *routes, listed=True).problem == problem


@pytest.mark.parametrize(
    ("routes", "deny"),
    [
        pytest.param(["/{r+}", "!/a/"], {"GET/a/", "GET/a"}, id="a-denied-slash"),
        pytest.param(["/a/", "!/a"], {"GET/a", "GET/a/"}, id="an-allowed-slash-of-a-denied-path"),
    ],
)
def test_a_path_is_denied_with_and_without_the_slash_at_its_end(routes: list[str], deny: set[str]) -> None:
    assert set(compiled(*routes).deny) == deny


def test_the_cache_of_policies_is_bounded() -> None:
    scoped = [RouteRule("GET", f"/{name}", scopes=frozenset({name})) for name in "abcdefghi"]
    compiler = PolicyCompiler(ApiRules("api", scoped))
    requirements = [rule.requirement for rule in scoped]
    combinations = [
        frozenset(requirement for place, requirement in enumerate(requirements) if chosen >> place & 1)
        for chosen in range(1 << len(requirements))
    ]
    first = compiler.resources(combinations[1])
    assert compiler.resources(combinations[1]) is first
    for met in combinations:
        assert len(compiler.resources(met).allow) == len(met)
    assert compiler.resources(combinations[1]) is not first
    assert compiler.resources(combinations[1]) == first
