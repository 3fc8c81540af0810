"""The events of a REST API, member by member as AWS documents them."""

import base64
from typing import Any

from lambda_gateway.events.request import Request
from lambda_gateway.events.rest_api import flat_context, proxy_event
from lambda_gateway.model import Api, Kind, Route

API = Api("Orders", (), {}, kind=Kind.REST, id="orders", stage="prod", stage_variables={"color": "blue"})


ROUTE = Route("GET", "/orders/{id}", function="F", authorizer="Gate")


HEADERS = [("host", "api.test:3001"), ("x-a", "1"), ("x-a", "2"), ("user-agent", "agent/1")]


def request(query: str = "", body: bytes = b"", content_type: str | None = None) -> Request:
    headers = [*HEADERS, *([("content-type", content_type)] if content_type else [])]
    return Request(
        *("GET", "/orders/7", query, headers, body, "192.0.2.1"),
        request_id="0e3c1d4e-0000-4000-8000-000000000000",
        trace_id="Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e;Sampled=0",
        received=1583348638.390,
    )


def event(sent: Request, api: Api = API, authorizer: dict[str, object] | None = None) -> dict[str, Any]:
    return proxy_event(api, sent, ROUTE, {"id": "7"}, authorizer)


def test_the_whole_event_of_a_plain_request() -> None:
    sent = event(request())
    context = sent.pop("requestContext")
    assert sent == {
        "resource": "/orders/{id}",
        "path": "/orders/7",
        "httpMethod": "GET",
        "headers": {
            "Host": "api.test:3001",
            "X-Amzn-Trace-Id": "Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e",
            "X-Forwarded-For": "192.0.2.1",
            "X-Forwarded-Port": "3001",
            "X-Forwarded-Proto": "http",
            "user-agent": "agent/1",
            "x-a": "2",
        },
        "multiValueHeaders": {
            "Host": ["api.test:3001"],
            "X-Amzn-Trace-Id": ["Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e"],
            "X-Forwarded-For": ["192.0.2.1"],
            "X-Forwarded-Port": ["3001"],
            "X-Forwarded-Proto": ["http"],
            "user-agent": ["agent/1"],
            "x-a": ["1", "2"],
        },
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {"id": "7"},
        "stageVariables": {"color": "blue"},
        "body": None,
        "isBase64Encoded": False,
    }
    assert context["path"] == "/prod/orders/7"
    assert context["resourcePath"] == "/orders/{id}"
    assert context["requestTime"] == "04/Mar/2020:19:03:58 +0000"
    assert context["requestTimeEpoch"] == 1583348638390
    assert (context["apiId"], context["stage"], context["domainName"]) == ("orders", "prod", "api.test")
    assert context["identity"]["sourceIp"] == "192.0.2.1"
    assert context["identity"]["user"] is None
    assert len(context["resourceId"]) == 6
    assert "authorizer" not in context


def test_query_parameters_have_the_last_value_and_all_values() -> None:
    sent = event(request("a=1&a=2&b=%20"))
    assert sent["queryStringParameters"] == {"a": "2", "b": " "}
    assert sent["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": [" "]}


def test_a_body_is_text_unless_the_api_declares_its_type_binary() -> None:
    assert event(request(body=b"\xff", content_type="image/png"))["body"] == "\ufffd"
    for kinds in (("image/png",), ("*/*",)):
        api = Api("It", (), {}, kind=Kind.REST, binary_types=kinds)
        sent = event(request(body=b"\xff", content_type="image/png; a=b"), api)
        assert (base64.b64decode(sent["body"]), sent["isBase64Encoded"]) == (b"\xff", True)


def test_the_values_of_an_authorizers_context_are_text() -> None:
    flat = flat_context("u", {"tenant": "org-1", "level": 2, "ratio": 0.5, "admin": True}, 12)
    assert flat == {
        "tenant": "org-1",
        "level": "2",
        "ratio": "0.5",
        "admin": "true",
        "principalId": "u",
        "integrationLatency": 12,
    }
    assert event(request(), authorizer=flat)["requestContext"]["authorizer"] == flat


def test_a_context_cannot_replace_the_principal() -> None:
    assert flat_context("u", {"principalId": "admin"}, 0)["principalId"] == "u"
