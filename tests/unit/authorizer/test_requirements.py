"""The requirements of an API's rules, and the callers that meet them."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tenantgate.authorizer.requirements import RequirementIndex
from tenantgate.identity.principal import Principal
from tenantgate.route_rules.engine import ApiRules, unmet
from tenantgate.route_rules.model import RouteRule

NOW = 1_800_000_000.0
ISSUER = "https://issuer.example"


def rule(path: str, **required: object) -> RouteRule:
    fields: dict[str, Any] = {name: frozenset(v) if isinstance(v, set) else v for name, v in required.items()}
    return RouteRule("GET", path, **fields)


RULES = [
    rule("/public", public=True),
    rule("/also-public", public=True),
    rule("/any"),
    rule("/all", scopes={"a", "b"}),
    rule("/one-of", any_scope={"a", "c"}),
    rule("/role", roles={"clerk", "auditor"}),
    rule("/role-and-one-of", any_scope={"a", "c"}, roles={"clerk"}),
    rule("/all-and-one-of", scopes={"b"}, any_scope={"a", "c"}),
    rule("/role-and-scope", scopes={"a"}, roles={"clerk"}),
    rule("/issuer", issuers={ISSUER}),
    rule("/other-issuer", issuers={"https://other.example"}, scopes={"a"}),
    rule("/strong", acr={"mfa"}),
    rule("/recent", max_auth_age=300, roles={"clerk"}),
]


def caller(scopes: tuple[str, ...], roles: tuple[str, ...], claims: dict[str, object]) -> Principal:
    return Principal("u", "org-1", ISSUER, frozenset(scopes), int(NOW) + 60, "bearer", claims, frozenset(roles))


CALLERS = [
    caller(scopes, roles, claims)
    for count in range(3)
    for scopes in itertools.combinations("abc", count)
    for roles in ((), ("clerk",), ("auditor", "x"))
    for claims in ({}, {"acr": "mfa", "auth_time": NOW - 10})
]


@pytest.mark.parametrize("principal", CALLERS)
def test_the_requirements_that_a_caller_meets_are_those_of_the_rules(principal: Principal) -> None:
    index = RequirementIndex(ApiRules("api", RULES))

    assert index.met(principal, NOW) == {rule.requirement for rule in RULES if unmet(rule, principal, NOW) is None}


def test_without_a_principal_only_public_requirements_are_met() -> None:
    index = RequirementIndex(ApiRules("api", RULES))

    assert index.met(None, NOW) == {RULES[0].requirement}
    assert index.public() == [RULES[0].requirement]
    assert set(index.not_public()) == {rule.requirement for rule in RULES[2:]}


def test_every_route_is_either_allowed_or_denied() -> None:
    index = RequirementIndex(ApiRules("api", RULES))
    for principal in (None, *CALLERS):
        met = index.met(principal, NOW)
        allowed, denied = index.allowed(met), index.denied(met)
        assert len(allowed) + len(denied) == len(RULES)
        assert not set(allowed) & set(denied)
        assert set(allowed) == {((rule.pattern[1:],), "GET") for rule in RULES if rule.requirement in met}


def test_rules_of_the_same_requirement_share_an_entry() -> None:
    index = RequirementIndex(ApiRules("api", [rule("/a", roles={"x"}), rule("/b", roles={"x"})]))

    assert len(index.not_public()) == 1
    assert index.denied(frozenset()) == [(("a",), "GET"), (("b",), "GET")]
