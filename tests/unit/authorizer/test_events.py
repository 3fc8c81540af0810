"""Events in every shape, read into one form; an event that contradicts itself is rejected."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aws_lambda_powertools.utilities.parser.models import (
    ApiGatewayAuthorizerRequestV2,
    ApiGatewayAuthorizerToken,
    APIGatewayWebSocketConnectEventModel,
)
from pydantic import BaseModel

from tenantgate.authorizer.events import MalformedEvent, read_event
from tests.fixtures.authorizer.events import (
    CUSTOM_DOMAINS,
    REQUEST_SHAPES,
    SHAPES,
    Event,
    authorizer_event,
    custom_domain_event,
    members_of,
)
from tests.fixtures.authorizer.guarded import token


@pytest.mark.parametrize("shape", SHAPES)
def test_the_recorded_events_agree_with_independent_models(shape: str) -> None:
    """The models are those of AWS Powertools."""
    event = authorizer_event(shape, token())
    assert read_event(event).kind == shape
    models: dict[str, type[BaseModel]] = {
        "rest-token": ApiGatewayAuthorizerToken,
        "http-2.0": ApiGatewayAuthorizerRequestV2,
        "http-2.0-policy": ApiGatewayAuthorizerRequestV2,
        "websocket": APIGatewayWebSocketConnectEventModel,
    }
    if shape in models:
        models[shape].model_validate({"isBase64Encoded": False, **event})


@pytest.mark.parametrize(
    ("shape", "method", "path", "route"),
    [
        ("rest-token", "GET", "/orders/42", None),
        ("rest-request", "GET", "/orders/42", "/orders/{order_id}"),
        ("http-1.0", "GET", "/orders/42", "/orders/{order_id}"),
        ("http-2.0", "GET", "/orders/42", "/orders/{order_id}"),
        ("http-2.0-policy", "GET", "/orders/42", "/orders/{order_id}"),
        ("websocket", "$connect", "", None),
        ("appsync", "POST", "/graphql", None),
    ],
)
def test_a_call_has_method_path_and_the_matched_route(shape: str, method: str, path: str, route: str | None) -> None:
    call = read_event(authorizer_event(shape, token()))

    assert (call.method, call.path, call.route) == (method, path, route)
    assert (call.arn is None) == (shape == "appsync")
    assert call.arn is None or call.arn.api_id == call.api_id


@pytest.mark.parametrize("type_", ["OTHER", "", 1, None, "token", "request"])
@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "appsync"])
def test_an_event_of_another_type_has_no_known_shape(shape: str, type_: object) -> None:
    with pytest.raises(MalformedEvent, match="no known shape"):
        read_event(authorizer_event(shape, token()) | {"type": type_})


def test_appsyncs_members_with_a_type_have_no_known_shape() -> None:
    event = authorizer_event("appsync", token())
    assert read_event(event).kind == "appsync"
    with pytest.raises(MalformedEvent, match="no known shape"):
        read_event(event | {"type": "OTHER"})


@pytest.mark.parametrize("event", [None, "event", 7, [], ["type"]])
def test_an_event_that_is_not_an_object_has_no_known_shape(event: object) -> None:
    with pytest.raises(MalformedEvent, match="not an object") as malformed:
        read_event(event)
    assert malformed.value.kind == "unknown"


@pytest.mark.parametrize("member", ["apiId", "queryString", "requestId"])
def test_appsync_without_a_member_is_malformed(member: str) -> None:
    event = authorizer_event("appsync", token())
    del event["requestContext"][member]
    with pytest.raises(MalformedEvent) as malformed:
        read_event(event)
    assert malformed.value.kind == "appsync"


@pytest.mark.parametrize("operation", ["EVENT_CONNECT", "EVENT_SUBSCRIBE", "EVENT_PUBLISH"])
def test_appsync_events_is_not_supported(operation: str) -> None:
    event = authorizer_event("appsync", token())
    event["requestContext"] |= {"operation": operation, "channelNamespaceName": "news", "channel": "/news/latest"}
    with pytest.raises(MalformedEvent, match="AppSync Events isn't supported"):
        read_event(event)


@pytest.mark.parametrize("rest", ["live/$default", "live/$connect/", "live/$connect/x", "live/GET/orders/42"])
def test_only_connect_of_a_websocket_api_has_an_authorizer(rest: str) -> None:
    event = authorizer_event("websocket", token()) | {"methodArn": f"arn:aws:execute-api:r:a:api/{rest}"}
    with pytest.raises(MalformedEvent, match=r"only \$connect") as malformed:
        read_event(event)
    assert malformed.value.kind == "websocket"


@pytest.mark.parametrize("value", ["polcy", "", "Policy", 1, None])
def test_an_unknown_value_of_the_stage_variable_is_malformed(value: object) -> None:
    event = authorizer_event("http-2.0", token()) | {"stageVariables": {"tenantgate_answer": value}}
    with pytest.raises(MalformedEvent, match="tenantgate_answer is neither simple nor policy") as malformed:
        read_event(event)
    assert malformed.value.kind == "http-2.0"


@pytest.mark.parametrize("value", ["simple", "policy"])
def test_the_stage_variable_chooses_between_a_boolean_and_a_policy(value: str) -> None:
    event = authorizer_event("http-2.0", token()) | {"stageVariables": {"tenantgate_answer": value}}
    assert read_event(event).kind == ("http-2.0" if value == "simple" else "http-2.0-policy")


@pytest.mark.parametrize("place", ["k2j4h6g8f0", "live", "GET"])
@pytest.mark.parametrize("character", ["X", "*", "?", "{", "}"])
def test_a_wildcard_in_an_arns_api_stage_or_method_is_malformed(place: str, character: str) -> None:
    event = authorizer_event("rest-token", token())
    event["methodArn"] = event["methodArn"].replace(place, f"{place}{character}")
    if character == "X":
        # An ordinary letter.
        call = read_event(event)
        assert call.arn is not None
        assert f"{place}X" in (call.api_id, call.arn.stage, call.method)
        return
    with pytest.raises(MalformedEvent, match="methodArn has a wildcard or a slash before its path"):
        read_event(event)


@pytest.mark.parametrize("shape", REQUEST_SHAPES)
def test_an_arn_of_something_else_is_malformed(shape: str) -> None:
    event = authorizer_event(shape, token())
    member = members_of(event)[0]
    for arn in ("arn:aws:s3:::bucket/prod/GET/a", 7, None, ""):
        with pytest.raises(MalformedEvent, match=f"{member} is not the ARN of an API's method"):
            read_event(event | {member: arn})


@pytest.mark.parametrize("shape", [shape for shape in REQUEST_SHAPES if shape != "http-2.0-policy"])
def test_the_path_of_a_custom_domain_may_begin_with_its_base_path(shape: str) -> None:
    assert set(CUSTOM_DOMAINS) == {"rest-request", "http-1.0", "http-2.0"}
    assert read_event(custom_domain_event(shape, token())).path == "/orders/42"


def test_the_root_of_a_custom_domain_may_only_have_a_base_path_before_it() -> None:
    event = json.loads(json.dumps(custom_domain_event("http-2.0", token())).replace("/GET/orders/42", "/GET/"))
    event["rawPath"] = "/shop/v2"
    assert read_event(event).path == "/"
    for domain in ("q7w3e5r9t1.execute-api.eu-central-1.amazonaws.com", None, 7):
        event["requestContext"]["domainName"] = domain
        with pytest.raises(MalformedEvent, match="another path"):
            read_event(event)


@pytest.mark.parametrize("shape", REQUEST_SHAPES)
def test_the_path_may_begin_with_the_stage(shape: str) -> None:
    event = authorizer_event(shape, token())
    path = members_of(event)[1]
    for spelled in ("/orders/42", "/live/orders/42"):
        assert read_event(event | {path: spelled}).path == "/orders/42"
    assert read_event(event | {path: "/live/orders/42/"}).path == "/orders/42/"


@pytest.mark.parametrize("shape", REQUEST_SHAPES)
@pytest.mark.parametrize(
    "path",
    [*("/orders/43", "/orders/42x", "/orders", "/", "", "/other/orders/42", "x/orders/42", "/liv/orders/42"), 42, {}],
)
def test_an_arn_for_another_path_is_malformed(shape: str, path: object) -> None:
    event = authorizer_event(shape, token())
    with pytest.raises(MalformedEvent, match="path"):
        read_event(event | {members_of(event)[1]: path})


@pytest.mark.parametrize("shape", REQUEST_SHAPES)
def test_an_event_may_lack_path_and_route(shape: str) -> None:
    event: dict[str, Any] = authorizer_event(shape, token())
    for name in members_of(event)[1:]:
        del event[name]
    call = read_event(event)
    assert (call.path, call.route) == ("/orders/42", None)


@pytest.mark.parametrize("shape", REQUEST_SHAPES)
@pytest.mark.parametrize("method", ["POST", "get", "", None, 7, "G3T", "*"])
def test_an_arn_for_another_method_is_malformed(shape: str, method: object) -> None:
    event: Event = authorizer_event(shape, token())
    if "routeArn" in event:
        event["requestContext"]["http"]["method"] = method
    else:
        event["httpMethod"] = method
    with pytest.raises(MalformedEvent, match="another method" if method == "POST" else "the method is missing"):
        read_event(event)


@pytest.mark.parametrize("version", ["1.0", "2.0", "", 1])
def test_a_token_event_has_no_version(version: object) -> None:
    event = authorizer_event("rest-token", "a.b.c")
    assert read_event(event).kind == "rest-token"
    with pytest.raises(MalformedEvent) as error:
        read_event(event | {"version": version})
    assert error.value.kind == "unknown"
