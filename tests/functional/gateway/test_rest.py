"""HTTP in, HTTP out: a REST API over functions that run under the real runtime client."""

from __future__ import annotations

import json

import httpx2
import pytest

from tests.fixtures.gateway.project import REST_HEAD, api_event, function_resource
from tests.fixtures.servers.exact_request import send_raw
from tests.functional.gateway.conftest import ECHO, Serve

pytestmark = pytest.mark.anyio

RESPONSES = """
    import json
    def lambda_handler(event, context):
        match event["path"]:
            case "/event": return {"statusCode": 200, "body": json.dumps(event)}
            case "/cookies":
                return {"statusCode": 201, "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]}, "body": "{}"}
            case "/own-ids":
                return {"statusCode": 200, "headers": {"X-Amzn-Trace-Id": "mine", "x-amzn-requestid": "mine"}}
            case "/inferred": return {"hello": "world"}
            case "/raises": raise ValueError("private detail")
            case "/slow":
                import time; time.sleep(20)
        return {"statusCode": 200, "body": json.dumps(event["requestContext"].get("authorizer"))}
"""
GUARD = """
    def statement(effect, resource):
        return {"Effect": effect, "Action": "execute-api:Invoke", "Resource": resource}

    def lambda_handler(event, context):
        said = event.get("authorizationToken") or event["headers"].get("authorization")
        stage = event["methodArn"].split("/GET/")[0].split("/POST/")[0]
        if said == "unauthorized": raise Exception("Unauthorized")
        if said == "boom": raise ValueError("boom")
        if said == "list": return {"principalId": "u", "policyDocument": {}, "context": {"roles": ["a"]}}
        statements = [statement("Allow", f"{stage}/GET/orders*"), statement("Deny", f"{stage}/GET/orders/secret")]
        return {
            "principalId": "user-1",
            "policyDocument": {"Version": "2012-10-17", "Statement": statements},
            "context": {"tenant_id": "org-1", "level": 2, "admin": False, "said": said},
        }
"""
CORS = """\
      Cors: { AllowOrigin: "'http://app.test'", AllowHeaders: "'Authorization'", MaxAge: "'60'" }
"""
WORDS = """\
      GatewayResponses:
        UNAUTHORIZED:
          ResponseParameters: { Headers: { WWW-Authenticate: "'Bearer'" } }
          ResponseTemplates: { application/json: '{"error":$context.error.messageString}' }
        ACCESS_DENIED:
          StatusCode: 404
          ResponseTemplates: { application/json: '{"tenant":"$context.authorizer.tenant_id"}' }
        DEFAULT_4XX: { ResponseParameters: { Headers: { Access-Control-Allow-Origin: "'*'" } } }
        DEFAULT_5XX: { ResponseParameters: { Headers: { Access-Control-Allow-Origin: "'*'" } } }
"""
OPEN = REST_HEAD + CORS + function_resource("Responses", "responses", "Timeout: 10\n" + api_event("any", "/{proxy+}"))


def auth(identity: str = "", kind: str = "TOKEN") -> str:
    lines = f"              FunctionPayloadType: {kind}\n{identity}"
    return f"""\
      Auth:
        DefaultAuthorizer: Gate
        AddDefaultAuthorizerToCorsPreflight: false
        Authorizers:
            Gate:
              FunctionArn: !GetAtt Guard.Arn
{lines}"""


def guarded(identity: str = "", kind: str = "TOKEN", more: str = "") -> str:
    routes = (("List", "get", "/orders"), ("Make", "post", "/orders"), ("One", "get", "/orders/{id}"))
    functions = [function_resource(name, "responses", api_event(method, path)) for name, method, path in routes]
    return REST_HEAD + more + auth(identity, kind) + "".join(functions) + function_resource("Guard", "guard")


TOKEN = "              Identity: { ValidationExpression: '[a-z]+', ReauthorizeEvery: 300 }\n"
REQUEST = "              Identity: { Headers: [Authorization], QueryStrings: [region], ReauthorizeEvery: 300 }\n"


