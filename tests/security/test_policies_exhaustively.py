"""Every small set of rules, compiled and evaluated by the gateway's own policy evaluator.

Random rules seldom result in a complete policy with a Deny; all pairs of these patterns do.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import combinations, product

import pytest

from lambda_gateway.authorizers.policies import Effect, Policy
from tenantgate.authorizer.iam_policy import compile_policy, first_incomplete
from tenantgate.authorizer.method_arn import MethodArn
from tenantgate.identity.principal import Principal
from tenantgate.route_rules.engine import ApiRules
from tenantgate.route_rules.model import RouteRule
from tests.fixtures.gateway.router_folds import spellings_read

pytestmark = pytest.mark.unmeasured

STAGE = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/prod/"
NOW = 1_800_000_000.0
CALLER = Principal("u", "org-1", "https://issuer.example", frozenset(), int(NOW) + 60)
PATTERNS = (
    *("/", "/a", "/a/", "/{x}", "/a/b", "/a/{x}", "/{x}/b", "/{x}/c", "/{x}/{y}", "/{x}/b/c", "/{x}/b/{y}", "/a/a/a/c"),
    *("/{x}/", "/{r+}", "/a/{r+}", "/{x}/{r+}", "/{x}/b/{r+}"),
)
PLAIN = [
    "/",
    *("/" + "/".join(parts) for count in (1, 2, 3) for parts in product("abc", repeat=count)),
    *("/a/a/a/c", "/a/b/c/c", "/c/b/a/c", "/c/b/c/a", "/c/c/c/c", "/a/b/c/d/e", "/c/b/c/d/e"),
]
FOLDED = [
    *("/a/#x", "/a/ ", "/a/;x"),
    *(f"{path}/" for path in PLAIN[1:13]),
    "/a;v",
    "/a.",
    "/a%62",
    "/%61",
    "/a/%2e%2e/a",
    "/a/%62",
    "/a/b;",
    "/c/../a",
    "/a/b%2F",
]
READ_AS = {path: spellings_read(path, steps=2) for path in (*PLAIN, *FOLDED)}


def rule(pattern: str, *, public: bool) -> RouteRule:
    return RouteRule("GET", pattern, public=public, scopes=frozenset(() if public else {"admin"}))


def sets_of_rules() -> Iterator[list[RouteRule]]:
    """Yield all single rules and pairs, and a sample of three and five rules, public or not in all combinations."""
    chosen = random.Random(7)
    by_size = {size: list(combinations(PATTERNS, size)) for size in (1, 2, 3, 5)}
    groups = [*by_size[1], *by_size[2], *chosen.sample(by_size[3], 60), *chosen.sample(by_size[5], 30)]
    for patterns in groups:
        ways = list(product((True, False), repeat=len(patterns)))
        for way in ways if len(ways) <= 4 else chosen.sample(ways, 4):
            yield [rule(pattern, public=public) for pattern, public in zip(patterns, way, strict=True)]


SETS = list(sets_of_rules())


@pytest.mark.parametrize("listed", [False, True], ids=["not-listed", "listed"])
def test_a_policy_matches_the_rules(listed: bool) -> None:
    complete_with_denials = 0
    for rules in SETS:
        api = ApiRules("api", rules, every_route_listed=listed)
        policy = compile_policy(api, CALLER, arn=MethodArn.parse(f"{STAGE}GET/nothing"), now=NOW)
        complete_with_denials += policy.complete and not all(rule.public for rule in rules)
        document = Policy(policy.document)
        said = [(found.pattern, found.public) for found in rules]
        for path in (*PLAIN, *FOLDED):
            by_policy = document.effect_on(f"{STAGE}GET{path}") is Effect.ALLOW
            decision = api.decide("GET", path, CALLER, now=NOW)
            if by_policy:
                # With every route listed, API Gateway has no route for a path that no rule matches under any reading.
                denied = [read for read in READ_AS[path] if (found := api.match("GET", read)) and not found.public]
                assert denied == [], (said, path)
                assert decision.allowed or (listed and decision.rule is None), (said, path)
            elif policy.complete and path in PLAIN:
                assert not decision.allowed, (said, path)
    assert complete_with_denials > len(SETS) // 4


ADMIN, OPEN = False, True


@pytest.mark.parametrize(
    ("rules", "listed", "allowed", "denied"),
    [
        pytest.param([("/{x}", OPEN), ("/a", ADMIN)], False, ["/b"], ["/a", "/b/c"], id="literal-in-a-parameter"),
        pytest.param(
            [("/{x}/{r+}", OPEN), ("/a/{r+}", ADMIN)], True, ["/b/c"], ["/a/b", "/a/b/c"], id="rest-in-a-rest"
        ),
        pytest.param([("/a/{r+}", OPEN), ("/a/b", ADMIN)], False, ["/a/c", "/a/b/c"], ["/a/b"], id="path-in-a-rest"),
        pytest.param([("/a/{x}", OPEN), ("/a/b", ADMIN)], False, ["/a/c"], ["/a/b"], id="literal-behind-a-literal"),
        pytest.param([("/{x}/c", OPEN), ("/a/a/a/c", ADMIN)], True, ["/b/c"], ["/a/a/a/c"], id="listed-and-longer"),
        pytest.param(
            [("/a/{x}", OPEN), ("/{x}/b/c", ADMIN)], True, ["/a/b"], ["/a/b/c"], id="listed-below-a-parameter"
        ),
        pytest.param(
            [*((f"/r{number}", OPEN) for number in range(150)), ("/", ADMIN), ("/secret", ADMIN)],
            True,
            ["/r1", "/r149"],
            ["/", "/secret"],
            id="all-but-two",
        ),
        pytest.param([("/{x}/{r+}", OPEN)], False, ["/a/b", "/a/b/c"], ["/a"], id="a-rest-behind-a-parameter"),
        pytest.param([("/{x}/b/{r+}", OPEN)], True, ["/a/b/c", "/a/b/c/d"], ["/a/b"], id="a-rest-behind-both"),
        pytest.param(
            [("/{x}/b/c", OPEN), ("/a/a/a/c", OPEN)], False, ["/a/b/c", "/a/a/a/c"], [], id="nothing-in-common"
        ),
        pytest.param([("/", OPEN), ("/{x}", OPEN)], False, ["/", "/a"], ["/a/b"], id="the-root-and-a-parameter"),
    ],
)
def test_a_policy_that_can_be_complete_is(
    *, rules: list[tuple[str, bool]], listed: bool, allowed: list[str], denied: list[str]
) -> None:
    api = ApiRules("api", [rule(pattern, public=public) for pattern, public in rules], every_route_listed=listed)
    policy = compile_policy(api, None, arn=MethodArn.parse(f"{STAGE}GET/nothing"), now=NOW)
    document = Policy(policy.document)

    assert policy.complete
    assert [path for path in allowed if document.effect_on(f"{STAGE}GET{path}") is not Effect.ALLOW] == []
    assert [path for path in denied if document.effect_on(f"{STAGE}GET{path}") is Effect.ALLOW] == []


def test_a_policy_for_all_but_a_few_routes_denies_head_where_it_denies_get() -> None:
    opened = [rule(f"/r{number}", public=True) for number in range(150)]
    api = ApiRules("api", [*opened, rule("/secret", public=False)], every_route_listed=True)
    policy = compile_policy(api, None, arn=MethodArn.parse(f"{STAGE}GET/nothing"), now=NOW)
    document = Policy(policy.document)

    assert policy.complete
    assert document.effect_on(f"{STAGE}HEAD/secret") is Effect.DENY
    assert document.effect_on(f"{STAGE}HEAD/r1") is Effect.ALLOW


def test_what_cannot_be_expressed_is_named() -> None:
    api = ApiRules("api", [rule("/{x}/b/{y}", public=True), rule("/a/b/c/d", public=True)])
    policy = compile_policy(api, None, arn=MethodArn.parse(f"{STAGE}GET/nothing"), now=NOW)

    assert (policy.complete, policy.reason) == (False, "not_expressible")
    assert set(policy.routes) == {"GET /{x}/b/{y}", "GET /a/b/c/d"}


def test_a_policy_without_wildcards_denies_only_what_it_must() -> None:
    policy = compile_policy(
        ApiRules("api", [rule("/a", public=True), rule("/b", public=False)]),
        None,
        arn=MethodArn.parse(f"{STAGE}GET/nothing"),
        now=NOW,
    )
    assert policy.document["Statement"] == [
        {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": [f"{STAGE}GET/a"]}
    ]


def test_an_incomplete_combination_is_found_among_many_requirements() -> None:
    scoped = [RouteRule("GET", f"/p{number}", scopes=frozenset({f"s{number}"})) for number in range(9)]
    assert first_incomplete(ApiRules("api", scoped), decoded=True) is None
    # Only a caller that meets the last requirement has a policy that can't be written.
    scoped[-1] = RouteRule("GET", "/{x}/b/{r+}", scopes=frozenset({"s8"}))
    weak = first_incomplete(ApiRules("api", scoped), decoded=True)
    assert weak is not None
    assert weak.routes == ("GET /{x}/b/{r+}",)
