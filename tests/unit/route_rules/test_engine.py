"""The rule that decides on a request, and its requirements of the caller."""

from __future__ import annotations

import pytest

from tenantgate.errors.access import AuthenticationRequired, InsufficientScope, StepUpRequired
from tenantgate.identity.principal import Principal
from tenantgate.route_rules.engine import ApiRules, RuleSet
from tenantgate.route_rules.model import Decision, RouteRule
from tenantgate.web.route_rules import failure_of

NOW = 1_800_000_000.0


def principal(*scopes: str, roles: tuple[str, ...] = (), **claims: object) -> Principal:
    held = frozenset(scopes)
    return Principal("u", "org-1", "https://issuer.example", held, int(NOW) + 60, "bearer", claims, frozenset(roles))


def rules(*routes: str) -> ApiRules:
    """Rules that require only a principal."""
    return ApiRules("api", [RouteRule(route.partition(" ")[0], route.partition(" ")[2]) for route in routes])


ROUTES = rules(
    "GET /",
    "GET /orders",
    "GET /orders/{id}",
    "POST /orders/{id}",
    "GET /orders/export",
    "ANY /orders/import",
    "GET /orders/{id}/items",
    "GET /orders/{id}/{part}",
    "GET /orders/export/{part}",
    "GET /files/{path+}",
    "GET /files/{id}",
    "ANY /files/private/{path+}",
    "GET /{any}/static",
    "ANY /{rest+}",
    "GET /end/",
    "$connect",
)


@pytest.mark.parametrize(
    ("method", "path", "rule"),
    [
        pytest.param("GET", "/", "GET /", id="root"),
        pytest.param("GET", "/orders", "GET /orders", id="literal"),
        pytest.param("GET", "/orders/1", "GET /orders/{id}", id="parameter"),
        pytest.param("GET", "/orders/export", "GET /orders/export", id="literal-before-parameter"),
        pytest.param("POST", "/orders/export", "POST /orders/{id}", id="literal-of-another-method"),
        pytest.param("GET", "/orders/import", "ANY /orders/import", id="path-counts-before-method"),
        pytest.param("GET", "/orders/1/items", "GET /orders/{id}/items", id="literal-further-on"),
        pytest.param("GET", "/orders/export/items", "GET /orders/export/{part}", id="earlier-literal-wins"),
        pytest.param("GET", "/files/1", "GET /files/{id}", id="parameter-before-greedy"),
        pytest.param("GET", "/files/1/2", "GET /files/{path+}", id="greedy"),
        pytest.param("GET", "/files/private/2", "ANY /files/private/{path+}", id="longer-greedy"),
        pytest.param("GET", "/files/static", "GET /files/{id}", id="both-parameters"),
        pytest.param("GET", "/orders/1/x/y", "ANY /{rest+}", id="greedy-at-the-root"),
        pytest.param("DELETE", "/orders/1", "ANY /{rest+}", id="falls-back-for-the-method"),
        pytest.param("GET", "/orders/", "ANY /{rest+}", id="no-empty-parameter"),
        pytest.param("GET", "/end/", "GET /end/", id="trailing-slash"),
        pytest.param("$connect", "", "$connect", id="websocket"),
        pytest.param("DELETE", "/", None, id="greedy-takes-no-root"),
        pytest.param("TRACE", "/orders", None, id="no-method-of-api-gateway"),
        pytest.param("get", "/orders", None, id="method-in-lower-case"),
        pytest.param("GET", "/a//b", None, id="empty-segment"),
        pytest.param("GET", "/a/../orders", None, id="dot-segments"),
        pytest.param("GET", "/a/.", None, id="dot-segment"),
        pytest.param("GET", "orders", None, id="no-slash"),
        pytest.param("GET", "", None, id="no-path"),
    ],
)
def test_the_most_specific_rule_decides(method: str, path: str, rule: str | None) -> None:
    decision = ROUTES.decide(method, path, principal(), now=NOW)

    assert (decision.rule.route if decision.rule else None) == rule
    assert decision.allowed == (rule is not None)


