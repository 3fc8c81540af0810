"""The ARN is what policies are compared with, and the event says twice what is asked: both must say the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tenantgate.authorizer.events import MalformedEvent, read_event
from tests.fixtures.authorizer.events import CUSTOM_DOMAINS, authorizer_event, custom_domain_event
from tests.fixtures.authorizer.guarded import authorizer, token
from tests.fixtures.authorizer.iam import allows
from tests.fixtures.authorizer.integrations import status_told

RULES = """\
version = 1
[[api]]
name = "door"
ids = ["*"]
[[api.route]]
route = "GET /admin"
scopes = ["admin"]
[[api.route]]
route = "GET /orders/{id}"
[[api.route]]
route = "GET /{path+}"
"""
REQUEST_SHAPES = ("rest-request", "http-1.0", "http-2.0", "http-2.0-policy")
type Event = dict[str, Any]


def members(event: Event) -> tuple[str, str, str]:
    """The names of ARN, path and route in this shape."""
    return ("routeArn", "rawPath", "routeKey") if "routeArn" in event else ("methodArn", "path", "resource")


def moved(event: Event, arn_path: str, own_path: str, route: str) -> Event:
    """The event for another path; `own_path` without the stage."""
    arn, path, named = members(event)
    event[arn] = event[arn].replace("GET/orders/42", f"GET{arn_path}")
    event[path] = event[path].replace("/orders/42", own_path)
    event[named] = event[named].replace("/orders/{order_id}", route)
    return event


def passes(event: Event, shape: str) -> bool:
    return status_told(shape, event, lambda: authorizer(text=RULES).decide(event)) == 200


@pytest.mark.parametrize("shape", REQUEST_SHAPES)
@pytest.mark.parametrize(
    ("arn_path", "own_path", "route"),
    [
        pytest.param("/admin", "/admin", "/admin", id="the-path-itself"),
        pytest.param("/admin/", "/admin/", "/{path+}", id="slash"),
        pytest.param("/admin", "/admin/", "/admin", id="slash-in-the-path-only"),
        pytest.param("/admin/", "/admin", "/admin", id="slash-in-the-arn-only"),
        pytest.param("/admin/", "/admin/", "/admin", id="slash-and-the-matched-route"),
        pytest.param("/admin/", "/admin%2F", "/admin", id="encoded-slash-decoded-in-the-arn"),
        pytest.param("/admin%2F", "/admin%2F", "/{path+}", id="encoded-slash"),
        pytest.param("/ADMIN", "/ADMIN", "/admin", id="only-the-matched-route-tells"),
        pytest.param("/admin;v", "/admin;v", "/{path+}", id="matrix-parameter"),
        pytest.param("/admin\n", "/admin\n", "/{path+}", id="line-feed"),
        pytest.param("/admin%0A", "/admin%0A", "/{path+}", id="line-feed-encoded"),
        pytest.param("/admin%0A", "/admin\n", "/{path+}", id="line-feed-in-one-of-two"),
        pytest.param("/x/../admin", "/x/../admin", "/{path+}", id="dot-segments"),
    ],
)
def test_a_rule_is_not_escaped_by_another_spelling(shape: str, arn_path: str, own_path: str, route: str) -> None:
    assert not passes(moved(authorizer_event(shape, token()), arn_path, own_path, route), shape)


@pytest.mark.parametrize("shape", REQUEST_SHAPES)
@pytest.mark.parametrize("path", ["/admin", "/admin/", "/%61dmin"])
def test_who_may_call_the_path_may_call_it_however_it_is_spelled(shape: str, path: str) -> None:
    event = moved(authorizer_event(shape, token(scope="admin")), path, path, "/admin")
    assert passes(event, shape)


@pytest.mark.parametrize("shape", ["rest-request", "http-1.0", "http-2.0-policy"])
def test_a_cached_policy_denies_the_folded_spellings(shape: str) -> None:
    event = authorizer_event(shape, token())
    arn = event[members(event)[0]]
    answer: Any = authorizer(text=RULES).decide(event)
    assert allows(answer["policyDocument"], arn)
    for path in (
        "/admin/",
        "/admin%2F",
        "/%61dmin",
        "/admin;v",
        "/admin.",
        "/admin ",
        "/admin%20",
        "/admin#",
        "/a/../admin",
    ):
        assert not allows(answer["policyDocument"], arn.replace("/orders/42", path)), path
    if shape != "rest-request":
        for character in "\t\n\r":
            assert not allows(answer["policyDocument"], arn.replace("/orders/42", f"/admin{character}"))
    assert allows(answer["policyDocument"], arn.replace("/orders/42", "/files/a/b/"))


@pytest.mark.parametrize("shape", ["http-1.0", "http-2.0-policy"])
@pytest.mark.parametrize(
    ("path", "route"),
    [
        *(pytest.param(f"/admin{chr(code)}", "/{path+}", id=f"U+{code:04X}") for code in (*range(0x20), 0x7F)),
        pytest.param("/admin\0*", "/{path+}", id="control-character-and-wildcard"),
        pytest.param("/admin\0" + "x" * 600, "/{path+}", id="control-character-and-too-long"),
        pytest.param("/ADMIN*", "/admin", id="denied-by-the-matched-route-only"),
        pytest.param("/ADMIN" + "x" * 600, "/admin", id="denied-by-the-matched-route-and-too-long"),
    ],
)
def test_a_denial_that_no_policy_can_express_is_a_401(shape: str, path: str, route: str) -> None:
    """A policy would allow the path by a wildcard; API Gateway never caches a 401."""
    event = moved(authorizer_event(shape, token()), path, path, route)
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        authorizer(text=RULES).decide(event)


@pytest.mark.parametrize("path", ["/nothing*", "/nothing" + "x" * 600])
def test_a_denied_path_that_no_resource_names_is_a_403_where_the_policy_denies_it(path: str) -> None:
    rules = RULES.replace('route = "GET /{path+}"', 'route = "GET /files/{path+}"')
    event = moved(authorizer_event("http-2.0-policy", token()), path, path, "/{proxy+}")
    answer: Any = authorizer(text=rules).decide(event)
    assert not allows(answer["policyDocument"], event["routeArn"])


@pytest.mark.parametrize("shape", [shape for shape in REQUEST_SHAPES if shape != "http-2.0-policy"])
def test_a_custom_domains_base_path_is_no_contradiction(shape: str) -> None:
    event = custom_domain_event(shape, token())
    assert set(CUSTOM_DOMAINS) == {"rest-request", "http-1.0", "http-2.0"}
    assert read_event(event).path == "/orders/42"
    assert passes(event, shape)
    assert not passes(moved(event, "/admin/", "/admin/", "/{path+}"), shape)


@pytest.mark.parametrize("shape", REQUEST_SHAPES)
def test_a_stage_before_the_path_is_no_contradiction(shape: str) -> None:
    event = authorizer_event(shape, token())
    path = members(event)[1]
    for spelled in ("/orders/42", "/live/orders/42"):
        assert read_event(event | {path: spelled}).path == "/orders/42"
    assert read_event(event | {path: "/live/orders/42/"}).path == "/orders/42/"


@pytest.mark.parametrize("shape", REQUEST_SHAPES)
@pytest.mark.parametrize(
    "path",
    [*("/orders/43", "/orders/42x", "/orders", "/", "", "/other/orders/42", "x/orders/42", "/liv/orders/42"), 42, {}],
)
def test_an_arn_for_another_path_is_refused(shape: str, path: object) -> None:
    event = authorizer_event(shape, token())
    with pytest.raises(MalformedEvent, match="path"):
        read_event(event | {members(event)[1]: path})
    answer: Any = authorizer(text=RULES).decide(event | {members(event)[1]: path})
    assert not answer.get("isAuthorized")
    assert "policyDocument" not in answer or not allows(answer["policyDocument"], event[members(event)[0]])


def other_method_v2(event: Event) -> None:
    event["requestContext"]["http"]["method"] = "POST"


@pytest.mark.parametrize("shape", REQUEST_SHAPES)
def test_an_arn_for_another_method_is_refused(shape: str) -> None:
    event = authorizer_event(shape, token())
    change: Callable[[Event], None] = (
        other_method_v2 if "routeArn" in event else lambda event: event.update(httpMethod="POST")
    )
    change(event)
    with pytest.raises(MalformedEvent, match="another method"):
        read_event(event)


def test_a_custom_domains_root_takes_only_a_base_path() -> None:
    event = json.loads(json.dumps(custom_domain_event("http-2.0", token())).replace("/GET/orders/42", "/GET/"))
    event["rawPath"] = "/shop/v2"
    assert read_event(event).path == "/"
    event["requestContext"]["domainName"] = "q7w3e5r9t1.execute-api.eu-central-1.amazonaws.com"
    with pytest.raises(MalformedEvent):
        read_event(event)


def test_a_token_event_has_only_its_arn() -> None:
    event = authorizer_event("rest-token", token())
    event["methodArn"] = event["methodArn"].replace("/orders/42", "/admin/")
    assert read_event(event).route is None
    answer: Any = authorizer(text=RULES).decide(event)
    assert not allows(answer["policyDocument"], event["methodArn"])