def said(response: httpx2.Response) -> tuple[int, object]:
    return response.status_code, response.json()


async def test_the_event_of_a_proxy_integration(serve: Serve) -> None:
    async with serve(OPEN, responses=RESPONSES) as running:
        headers = [("x-a", "1"), ("x-a", "2"), ("content-type", "application/json")]
        response = await running.client.post("/prod/event?q=1&q=2", content=b'{"a":1}', headers=headers)
    sent = response.json()
    assert (sent["resource"], sent["path"], sent["httpMethod"]) == ("/{proxy+}", "/event", "POST")
    assert sent["pathParameters"] == {"proxy": "event"}
    assert sent["multiValueQueryStringParameters"] == {"q": ["1", "2"]}
    assert sent["multiValueHeaders"]["x-a"] == ["1", "2"]
    assert sent["requestContext"]["path"] == "/prod/event"
    assert sent["requestContext"]["requestId"] == response.headers["x-amzn-requestid"]
    assert (sent["body"], sent["isBase64Encoded"]) == ('{"a":1}', False)
    assert running.handled[0].path == "/prod/event"


async def test_the_responses_of_functions(serve: Serve) -> None:
    async with serve(OPEN, responses=RESPONSES) as running:
        response = await running.client.get("/prod/cookies")
        assert response.status_code == 201
        assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
        assert response.headers["content-type"] == "application/json"


async def test_every_response_names_the_request_and_its_trace(serve: Serve) -> None:
    async with serve(OPEN, responses=RESPONSES) as running:
        for path in ("/prod/event", "/prod/raises", "/prod/own-ids", "/other/stage"):
            headers = (await running.client.get(path)).headers
            assert len(headers["x-amzn-requestid"]) == len("0e3c1d4e-0000-4000-8000-000000000000")
            assert headers.get_list("x-amzn-trace-id") == [running.handled[-1].trace_id]
            assert headers["x-amzn-trace-id"].startswith("Root=1-")


async def test_header_limit_counts_values_only(serve: Serve) -> None:
    async with serve(OPEN, responses=RESPONSES) as running:
        assert (await running.client.get(f"/prod/x?{'q' * 4000}", headers={"x-a": "b" * 9000})).status_code == 200
        response = await running.client.get("/prod/x", headers={"x-a": "b" * 10300})
        assert said(response) == (413, {"message": "Request Too Long"})


async def test_failures_of_functions_are_a_502_without_details(serve: Serve) -> None:
    async with serve(OPEN, responses=RESPONSES) as running:
        for path in ("/prod/inferred", "/prod/raises"):
            response = await running.client.get(path)
            assert said(response) == (502, {"message": "Internal server error"})
    assert [str(error) for _, error in running.failed] == [
        "the response must be an object with `statusCode`",
        "private detail",
    ]


async def test_an_integration_that_takes_too_long_is_a_504(serve: Serve) -> None:
    slow = function_resource(
        "Responses", "responses", "Timeout: 20\n" + api_event("get", "/slow", ", TimeoutInMillis: 300")
    )
    async with serve(REST_HEAD + slow, responses=RESPONSES) as running:
        assert said(await running.client.get("/prod/slow")) == (504, {"message": "Endpoint request timed out"})


@pytest.mark.parametrize(
    ("path", "message"),
    [
        pytest.param("/", "Forbidden", id="no-stage"),
        pytest.param("/other/orders", "Forbidden", id="another-stage"),
        pytest.param("/prod/nothing", "Missing Authentication Token", id="no-resource"),
        pytest.param("/prod", "Missing Authentication Token", id="no-root"),
    ],
)
async def test_what_is_not_there(serve: Serve, path: str, message: str) -> None:
    async with serve(guarded(TOKEN), guard=GUARD, responses=RESPONSES) as running:
        response = await running.client.get(path)
        assert said(response) == (403, {"message": message})
        assert running.started == []


