"""The events that functions get: payload format 2.0, member by member as AWS documents it."""

import base64
from collections.abc import Sequence
from typing import Any

import pytest

from lambda_gateway.events.http_api import encode_body, integration_event
from lambda_gateway.events.request import Request
from lambda_gateway.model import Api, Route

API = Api("HttpApi", (), {})


ROUTE = Route("GET", "/pets/{id}", function="Pets")


DEFAULT = Route("ANY", None, function="Pets")


GUARDED = Route("GET", "/pets/{id}", function="Pets", authorizer="Gate")


def request(
    method: str = "GET",
    path: str = "/pets/7",
    query: str = "",
    headers: Sequence[tuple[str, str]] = (("host", "api.example.test:3000"),),
    body: bytes = b"",
) -> Request:
    return Request(
        method=method,
        path=path,
        query=query,
        headers=headers,
        body=body,
        source_ip="192.0.2.1",
        request_id="JKJaXmPLvHcESHA=",
        trace_id="Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e;Parent=1;Sampled=0",
        received=1583348638.390,
    )


def event(request: Request, route: Route = ROUTE, authorizer: object = None) -> dict[str, Any]:
    return integration_event(API, request, route, {"id": "7"}, authorizer)


def test_the_whole_event_of_a_plain_request() -> None:
    headers = [("host", "api.example.test:3000"), ("user-agent", "agent/1"), ("accept", "*/*")]
    assert event(request(headers=headers)) == {
        "version": "2.0",
        "routeKey": "GET /pets/{id}",
        "rawPath": "/pets/7",
        "rawQueryString": "",
        "headers": {
            "accept": "*/*",
            "content-length": "0",
            "host": "api.example.test:3000",
            "user-agent": "agent/1",
            "x-amzn-trace-id": "Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e",
            "x-forwarded-for": "192.0.2.1",
            "x-forwarded-port": "3000",
            "x-forwarded-proto": "http",
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "local",
            "domainName": "api.example.test",
            "domainPrefix": "api",
            "http": {
                "method": "GET",
                "path": "/pets/7",
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "agent/1",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "GET /pets/{id}",
            "stage": "$default",
            "time": "04/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1583348638390,
        },
        "pathParameters": {"id": "7"},
        "isBase64Encoded": False,
    }


def test_repeated_headers_are_joined_by_commas() -> None:
    headers = [("host", "h"), ("x-a", "1"), ("x-a", "2"), ("x-a", "3, 4")]
    assert event(request(headers=headers))["headers"]["x-a"] == "1,2,3, 4"


def test_cookies_have_their_own_member() -> None:
    sent = event(request(headers=[("host", "h"), ("cookie", "a=1; b=2;c=3"), ("cookie", 'd="4,5"')]))
    assert sent["cookies"] == ["a=1", "b=2", "c=3", 'd="4,5"']
    assert "cookie" not in sent["headers"]


def test_without_cookies_there_is_no_such_member() -> None:
    assert "cookies" not in event(request())


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        pytest.param(
            "parameter1=value1&parameter1=value2&parameter2=value",
            {"parameter1": "value1,value2", "parameter2": "value"},
            id="repeated-names-are-joined",
        ),
        pytest.param("a=b%20c&d=e+f", {"a": "b c", "d": "e f"}, id="values-are-decoded"),
        pytest.param("a=&b", {"a": "", "b": ""}, id="empty-values-stay"),
        pytest.param("%C3%A4=%E2%82%AC", {"ä": "€"}, id="utf-8"),
    ],
)
def test_query_parameters(query: str, parameters: dict[str, str]) -> None:
    sent = event(request(query=query))
    assert sent["rawQueryString"] == query
    assert sent["queryStringParameters"] == parameters


def test_without_a_query_there_are_no_parameters() -> None:
    assert "queryStringParameters" not in event(request())


def test_a_proxys_forwarded_for_is_kept_in_front() -> None:
    headers = event(request(headers=[("host", "h"), ("x-forwarded-for", "203.0.113.9")]))["headers"]
    assert headers["x-forwarded-for"] == "203.0.113.9, 192.0.2.1"


def test_the_default_route_has_no_path_parameters() -> None:
    sent = event(request(), DEFAULT)
    assert sent["routeKey"] == sent["requestContext"]["routeKey"] == "$default"
    assert "pathParameters" not in sent


@pytest.mark.parametrize(
    ("content_type", "body", "is_base64"),
    [
        pytest.param("application/json", b'{"a":1}', False, id="json"),
        pytest.param("application/problem+json; charset=utf-8", b"{}", False, id="json-suffix"),
        pytest.param("text/plain", "ä".encode(), False, id="text"),
        pytest.param("application/xml", b"<a/>", False, id="xml"),
        pytest.param(None, b"hello", False, id="no-type"),
        pytest.param("application/x-www-form-urlencoded", b"a=1", True, id="a-form-is-base64"),
        pytest.param("application/octet-stream", b"\x00\xff", True, id="binary"),
        pytest.param("multipart/form-data; boundary=x", b"--x", True, id="multipart"),
        pytest.param("text/plain", b"\xff", True, id="text-that-isnt-utf-8"),
    ],
)
def test_bodies(content_type: str | None, body: bytes, is_base64: bool) -> None:
    text, encoded = encode_body(body, content_type)
    assert encoded is is_base64
    assert (base64.b64decode(text) if is_base64 else text.encode()) == body


def test_a_request_with_a_body() -> None:
    headers = [("host", "h"), ("content-type", "application/json"), ("content-length", "2")]
    sent = event(request("POST", headers=headers, body=b"{}"))
    assert (sent["body"], sent["isBase64Encoded"]) == ("{}", False)
    assert sent["headers"]["content-length"] == "2"


def test_a_request_without_a_body_has_no_such_member() -> None:
    assert "body" not in event(request())


def test_the_authorizers_context() -> None:
    authorizer = {"lambda": {"user_id": "u", "level": 1, "tags": ["a"]}}
    assert event(request(), GUARDED, authorizer)["requestContext"]["authorizer"] == authorizer


def test_without_an_authorizer_there_is_no_such_member() -> None:
    assert "authorizer" not in event(request())["requestContext"]


def test_stage_variables() -> None:
    api = Api("HttpApi", (), {}, stage_variables={"color": "blue"})
    assert integration_event(api, request(), ROUTE, {})["stageVariables"] == {"color": "blue"}
    assert "stageVariables" not in event(request())
