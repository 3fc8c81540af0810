"""Another spelling of a path doesn't bypass its rule, and the matched route of the API counts too."""

from __future__ import annotations

import pytest

from tenantgate.authorizer.iam_policy import compile_policy
from tenantgate.authorizer.method_arn import MethodArn
from tenantgate.identity.principal import Principal
from tenantgate.route_rules.engine import ApiRules
from tenantgate.route_rules.matching import readings
from tenantgate.route_rules.model import RouteRule
from tests.fixtures.authorizer.iam import allows

STAGE = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/prod/"
NOW = 1_800_000_000.0
ADMIN = frozenset({"admin"})


def caller(*scopes: str) -> Principal:
    return Principal("u", "org-1", "https://issuer.example", frozenset(scopes), int(NOW) + 60)


def rule(route: str, *scopes: str, public: bool = False) -> RouteRule:
    method, _, pattern = route.partition(" ")
    return RouteRule(method, pattern, scopes=frozenset(scopes), public=public)


DOOR = ApiRules("api", [rule("GET /admin", "admin"), rule("GET /{path+}"), rule("GET /")])


@pytest.mark.parametrize(
    "path",
    [
        *("", "admin", "//", "//admin", "/admin//", "/a//b", "/.", "/..", "/./admin", "/a/../admin", "/a/.."),
        *("/a/.; /b", "/a/..;/admin", "/a/..;x=1/admin", "/a/..%3b/admin", "/a/.. ", "/a/..%20", "/a/;x/b"),
        *("/admin%2F", "/admin%2f", "/x%2F..%2Fadmin", "/%2e/admin", "/a/%2E%2e/admin", "/a/.%2e/admin"),
        *("/admin%0a", "/admin%0D%0A", "/admin\n", "/ad\tmin", "/admin%00", "/admin\x7f", "/admin%7F", "/a%09"),
        *("/%2561dmin", "/admin%252F", "/%25%36%31", "/%4%31dmin", "/%u0061dmin", "/%U0061"),
        *("/ /admin", "/a/%20/admin", "/a%5Cb", "/a\\b"),
        *("/. /admin", "/.%20/admin", "/a/.. /b", "/a/%20%2E/b", "/a/... /b"),
    ],
)  # fmt: skip
def test_an_ambiguous_path_is_denied(path: str) -> None:
    assert readings(path) == ()
    open_to_all = ApiRules("api", [rule("GET /{path+}", public=True)])
    decision = open_to_all.decide("GET", path, caller("admin"), now=NOW)
    assert (decision.allowed, decision.reason) == (False, "ambiguous_path")


@pytest.mark.parametrize(
    "path",
    [
        *("/admin/", "/admin;", "/admin;a=b;c", "/admin.", "/admin ", "/admin%20%20", "/admin%3F", "/admin%23"),
        *("/%61dmin", "/%61dmin/", "/admin./", "/admin;x/", "/admin.;x", "/admin%2E", "/admin%2e%3b"),
    ],
)  # fmt: skip
def test_a_folded_spelling_has_the_requirements_of_the_path(path: str) -> None:
    denied = DOOR.decide("GET", path, caller(), now=NOW)
    assert (denied.allowed, denied.reason) == (False, "missing_scope")
    assert denied.rule is not None
    assert denied.rule.route == "GET /admin"
    assert DOOR.decide("GET", path, caller("admin"), now=NOW).allowed
    assert not DOOR.decide("GET", path, None, now=NOW).allowed


def test_a_spelling_that_no_rule_matches_stays_denied() -> None:
    exact = ApiRules("api", [rule("GET /admin"), rule("GET /orders/{id}")])
    assert exact.decide("GET", "/admin/", caller(), now=NOW).reason == "no_rule"
    assert exact.decide("GET", "/orders/1/", caller(), now=NOW).reason == "no_rule"
    assert exact.decide("GET", "/orders/a%20b.", caller(), now=NOW).allowed


@pytest.mark.parametrize(
    ("rules", "path", "allowed"),
    [
        pytest.param([rule("GET /end/")], "/end/", True, id="the-only-rule"),
        pytest.param([rule("GET /end/")], "/end", False, id="not-as-the-rule-says"),
        pytest.param([rule("GET /end/"), rule("GET /end", "admin")], "/end/", False, id="folded-into-a-denied-one"),
        pytest.param([rule("GET /end/", "admin"), rule("GET /{all+}")], "/end", False, id="unfolded-into-a-denied-one"),
        pytest.param([rule("GET /end/"), rule("GET /{all+}", "admin")], "/end/", False, id="folded-into-a-denied-rest"),
        pytest.param([rule("GET /{x}/", "admin"), rule("GET /a")], "/a", False, id="a-parameter-before-the-slash"),
        pytest.param([rule("GET /", "admin"), rule("GET /{all+}")], "/a/", True, id="the-root-has-no-slash-at-the-end"),
    ],
)
def test_a_rule_that_names_a_slash_at_the_end(rules: list[RouteRule], path: str, allowed: bool) -> None:
    assert ApiRules("api", rules).decide("GET", path, caller(), now=NOW).allowed is allowed


PARTS = [rule("GET /orders/{id}", "admin"), rule("GET /orders/open"), rule("GET /{a}/{b}")]