@pytest.mark.parametrize("identity", [TOKEN, REQUEST], ids=["token", "request"])
async def test_401_403_and_500(serve: Serve, identity: str) -> None:
    kind = "TOKEN" if identity == TOKEN else "REQUEST"
    async with serve(guarded(identity, kind), guard=GUARD, responses=RESPONSES) as running:
        get = running.client.get

        async def ask(path: str, token: str | None) -> tuple[int, object, str]:
            response = await get(f"/prod{path}?region=eu", headers={"authorization": token} if token else {})
            return (*said(response), response.headers["x-amzn-errortype"])

        unauthorized = (401, {"message": "Unauthorized"}, "UnauthorizedException")
        assert await ask("/orders", None) == unauthorized
        assert running.started == []
        assert await ask("/orders", "unauthorized") == unauthorized
        denied = "User is not authorized to access this resource"
        assert await ask("/orders/secret", "good") == (
            403,
            {"Message": f"{denied} with an explicit deny"},
            "AccessDeniedException",
        )
        response = await running.client.post("/prod/orders?region=eu", headers={"authorization": "good"})
        assert said(response) == (403, {"Message": denied})
        broken = (500, {"message": None}, "AuthorizerConfigurationException")
        assert await ask("/orders", "boom") == broken
        assert await ask("/orders", "list") == broken
    assert [str(error) for _, error in running.failed] == [
        "boom",
        "`context.roles` must be a string, a number or a boolean, not list",
    ]


async def test_a_tokens_form_is_checked_first(serve: Serve) -> None:
    async with serve(guarded(TOKEN), guard=GUARD, responses=RESPONSES) as running:
        response = await running.client.get("/prod/orders", headers={"authorization": "Bearer 1"})
        assert said(response) == (401, {"message": "Unauthorized"})
        assert running.started == []


async def test_every_identity_source_must_be_there(serve: Serve) -> None:
    async with serve(guarded(REQUEST, "REQUEST"), guard=GUARD, responses=RESPONSES) as running:
        assert (await running.client.get("/prod/orders", headers={"authorization": "good"})).status_code == 401
        assert (await running.client.get("/prod/orders?region=eu")).status_code == 401
        assert running.started == []


async def test_the_function_gets_the_context_as_text(serve: Serve) -> None:
    async with serve(guarded(TOKEN), guard=GUARD, responses=RESPONSES) as running:
        first = (await running.client.get("/prod/orders/7", headers={"authorization": "good"})).json()
    assert first.pop("integrationLatency") >= 0
    assert first == {
        "principalId": "user-1",
        "tenant_id": "org-1",
        "level": "2",
        "admin": "false",
        "said": "good",
    }


async def test_a_response_is_cached_for_its_token_for_five_minutes(serve: Serve) -> None:
    counting = """
    def lambda_handler(event, context):
        print("asked")
        return {"principalId": "u", "policyDocument": {"Statement": [
            {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": event["methodArn"]}]}}
    """
    async with serve(guarded(TOKEN), guard=counting, responses=RESPONSES) as running:
        get = running.client.get

        async def status(path: str, token: str) -> int:
            return (await get(path, headers={"authorization": token})).status_code

        assert await status("/prod/orders", "a") == 200
        # The mistake that this gateway must not hide: a policy for one method, used for all of them.
        assert await status("/prod/orders/7", "a") == 403
        assert await status("/prod/orders/7", "b") == 200
        assert await status("/prod/orders", "b") == 403
    assert [line for _, line in running.output].count("asked") == 2


async def test_gateway_responses_in_the_apis_own_words(serve: Serve) -> None:
    async with serve(guarded(TOKEN, more=WORDS), guard=GUARD, responses=RESPONSES) as running:
        get = running.client.get
        response = await get("/prod/orders")
        assert said(response) == (401, {"error": "Unauthorized"})
        assert response.headers["www-authenticate"] == "Bearer"
        response = await get("/prod/orders/secret", headers={"authorization": "good"})
        assert said(response) == (404, {"tenant": "org-1"})
        response = await get("/prod/nothing")
        assert said(response) == (403, {"message": "Missing Authentication Token"})
        assert response.headers["access-control-allow-origin"] == "*"
        response = await get("/prod/orders", headers={"authorization": "boom"})
        assert response.status_code == 500
        assert response.headers["access-control-allow-origin"] == "*"


