"""The search for callers without a complete policy, before anyone relies on the authorizer's cache."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tenantgate.authorizer.iam_policy import first_incomplete
from tenantgate.authorizer.policy_compiler import NOT_EXPRESSIBLE, TOO_LARGE, PolicyCompiler, Resources
from tenantgate.route_rules.engine import ApiRules
from tenantgate.route_rules.model import Requirement, RouteRule

# One more resource than a policy takes with the patterns of `many` and the default length of the stage's ARN.
TOO_MANY = 51


def rules_of(*routes: tuple[str, str], listed: bool = False) -> ApiRules:
    """Rules from pairs of pattern and scope; a route without a scope is public."""
    rules = [
        RouteRule("GET", pattern, scopes=frozenset({scope} if scope else ()), public=not scope)
        for pattern, scope in routes
    ]
    return ApiRules("api", rules, every_route_listed=listed)


def many(count: int, *scopes: str) -> Iterable[tuple[str, str]]:
    """Routes that share the scopes out among them."""
    return ((f"/route-{scopes[0]}-{number:02}", scopes[number % len(scopes)]) for number in range(count))


def problem(*routes: tuple[str, str]) -> str:
    found = first_incomplete(rules_of(*routes), decoded=False)
    return "" if found is None else found.problem


OTHERS = [(f"/other-{number}", f"o{number}") for number in range(9)]


@pytest.mark.parametrize("others", [0, 7, 8, 9], ids=lambda number: f"{number}-more-requirements")
class TestWithFewAndManyRequirements:
    def test_complete_policies_are_no_problem(self, others: int) -> None:
        assert problem(("/a", ""), ("/b/{x}", "s"), *OTHERS[:others]) == ""

    def test_a_problem_of_the_public_routes_is_found(self, others: int) -> None:
        assert problem(("/{x}/b/{r+}", ""), *OTHERS[:others]) == NOT_EXPRESSIBLE

    def test_a_problem_of_those_who_meet_one_requirement_is_found(self, others: int) -> None:
        # Of those who meet more, one of the two wider routes covers it.
        routes = [("/{x}/b/{r+}", "s"), ("/{r+}", "wide"), ("/{x}/{r+}", "wide-too")]
        assert problem(*routes, *OTHERS[:others]) == NOT_EXPRESSIBLE

    def test_a_problem_of_those_who_meet_all_requirements_is_found(self, others: int) -> None:
        routes = [*many(TOO_MANY, *(f"s{number}" for number in range(others + 2)))]
        assert problem(*routes) == TOO_LARGE
        assert problem(*(route for route in routes if route[1] != "s0")) == ""

    def test_a_problem_of_those_who_meet_all_requirements_but_one_is_found(self, others: int) -> None:
        routes = many(TOO_MANY, *(f"s{number}" for number in range(others + 2)))
        assert problem(*routes, ("/{r+}", "wide")) == TOO_LARGE


def test_every_combination_of_eight_requirements_is_tried_and_of_nine_the_extreme_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: set[frozenset[object]] = set()
    resources = PolicyCompiler.resources

    def noted(self: PolicyCompiler, met: frozenset[Requirement]) -> Resources:
        tried.add(met)
        return resources(self, met)

    monkeypatch.setattr(PolicyCompiler, "resources", noted)
    assert problem(*OTHERS[:8]) == ""
    assert len(tried) == 2**8
    tried.clear()
    assert problem(*OTHERS[:9]) == ""
    assert {len(met) for met in tried} == {0, 1, 8, 9}
    assert len(tried) == 1 + 9 + 9 + 1


def test_a_policy_that_is_too_long_for_api_gateway_is_found() -> None:
    long = [(f"/{number:02}".ljust(100, "x"), "s") for number in range(40)]
    assert problem(*long) == TOO_LARGE
    assert problem(*long[:20]) == ""


def test_the_length_of_the_stages_arn_counts() -> None:
    rules = rules_of(*((f"/{number:02}", "s") for number in range(50)))
    assert first_incomplete(rules, decoded=False, stage_arn_length=60) is None
    assert first_incomplete(rules, decoded=False, stage_arn_length=200) == Resources(problem=TOO_LARGE)
