"""HTTP in, HTTP out: the gateway over functions that run under the real runtime client."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from tests.fixtures.gateway.project import DEFAULT_EVENT, HEAD, event, function_resource
from tests.functional.gateway.conftest import ECHO, Serve

pytestmark = pytest.mark.anyio

CORS = (
    HEAD
    + """\
    Properties:
      CorsConfiguration:
        AllowOrigins: [http://app.test]
        AllowMethods: [GET, POST]
        AllowHeaders: [Authorization]
        AllowCredentials: true
        MaxAge: 60
"""
)
GUARDED = (
    CORS
    + """\
      Auth:
        Authorizers:
          Gate:
            FunctionArn: !GetAtt Guard.Arn
            AuthorizerPayloadFormatVersion: "2.0"
            EnableSimpleResponses: true
"""
)
GUARD = """
    def lambda_handler(event, context):
        said = event["headers"].get("authorization")
        if said == "boom": raise ValueError("boom")
        if said is None: raise Exception("Unauthorized")
        return {"isAuthorized": said == "good", "context": {"user_id": "u", "arn": event["routeArn"]}}
"""
RESPONSES = """
    import base64
    def lambda_handler(event, context):
        match event["rawPath"]:
            case "/cookies": return {"statusCode": 200, "cookies": ["a=1; Path=/", "b=2"], "body": "x"}
            case "/binary": return {"statusCode": 200, "headers": {"Content-Type": "image/png"},
                                    "body": base64.b64encode(b"\\x00\\xff").decode(), "isBase64Encoded": True}
            case "/malformed": return {"statusCode": "abc"}
            case "/raises": raise ValueError("private detail")
            case "/slow":
                import time; time.sleep(30)
            case "/cors": return {"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*", "X-A": "b"}}
            case "/empty": return {"statusCode": 204}
            case "/large": return {"statusCode": 200, "body": "x" * 6_500_000}
        return {"statusCode": 200, "headers": {"X-Method": event["requestContext"]["http"]["method"]}, "body": "there"}