async def test_preflights_need_no_function(serve: Serve) -> None:
    async with serve(guarded(TOKEN, more=CORS), guard=GUARD, responses=RESPONSES) as running:
        response = await running.client.options("/prod/orders")
        assert said(response) == (200, {})
        headers = {name: value for name, value in response.headers.items() if name.startswith("access-control")}
        assert headers == {
            "access-control-allow-origin": "http://app.test",
            "access-control-allow-headers": "Authorization",
            "access-control-allow-methods": "GET,OPTIONS,POST",
            "access-control-max-age": "60",
        }
        assert running.started == []
        # Unlike an HTTP API, it adds nothing to the responses of functions.
        response = await running.client.get(
            "/prod/orders", headers={"authorization": "good", "origin": "http://app.test"}
        )
        assert "access-control-allow-origin" not in response.headers


async def test_payload_limit(serve: Serve) -> None:
    async with serve(OPEN, responses=ECHO) as running:
        response = await running.client.post("/prod/x", content=b"x" * (10 * 1024 * 1024 + 1))
        assert said(response) == (413, {"message": "Request Too Long"})


async def test_both_kinds_of_api_in_one_template(serve: Serve) -> None:
    http = (
        "  HttpApi:\n    Type: AWS::Serverless::HttpApi\n"
        "  Both:\n    Type: AWS::Serverless::Function\n    Properties:\n      Runtime: python3.13\n"
        "      CodeUri: functions/echo/\n      Handler: functions.echo.handler.lambda_handler\n      Events:\n"
        "        A: { Type: HttpApi, Properties: { ApiId: !Ref HttpApi, Method: GET, Path: /a } }\n"
        "        B: { Type: Api, Properties: { RestApiId: !Ref RestApi, Method: GET, Path: /a } }\n"
    )
    both = """
    import json
    def lambda_handler(event, context):
        return {"statusCode": 200, "body": json.dumps(event["requestContext"]["apiId"])}
    """
    async with serve(REST_HEAD + http, echo=both) as running:
        # As an ASGI application, the gateway is the first API.
        assert (await running.client.get("/a")).json() == "HttpApi"
        transport = httpx2.ASGITransport(app=running.gateway.api("RestApi"))
        async with httpx2.AsyncClient(transport=transport, base_url="http://rest.test") as client:
            assert json.loads((await client.get("/prod/a")).text) == "RestApi"
        assert running.started == ["Both"]


@pytest.mark.parametrize(
    ("asked", "resource", "parameters"),
    [
        ("/orders/", "/orders", None),
        ("/orders%2F", "/orders", None),
        ("/%6frders", "/orders", None),
        ("/orders//", "/orders", None),
        ("/orders/a%20b", "/orders/{id}", {"id": "a%20b"}),
        ("/orders/7/", "/orders/{id}", {"id": "7"}),
    ],
)
async def test_a_resource_is_chosen_by_the_decoded_path_and_passed_on_as_sent(
    serve: Serve, asked: str, resource: str, parameters: dict[str, str] | None
) -> None:
    template = REST_HEAD + function_resource("List", "list", api_event("GET", "/orders"))
    template += function_resource("One", "one", api_event("GET", "/orders/{id}"))
    code = """
        import json
        def lambda_handler(event, context):
            return {"statusCode": 200, "body": json.dumps(event)}
    """
    async with serve(template, list=code, one=code) as running:
        said = json.loads((await send_raw(running.url, f"/prod{asked}")).body)
    assert (said["resource"], said["path"], said["pathParameters"]) == (resource, asked, parameters)
    assert said["requestContext"]["path"] == f"/prod{asked}"