def test_a_pattern_without_a_greedy_parameter_wins_over_one_with_more_literals() -> None:
    # API Gateway, "Working with routes for HTTP APIs": full matches before greedy ones.
    found = rules("GET /a/{rest+}", "GET /{x}/b").match("GET", "/a/b")

    assert found is not None
    assert found.route == "GET /{x}/b"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        pytest.param("/users/a%40b", True, id="encoded-character"),
        pytest.param("/users/%C3%A9", True, id="encoded-letter"),
        pytest.param("/users/a%2Fb", False, id="encoded-slash"),
        pytest.param("/users/%2e%2e", False, id="encoded-dots"),
        pytest.param("/users/%61dmin", False, id="denied-literal-escaped"),
        pytest.param("/%75sers/1", False, id="allowed-literal-escaped"),
        pytest.param("/users/%2561dmin", False, id="encoded-twice"),
        pytest.param("/users/%2%35", False, id="encoded-twice-in-pieces"),
        pytest.param("/users/%%361dmin", False, id="escape-made-by-decoding"),
        pytest.param("/users/%C3", True, id="no-utf-8"),
        pytest.param("/users/100%", True, id="stray-percent"),
    ],
)
def test_a_path_must_be_allowed_both_encoded_and_decoded(path: str, allowed: bool) -> None:
    api = ApiRules(
        "api", [RouteRule("GET", "/users/{id}"), RouteRule("GET", "/users/admin", roles=frozenset({"admin"}))]
    )

    assert api.decide("GET", path, principal(), now=NOW).allowed == allowed


def needs(**required: object) -> RouteRule:
    return RouteRule("GET", "/a", **{k: frozenset(v) if isinstance(v, set) else v for k, v in required.items()})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rule", "caller", "reason"),
    [
        pytest.param(needs(), principal(), "allowed", id="any-principal"),
        pytest.param(needs(scopes={"a", "b"}), principal("a", "b", "c"), "allowed", id="all-scopes"),
        pytest.param(needs(scopes={"a", "b"}), principal("a"), "missing_scope", id="one-scope-missing"),
        pytest.param(needs(scopes={"a"}), principal("A"), "missing_scope", id="scope-in-another-case"),
        pytest.param(needs(any_scope={"a", "b"}), principal("b"), "allowed", id="one-of-the-scopes"),
        pytest.param(needs(any_scope={"a", "b"}), principal("c"), "missing_any_scope", id="none-of-the-scopes"),
        pytest.param(needs(roles={"clerk"}), principal(roles=("clerk", "x")), "allowed", id="role"),
        pytest.param(needs(roles={"clerk"}), principal(groups=["clerk"]), "missing_role", id="a-claim-but-no-role"),
        pytest.param(needs(roles={"clerk"}), principal("clerk"), "missing_role", id="a-scope-but-no-role"),
        pytest.param(needs(acr={"mfa", "hw"}), principal(acr="hw"), "allowed", id="acr"),
        pytest.param(needs(acr={"mfa"}), principal(acr="pwd"), "acr_too_weak", id="weaker-acr"),
        pytest.param(needs(acr={"mfa"}), principal(), "acr_too_weak", id="no-acr"),
        pytest.param(needs(acr={"mfa"}), principal(acr=["mfa"]), "acr_too_weak", id="acr-of-another-form"),
        pytest.param(needs(max_auth_age=300), principal(auth_time=NOW - 300), "allowed", id="just-recent-enough"),
        pytest.param(needs(max_auth_age=300), principal(auth_time=NOW - 301), "authentication_too_old", id="too-old"),
        pytest.param(needs(max_auth_age=300), principal(auth_time=NOW - 299.75), "allowed", id="fraction"),
        pytest.param(
            needs(max_auth_age=300), principal(auth_time=NOW - 300.25), "authentication_too_old", id="by-less"
        ),
        pytest.param(needs(max_auth_age=300), principal(auth_time=10**400), "authentication_time_unknown", id="huge"),
        pytest.param(
            needs(max_auth_age=300), principal(auth_time=-(10**400)), "authentication_time_unknown", id="tiny"
        ),
        pytest.param(needs(max_auth_age=300), principal(auth_time=NOW + 60), "allowed", id="skew"),
        pytest.param(needs(max_auth_age=300), principal(auth_time=NOW + 61), "authentication_too_old", id="future"),
        pytest.param(needs(max_auth_age=300), principal(), "authentication_time_unknown", id="no-auth-time"),
        pytest.param(needs(max_auth_age=300), principal(auth_time="1"), "authentication_time_unknown", id="text"),
        pytest.param(needs(max_auth_age=300), principal(auth_time=True), "authentication_time_unknown", id="true"),
        pytest.param(needs(max_auth_age=300), principal(auth_time=float("nan")), "authentication_too_old", id="nan"),
        pytest.param(needs(max_auth_age=300), principal(auth_time=float("-inf")), "authentication_too_old", id="inf"),
        pytest.param(needs(scopes={"a"}, acr={"mfa"}), principal(), "missing_scope", id="scope-before-step-up"),
        pytest.param(needs(public=True), None, "public", id="public"),
        pytest.param(needs(public=True), principal(), "public", id="public-with-a-principal"),
        pytest.param(needs(), None, "authentication_required", id="no-principal"),
    ],
)
def test_the_reason_names_the_missing_requirement(rule: RouteRule, caller: Principal | None, reason: str) -> None:
    decision = ApiRules("api", [rule]).decide("GET", "/a", caller, now=NOW)

    assert (decision.reason, decision.allowed) == (reason, reason in ("allowed", "public"))
    assert decision.rule == rule


