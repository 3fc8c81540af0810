"""The events that authorizers receive, as AWS documents them."""

from typing import Any

from lambda_gateway.events.authorizer import authorizer_event
from lambda_gateway.events.request import Request
from lambda_gateway.model import Api, Authorizer, Kind, Payload, Route

API = Api("Orders", (), {}, kind=Kind.REST, id="orders", stage="prod", stage_variables={"color": "blue"})


HTTP = Api("Orders", (), {}, id="orders")


ROUTE = Route("GET", "/orders/{id}", function="F", authorizer="Gate")


ARN = "arn:aws:execute-api:us-east-1:123456789012:orders/prod/GET/orders/7"


HEADERS = [("host", "api.test:3001"), ("x-a", "1"), ("x-a", "2"), ("user-agent", "agent/1")]


def request(query: str = "") -> Request:
    return Request("GET", "/orders/7", query, HEADERS, source_ip="192.0.2.1")


def authorizers_event(payload: Payload, *identity: str) -> dict[str, Any]:
    api = API if payload in (Payload.TOKEN, Payload.REQUEST) else HTTP
    authorizer = Authorizer("Gate", "Guard", payload=payload, simple=False)
    return authorizer_event(api, authorizer, request("q=1"), ROUTE, {"id": "7"}, identity=identity)


def test_a_token_authorizer_gets_the_token_and_the_method() -> None:
    assert authorizers_event(Payload.TOKEN, "Bearer x") == {
        "type": "TOKEN",
        "methodArn": ARN,
        "authorizationToken": "Bearer x",
    }


def test_a_request_authorizer_gets_everything_except_the_body() -> None:
    sent = authorizers_event(Payload.REQUEST, "x")
    assert (sent["type"], sent["methodArn"]) == ("REQUEST", ARN)
    assert sent["headers"]["x-a"] == "2"
    assert sent["multiValueHeaders"]["x-a"] == ["1", "2"]
    assert sent["queryStringParameters"] == {"q": "1"}
    assert sent["requestContext"]["resourcePath"] == "/orders/{id}"
    assert not {"body", "isBase64Encoded", "authorizationToken", "version"} & set(sent)


def test_an_authorizer_gets_empty_maps_instead_of_null() -> None:
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
    built = authorizer_event(API, authorizer, sent, ROUTE, {}, identity=["1"])

    assert built["path"] == "/admin%2F"
    assert built["methodArn"] == ARN.replace("/orders/7", "/admin%2F")
    context = built["requestContext"]
    assert isinstance(context, dict)
    assert context["path"] == "/prod/admin%2F"