"""
ORIGIN = {"origin": "http://app.test"}
EVERYTHING = CORS + function_resource("Responses", "responses", "Timeout: 1\n" + DEFAULT_EVENT)
FAILURE = {"message": "Internal Server Error"}


async def test_an_event_and_an_inferred_response(serve: Serve) -> None:
    template = HEAD + function_resource("Echo", "echo", event("POST", "/things/{id}"))
    async with serve(template, echo=ECHO) as running:
        headers = [("X-A", "1"), ("x-a", "2"), ("cookie", "c=1; d=2"), ("content-type", "application/json")]
        response = await running.client.post("/things/a%20b?q=1&q=2", content=b'{"a":1}', headers=headers)
    sent = response.json()
    assert response.headers["content-type"] == "application/json"
    assert sent["rawPath"] == "/things/a b"
    assert sent["rawQueryString"] == "q=1&q=2"
    assert sent["queryStringParameters"] == {"q": "1,2"}
    assert sent["pathParameters"] == {"id": "a b"}
    assert sent["headers"]["x-a"] == "1,2"
    assert sent["cookies"] == ["c=1", "d=2"]
    assert sent["body"] == '{"a":1}'
    assert sent["requestContext"]["requestId"] == response.headers["apigw-requestid"]
    assert running.handled[0].route_key == "POST /things/{id}"
    assert running.handled[0].function == "Echo"


async def test_no_route_is_the_gateways_404(serve: Serve) -> None:
    async with serve(HEAD + function_resource("Echo", "echo", event("GET", "/")), echo=ECHO) as running:
        response = await running.client.get("/nothing")
    assert (response.status_code, response.json()) == (404, {"message": "Not Found"})
    assert len(response.headers["apigw-requestid"]) == 16
    assert running.started == []


async def test_the_responses_of_functions(serve: Serve) -> None:
    async with serve(EVERYTHING, responses=RESPONSES) as running:
        get = running.client.get
        assert (await get("/cookies")).headers.get_list("set-cookie") == ["a=1; Path=/", "b=2"]
        assert (await get("/binary")).content == b"\x00\xff"
        assert (await get("/binary")).headers["content-type"] == "image/png"
        assert (await get("/x")).headers["content-type"] == "text/plain; charset=utf-8"
        empty = await get("/empty")
        assert (empty.status_code, empty.content) == (204, b"")
        assert "content-type" not in empty.headers


async def test_failures_of_functions_are_a_500_without_details(serve: Serve) -> None:
    async with serve(EVERYTHING, responses=RESPONSES) as running:
        for path in ("/malformed", "/raises", "/slow", "/large"):
            response = await running.client.get(path)
            assert (path, response.status_code, response.json()) == (path, 500, FAILURE)
        # After a time-out the function serves on, in a new process.
        assert (await running.client.get("/x")).text == "there"
    told = [str(error) for _, error in running.failed]
    assert told[0].startswith("`statusCode` must be")
    assert told[1:3] == ["private detail", "Task timed out after 1.00 seconds"]
    assert told[3].startswith("the response is longer than")


async def test_an_integration_that_takes_too_long_is_a_503(serve: Serve) -> None:
    template = HEAD + function_resource(
        "Responses", "responses", "Timeout: 20\n" + event("GET", "/slow", ", TimeoutInMillis: 300")
    )
    async with serve(template, responses=RESPONSES) as running:
        response = await running.client.get("/slow")
    assert (response.status_code, response.json()) == (503, {"message": "Service Unavailable"})


async def test_head_gets_headers_and_no_body(serve: Serve) -> None:
    async with serve(EVERYTHING, responses=RESPONSES) as running:
        response = await running.client.head("/x")
    assert response.headers["x-method"] == "HEAD"
    assert response.headers["content-length"] == "5"
    assert response.content == b""


async def test_preflight_requests_need_no_function(serve: Serve) -> None:
    async with serve(EVERYTHING, responses=RESPONSES) as running:
        response = await running.client.options("/x", headers={**ORIGIN, "access-control-request-method": "POST"})
        assert response.status_code == 204
        assert response.headers["access-control-allow-origin"] == "http://app.test"
        assert response.headers["access-control-allow-methods"] == "GET,POST"
        assert running.started == []
        # Any other OPTIONS request is a request like others.
        assert (await running.client.options("/x")).headers["x-method"] == "OPTIONS"


async def test_the_apis_cors_headers_replace_the_functions(serve: Serve) -> None:
    async with serve(EVERYTHING, responses=RESPONSES) as running:
        response = await running.client.get("/cors", headers=ORIGIN)
        assert response.headers.get_list("access-control-allow-origin") == ["http://app.test"]
        assert response.headers["access-control-allow-credentials"] == "true"
        assert response.headers["x-a"] == "b"
        response = await running.client.get("/cors", headers={"origin": "http://evil.test"})
        assert "access-control-allow-origin" not in response.headers
        response = await running.client.get("/raises", headers=ORIGIN)
        assert response.headers["access-control-allow-origin"] == "http://app.test"


async def test_an_authorizer_in_front(serve: Serve) -> None:
    template = (
        GUARDED
        + function_resource("Guard", "guard")
        + function_resource("Echo", "echo", event("GET", "/me", ", Auth: { Authorizer: Gate }"))
    )
    async with serve(template, guard=GUARD, echo=ECHO) as running:
        get = running.client.get
        for said, status, message in (
            (None, 401, "Unauthorized"),
            ("bad", 403, "Forbidden"),
            ("boom", 500, "Internal Server Error"),
        ):
            headers = {**ORIGIN, **({"authorization": said} if said else {})}
            response = await get("/me", headers=headers)
            assert (response.status_code, response.json()) == (status, {"message": message})
            assert response.headers["access-control-allow-origin"] == "http://app.test"
            assert "www-authenticate" not in response.headers
        assert running.started == ["Guard"]
        response = await get("/me", headers={"authorization": "good"})
        assert response.json()["requestContext"]["authorizer"] == {
            "lambda": {"user_id": "u", "arn": "arn:aws:execute-api:us-east-1:123456789012:local/$default/GET/me"}
        }
        preflight = {**ORIGIN, "access-control-request-method": "GET"}
        assert (await running.client.options("/me", headers=preflight)).status_code == 204
    # A denial is not a failure; an exception in an authorizer is one.
    assert [(name, str(error)) for name, error in running.failed] == [("Guard", "boom")]


async def test_payload_limits(serve: Serve) -> None:
    template = HEAD + function_resource("Echo", "echo", "Timeout: 20\n" + event("POST", "/"))
    async with serve(template, echo="def lambda_handler(event, context): return {'n': len(event['body'])}") as running:
        post = running.client.post
        small = await post("/", content=b"x" * 5_000_000, headers={"content-type": "text/plain"})
        assert small.json() == {"n": 5_000_000}
        for size in (10 * 1024 * 1024 + 1, 7 * 1024 * 1024):
            response = await post("/", content=b"x" * size, headers={"content-type": "text/plain"})
            assert (response.status_code, response.json()) == (413, {"message": "Request Entity Too Large"})

        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(11):
                yield b"x" * 1024 * 1024

        response = await post("/", content=chunks())
        assert response.status_code == 413


async def test_header_limit(serve: Serve) -> None:
    async with serve(EVERYTHING, responses=RESPONSES) as running:
        assert (await running.client.get("/x", headers={"x-a": "b" * 9000})).status_code == 200
        response = await running.client.get("/x", headers={"x-a": "b" * 10300})
        assert (response.status_code, response.json()) == (431, {"message": "Request Header Fields Too Large"})
        # The request line counts, the headers' names don't.
        response = await running.client.get(f"/x?{'q' * 4000}", headers={"x-a": "b" * 9000})
        assert response.status_code == 431
        names = {f"x-{'n' * 100}-{number}": "" for number in range(90)}
        assert (await running.client.get("/x", headers=names | {"x-a": "b" * 9000})).status_code == 200


async def test_a_client_that_disconnects_affects_no_other(serve: Serve) -> None:
    async with serve(EVERYTHING, responses=RESPONSES) as running:
        host, port = running.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as half:
            half.sendall(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nonly this")
        with socket.create_connection((host, int(port))) as gone:
            gone.sendall(b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
        responses = await asyncio.gather(*(running.client.get("/x") for _ in range(3)))
    assert [response.text for response in responses] == ["there"] * 3