@pytest.mark.parametrize(
    ("rules", "path", "route", "allowed"),
    [
        pytest.param(PARTS, "/Orders/1", "/orders/{order_id}", False, id="the-route-is-stricter-than-the-path"),
        pytest.param(PARTS, "/Orders/1", "/orders/{id}", False, id="names-of-parameters-dont-count"),
        pytest.param(PARTS, "/orders/1", "/{x}/{y}", False, id="in-addition-never-instead"),
        pytest.param(PARTS, "/orders/open", "/orders/{id}", True, id="a-rule-for-a-part-of-the-route"),
        pytest.param(
            [*PARTS, rule("GET /{r+}")], "/orders/open/", "/orders/{id}", False, id="one-of-two-readings-is-not-a-part"
        ),
        pytest.param(PARTS, "/x/1", "/{proxy+}", True, id="a-pattern-that-no-rule-matches"),
        pytest.param(PARTS, "/x/1", "$default", True, id="default"),
        pytest.param(PARTS, "/x/1", "", True, id="no-pattern"),
        pytest.param(PARTS, "/x/1", "/other/{proxy+}/x", True, id="an-odd-pattern"),
        pytest.param([rule("GET /a/{r+}", "admin"), rule("GET /{r+}")], "/A/b", "/a/b", False, id="matched-by-a-rest"),
        pytest.param([rule("GET /a/{r+}", "admin"), rule("GET /{r+}")], "/A/b", "/a/{p+}", False, id="both-are-rests"),
        pytest.param([rule("GET /{x}", "admin"), rule("GET /{r+}")], "/a/b", "/{r+}", True, id="not-a-segment"),
        pytest.param(
            [rule("GET /a/{x}", "admin"), rule("GET /{r+}")], "/A/b", "/a/{p+}", True, id="nor-behind-a-literal"
        ),
        pytest.param([rule("ANY /a", "admin"), rule("GET /{r+}")], "/A", "/a", False, id="any-method"),
        pytest.param([rule("POST /a", "admin"), rule("GET /{r+}")], "/A", "/a", True, id="another-method"),
    ],
)
def test_the_matched_route_must_be_allowed_as_well(
    rules: list[RouteRule], path: str, route: str, allowed: bool
) -> None:
    api = ApiRules("api", rules)
    for _ in range(2):
        assert api.decide("GET", path, caller(), now=NOW, route=route).allowed is allowed
        assert api.decide("GET", path, caller("admin"), now=NOW, route=route).allowed


PROTECTED = [rule("GET /admin", "admin"), rule("GET /{r+}")]


@pytest.mark.parametrize(
    ("rules", "allowed"),
    [
        pytest.param([*PROTECTED, rule("HEAD /{r+}")], False, id="the-rule-for-get-is-more-specific"),
        pytest.param([*PROTECTED, rule("ANY /{r+}")], False, id="any-opens-nothing"),
        pytest.param([*PROTECTED, rule("HEAD /admin"), rule("HEAD /{r+}")], True, id="its-own-rule"),
        pytest.param([rule("GET /{r+}", "admin"), rule("HEAD /{r+}")], True, id="its-own-rule-for-the-rest"),
        pytest.param(
            [rule("ANY /{r+}"), rule("GET /{r+}", "admin"), rule("GET /Admin")], False, id="two-rules-of-one-pattern"
        ),
    ],
)
def test_head_must_meet_the_rule_for_get_of_the_matched_route(*, rules: list[RouteRule], allowed: bool) -> None:
    api = ApiRules("api", rules)
    for _ in range(2):
        assert api.decide("HEAD", "/Admin", caller(), now=NOW, route="/admin").allowed is allowed
        assert api.decide("HEAD", "/Admin", caller("admin"), now=NOW, route="/admin").allowed


def test_the_cache_of_matched_routes_is_bounded() -> None:
    for number in range(3000):
        assert not DOOR.decide("GET", "/Admin", None, now=NOW, route=f"/{number}/{{x}}").allowed
    assert not DOOR.decide("GET", "/Admin", caller(), now=NOW, route="/admin").allowed


@pytest.mark.parametrize(
    ("rules", "path", "allowed"),
    [
        pytest.param([rule("GET /admin", "admin"), rule("ANY /{r+}")], "/admin", False, id="any-opens-nothing"),
        pytest.param([rule("GET /admin", "admin"), rule("ANY /admin")], "/admin", False, id="nor-on-the-same-path"),
        pytest.param([rule("GET /admin", "admin"), rule("ANY /{r+}")], "/admin/", False, id="nor-folded"),
        pytest.param([rule("GET /admin", "admin"), rule("HEAD /{r+}")], "/admin", False, id="the-more-specific-counts"),
        pytest.param([rule("GET /admin", "admin"), rule("HEAD /admin")], "/admin", True, id="its-own-rule"),
        pytest.param([rule("GET /{r+}", "admin"), rule("HEAD /status")], "/status", True, id="its-own-part"),
        pytest.param([rule("GET /{r+}", "admin"), rule("ANY /status")], "/status", True, id="any-includes-get"),
        pytest.param([rule("GET /a/", "admin"), rule("ANY /{r+}")], "/a", False, id="a-slash-at-the-end"),
        pytest.param([rule("GET /a")], "/a", False, id="get-opens-no-head"),
    ],
)
def test_head_must_meet_the_rule_for_get(rules: list[RouteRule], path: str, allowed: bool) -> None:
    api = ApiRules("api", rules)
    assert api.decide("HEAD", path, caller(), now=NOW).allowed is allowed
    for listed in (False, True):
        compiled = compile_policy(
            ApiRules("api", rules, every_route_listed=listed), caller(), arn=MethodArn.parse(f"{STAGE}GET/x"), now=NOW
        )
        assert compiled.complete
        assert allows(compiled.document, f"{STAGE}HEAD{path}") is allowed