def denied(rule: RouteRule, caller: Principal | None) -> Decision:
    return ApiRules("api", [rule]).decide("GET", "/a", caller, now=NOW)


@pytest.mark.parametrize(
    ("decision", "kind", "status", "challenge"),
    [
        pytest.param(denied(needs(scopes={"b", "a"}), principal("x")), InsufficientScope, 403,
                     'error="insufficient_scope", error_description="The credential doesn\'t allow this", scope="a b"',
                     id="scope"),
        pytest.param(denied(needs(roles={"clerk"}), principal("x")), InsufficientScope, 403,
                     'error="insufficient_scope", error_description="The credential doesn\'t allow this"', id="role"),
        pytest.param(ROUTES.decide("GET", "/a//b", principal(), now=NOW), InsufficientScope, 403,
                     'error="insufficient_scope", error_description="The credential doesn\'t allow this"',
                     id="no-rule"),
        pytest.param(denied(needs(acr={"mfa", "hw"}), principal()), StepUpRequired, 401,
                     'error="insufficient_user_authentication", '
                     'error_description="A stronger or more recent sign-in is required", acr_values="hw mfa"',
                     id="acr"),
        pytest.param(denied(needs(max_auth_age=0), principal(auth_time=NOW - 1)), StepUpRequired, 401,
                     'error="insufficient_user_authentication", '
                     'error_description="A stronger or more recent sign-in is required", max_age="0"', id="age"),
        pytest.param(denied(needs(), None), AuthenticationRequired, 401, None, id="no-principal"),
    ],
)  # fmt: skip
def test_a_denial_becomes_an_error_with_its_challenge(
    decision: Decision, kind: type, status: int, challenge: str | None
) -> None:
    failure = failure_of(decision)

    assert type(failure) is kind
    assert failure.http_status == status
    assert failure.private["check"] == failure.reason == decision.reason
    assert failure.challenge == 'Bearer realm="tenantgate"' + (f", {challenge}" if challenge else "")


class TestRuleSet:
    own, others = rules("GET /a"), rules("GET /b")
    both = RuleSet({"a1b2c3": own, "*": others})

    def test_an_api_has_its_own_block_or_the_block_for_all_others(self) -> None:
        assert self.both.for_api("a1b2c3") is self.own
        assert self.both.for_api("zzz") is self.others

    def test_every_request_to_an_api_without_a_block_is_denied(self) -> None:
        decision = RuleSet({"a1b2c3": self.own}).decide("zzz", "GET", "/a", principal(), now=NOW)

        assert (decision.allowed, decision.reason) == (False, "no_rule")

    def test_an_apis_own_block_and_the_block_for_others_never_mix(self) -> None:
        assert not self.both.decide("a1b2c3", "GET", "/b", principal(), now=NOW).allowed

    def test_no_route_is_public_unless_its_rule_says_so(self) -> None:
        public = RuleSet({"*": ApiRules("api", [RouteRule("GET", "/a", public=True), RouteRule("GET", "/b")])})

        assert [public.is_public("x", "GET", path) for path in ("/a", "/b", "/c", "/a/")] == [True, False, False, False]

    def test_a_file_replaces_the_shipped_rules_block_by_block(self) -> None:
        mine = RuleSet({"a1b2c3": self.others})

        assert mine.with_fallback(self.both).for_api("a1b2c3") is self.others
        assert mine.with_fallback(self.both).for_api("zzz") is self.others
        assert RuleSet({}).with_fallback(self.both).for_api("a1b2c3") is self.own
