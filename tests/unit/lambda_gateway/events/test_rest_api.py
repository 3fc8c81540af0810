"""The events of a REST API, member by member as AWS documents them."""

import base64
from typing import Any

from lambda_gateway.events.authorizer import authorizer_event
from lambda_gateway.events.http_api import Request
from lambda_gateway.events.rest_api import flat_context, proxy_event
from lambda_gateway.model import Api, Authorizer, Kind, Payload, Route

API = Api("Orders", (), {}, kind=Kind.REST, id="orders", stage="prod", stage_variables={"color": "blue"})
HTTP = Api("Orders", (), {}, id="orders")
ROUTE = Route("GET", "/orders/{id}", function="F", authorizer="Gate")
ARN = "arn:aws:execute-api:us-east-1:123456789012:orders/prod/GET/orders/7"
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


def test_query_parameters_last_and_all() -> None:
    sent = event(request("a=1&a=2&b=%20"))
    assert sent["queryStringParameters"] == {"a": "2", "b": " "}
    assert sent["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": [" "]}


def test_a_body_is_text_unless_the_api_calls_its_type_binary() -> None:
    assert event(request(body=b"\xff", content_type="image/png"))["body"] == "\ufffd"
    for kinds in (("image/png",), ("*/*",)):
        api = Api("It", (), {}, kind=Kind.REST, binary_types=kinds)
        sent = event(request(body=b"\xff", content_type="image/png; a=b"), api)
        assert (base64.b64decode(sent["body"]), sent["isBase64Encoded"]) == (b"\xff", True)


def test_the_authorizers_context_is_flat_and_all_text() -> None:
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


def test_an_authorizer_cannot_pass_itself_off_as_another_principal() -> None:
    assert flat_context("u", {"principalId": "admin"}, 0)["principalId"] == "u"


def authorizers_event(payload: Payload, *identity: str) -> dict[str, Any]:
    api = API if payload in (Payload.TOKEN, Payload.REQUEST) else HTTP
    authorizer = Authorizer("Gate", "Guard", payload=payload, simple=False)
    return authorizer_event(api, authorizer, request("q=1"), ROUTE, {"id": "7"}, identity=identity)


def test_a_token_authorizer_is_told_the_token_and_the_method() -> None:
    assert authorizers_event(Payload.TOKEN, "Bearer x") == {
        "type": "TOKEN",
        "methodArn": ARN,
        "authorizationToken": "Bearer x",
    }


def test_a_request_authorizer_is_told_everything_but_the_body() -> None:
    sent = authorizers_event(Payload.REQUEST, "x")
    assert (sent["type"], sent["methodArn"]) == ("REQUEST", ARN)
    assert sent["headers"]["x-a"] == "2"
    assert sent["multiValueHeaders"]["x-a"] == ["1", "2"]
    assert sent["queryStringParameters"] == {"q": "1"}
    assert sent["requestContext"]["resourcePath"] == "/orders/{id}"
    assert not {"body", "isBase64Encoded", "authorizationToken", "version"} & set(sent)


def test_an_authorizer_is_sent_empty_maps_where_a_function_is_sent_null() -> None:
    authorizer = Authorizer("Gate", "Guard", payload=Payload.REQUEST, simple=False)
    plain = Request("GET", "/", "", [])
    sent = authorizer_event(HTTP, authorizer, plain, Route("GET", "/", function="F"), {}, identity=())
    assert [sent["queryStringParameters"], sent["pathParameters"], sent["stageVariables"]] == [{}, {}, {}]


def test_payload_1_of_an_http_api() -> None:
    sent = authorizers_event(Payload.V1, "user1", "123")
    assert (sent["version"], sent["type"]) == ("1.0", "REQUEST")
    assert sent["methodArn"] == "arn:aws:execute-api:us-east-1:123456789012:orders/$default/GET/orders/7"
    assert sent["identitySource"] == sent["authorizationToken"] == "user1,123"
    assert sent["requestContext"]["path"] == "/orders/7"
    assert sent["httpMethod"] == "GET"


def test_payload_2_of_an_http_api() -> None:
    sent = authorizers_event(Payload.V2, "user1", "123")
    assert (sent["version"], sent["type"], sent["routeKey"]) == ("2.0", "REQUEST", "GET /orders/{id}")
    assert sent["routeArn"] == "arn:aws:execute-api:us-east-1:123456789012:orders/$default/GET/orders/7"
    assert sent["identitySource"] == ["user1", "123"]
    assert sent["queryStringParameters"] == {"q": "1"}
    assert not {"body", "isBase64Encoded"} & set(sent)
    assert "authorizer" not in sent["requestContext"]
    assert authorizers_event(Payload.V2)["identitySource"] == []


def test_a_rest_apis_paths_stay_encoded_in_events_and_arns() -> None:
    sent = Request("GET", "/admin%2F", "", HEADERS)
    authorizer = Authorizer("Gate", "Gate", ("method.request.header.x-a",), payload=Payload.REQUEST, simple=False)
    said = authorizer_event(API, authorizer, sent, ROUTE, {}, identity=["1"])

    assert said["path"] == "/admin%2F"
    assert said["methodArn"] == ARN.replace("/orders/7", "/admin%2F")
    context = said["requestContext"]
    assert isinstance(context, dict)
    assert context["path"] == "/prod/admin%2F"
