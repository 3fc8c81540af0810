"""Decisions on other spellings of a path, on the matched route, and on events that contradict themselves."""

from __future__ import annotations

from typing import Any

import pytest

from tenantgate.authorizer.events import read_event
from tests.fixtures.authorizer.events import (
    REQUEST_SHAPES,
    Event,
    authorizer_event,
    custom_domain_event,
    members_of,
)
from tests.fixtures.authorizer.guarded import authorizer, token
from tests.fixtures.authorizer.iam import allows
from tests.fixtures.authorizer.integrations import client_status
from tests.fixtures.web.setup import log_lines

pytestmark = pytest.mark.usefixtures("json_log")

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


def moved(event: Event, arn_path: str, own_path: str, route: str) -> Event:
    """Return the event for another path; `own_path` without the stage."""
    arn, path, named = members_of(event)
    event[arn] = event[arn].replace("GET/orders/42", f"GET{arn_path}")
    event[path] = event[path].replace("/orders/42", own_path)
    event[named] = event[named].replace("/orders/{order_id}", route)
    return event


def passes(event: Event, shape: str) -> bool:
    return client_status(shape, event, lambda: authorizer(text=RULES).decide(event)) == 200


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
        pytest.param("/ADMIN", "/ADMIN", "/admin", id="only-the-matched-route-shows-it"),
        pytest.param("/admin;v", "/admin;v", "/{path+}", id="matrix-parameter"),
        pytest.param("/admin\n", "/admin\n", "/{path+}", id="line-feed"),
        pytest.param("/admin%0A", "/admin%0A", "/{path+}", id="line-feed-encoded"),
        pytest.param("/admin%0A", "/admin\n", "/{path+}", id="line-feed-in-one-of-two"),
        pytest.param("/x/../admin", "/x/../admin", "/{path+}", id="dot-segments"),
    ],
)
def test_another_spelling_does_not_bypass_a_rule(shape: str, arn_path: str, own_path: str, route: str) -> None:
    assert not passes(moved(authorizer_event(shape, token()), arn_path, own_path, route), shape)


@pytest.mark.parametrize("shape", REQUEST_SHAPES)
@pytest.mark.parametrize("path", ["/admin", "/admin/", "/%61dmin"])
def test_a_caller_with_the_permission_may_use_any_spelling(shape: str, path: str) -> None:
    event = moved(authorizer_event(shape, token(scope="admin")), path, path, "/admin")
    assert passes(event, shape)


@pytest.mark.parametrize("shape", ["rest-request", "http-1.0", "http-2.0-policy"])
def test_a_cached_policy_denies_the_folded_spellings(shape: str) -> None:
    event = authorizer_event(shape, token())
    arn = event[members_of(event)[0]]
    response: Any = authorizer(text=RULES).decide(event)
    assert allows(response["policyDocument"], arn)
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
        assert not allows(response["policyDocument"], arn.replace("/orders/42", path)), path
    if shape != "rest-request":
        for character in "\t\n\r":
            assert not allows(response["policyDocument"], arn.replace("/orders/42", f"/admin{character}"))
    assert allows(response["policyDocument"], arn.replace("/orders/42", "/files/a/b/"))


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
def test_a_denied_path_that_no_resource_can_name_is_a_403_if_the_policy_denies_it(path: str) -> None:
    rules = RULES.replace('route = "GET /{path+}"', 'route = "GET /files/{path+}"')
    event = moved(authorizer_event("http-2.0-policy", token()), path, path, "/{proxy+}")
    response: Any = authorizer(text=rules).decide(event)
    assert not allows(response["policyDocument"], event["routeArn"])


@pytest.mark.parametrize("shape", [shape for shape in REQUEST_SHAPES if shape != "http-2.0-policy"])
def test_a_custom_domains_base_path_is_not_part_of_the_path(shape: str) -> None:
    event = custom_domain_event(shape, token())
    assert passes(event, shape)
    assert not passes(moved(event, "/admin/", "/admin/", "/{path+}"), shape)


@pytest.mark.parametrize("shape", REQUEST_SHAPES)
@pytest.mark.parametrize("path", ["/orders/43", "/other/orders/42", "", 42])
def test_an_event_whose_arn_is_for_another_path_is_denied(shape: str, path: object) -> None:
    event = authorizer_event(shape, token())
    response: Any = authorizer(text=RULES).decide(event | {members_of(event)[1]: path})
    assert not response.get("isAuthorized")
    assert "policyDocument" not in response or not allows(response["policyDocument"], event[members_of(event)[0]])


def test_the_path_of_a_token_event_is_its_arns() -> None:
    event = authorizer_event("rest-token", token())
    event["methodArn"] = event["methodArn"].replace("/orders/42", "/admin/")
    assert read_event(event).route is None
    response: Any = authorizer(text=RULES).decide(event)
    assert not allows(response["policyDocument"], event["methodArn"])


def test_a_policy_for_one_path_comes_with_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    inexpressible = RULES + '[[api.route]]\nroute = "GET /orders/{id}/items"\nscopes = ["none"]\n'
    inexpressible = inexpressible.replace('[[api.route]]\nroute = "GET /{path+}"\n', "")
    inexpressible = inexpressible.replace('scopes = ["none"]', "")
    event = authorizer_event("rest-request", token())

    response: Any = authorizer(text=inexpressible).decide(event)

    arn = event["methodArn"]
    assert allows(response["policyDocument"], arn)
    assert not allows(response["policyDocument"], arn.replace("/orders/42", "/orders/43"))
    [line] = log_lines(capsys.readouterr().out)
    assert line["level"] == "WARNING"
    assert line["context"] == {"api_id": "k2j4h6g8f0", "reason": "not_expressible"}
