"""Rules as values."""

from __future__ import annotations

import copy

import pytest

from tenantgate.route_rules.model import RouteRule

RULE = RouteRule("GET", "/orders/{id}", scopes=frozenset({"orders:read"}))


def test_a_rules_route_is_its_method_and_pattern() -> None:
    assert RULE.route == "GET /orders/{id}"
    assert RouteRule("$connect", "").route == "$connect"


def test_rules_for_different_routes_may_have_the_same_requirement() -> None:
    assert copy.replace(RULE, method="POST", pattern="/other").requirement == RULE.requirement


@pytest.mark.parametrize(
    "changes",
    [
        {"scopes": frozenset({"orders:write"})},
        {"any_scope": frozenset({"a"})},
        {"roles": frozenset({"clerk"})},
        {"acr": frozenset({"mfa"})},
        {"max_auth_age": 0},
        {"public": True},
        {"issuers": frozenset({"https://issuer.example"})},
    ],
)
def test_every_field_but_the_route_is_part_of_the_requirement(changes: dict[str, object]) -> None:
    assert copy.replace(RULE, **changes).requirement != RULE.requirement  # type: ignore[arg-type]  # fields by name
