import asyncio
import gc
import json
from typing import Any

import pytest
from fastapi import APIRouter, Request, Response

from tenantgate.context import current_request
from tenantgate.web.cookies import set_cookie
from tenantgate.web.headers import SECURE_HEADERS
from tenantgate.web.lambda_adapter import LambdaHandler
from tests.fixtures.web.setup import ORIGIN, api_event, lambda_context, lambda_handler_of, log_lines, make_settings

router = APIRouter()


@router.get("/loop")
async def loop_id() -> int:
    return id(asyncio.get_running_loop())


@router.get("/cookies")
async def cookies(request: Request) -> Response:
    set_cookie(request, "a", "1", max_age=1)
    set_cookie(request, "b", "2", max_age=1)
    return Response(json.dumps(request.cookies), media_type="application/json")


@router.get("/id")
async def request_id() -> str:
    return current_request().request_id


@router.get("/crash")
async def crash() -> None:
    raise ValueError("an inside")


@router.post("/echo")
async def echo(body: dict[str, Any]) -> dict[str, Any]:
    return body


@router.get("/collecting")
async def collecting() -> bool:
    return gc.isenabled()


@pytest.fixture(scope="module")
def handler() -> LambdaHandler:
    return lambda_handler_of(router, settings=make_settings())


def test_one_event_loop_serves_every_invocation(handler: LambdaHandler) -> None:
    bodies = {handler(api_event(path="/loop"), lambda_context())["body"] for _ in range(3)}
    assert len(bodies) == 1


def test_garbage_is_collected_again_after_the_first_request() -> None:
    fresh = lambda_handler_of(router, settings=make_settings())

    bodies = [fresh(api_event(path=path), lambda_context())["body"] for path in ("/collecting", "/collecting")]

    assert bodies == ["false", "true"]


def test_garbage_is_collected_again_when_the_first_request_fails() -> None:
    fresh = lambda_handler_of(router, settings=make_settings())

    assert fresh(api_event(path="/crash"), lambda_context())["statusCode"] == 500
    assert gc.isenabled()


def test_cookies_are_those_of_payload_format_2(handler: LambdaHandler) -> None:
    response = handler(api_event(path="/cookies", cookies=["x=1", "y=2"]), lambda_context())
    assert json.loads(response["body"]) == {"x": "1", "y": "2"}
    assert [cookie.partition(";")[0] for cookie in response["cookies"]] == ["a=1", "b=2"]
    assert "set-cookie" not in response["headers"]


@pytest.mark.parametrize(
    ("offered", "expected"),
    [
        pytest.param({}, "JKJaXmPLvHcESHA=", id="the-gateways"),
        pytest.param({"x-request-id": "checkout-1"}, "checkout-1", id="the-callers"),
        pytest.param({"x-request-id": "bad id"}, "JKJaXmPLvHcESHA=", id="the-gateways-for-a-malformed-one"),
    ],
)
def test_the_log_connects_the_request_id_with_the_gateways(
    handler: LambdaHandler, offered: dict[str, str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    response = handler(
        api_event(path="/id", headers={"x-amzn-trace-id": "Root=1-5e6722a7", **offered}), lambda_context("invocation-1")
    )
    assert response["headers"]["x-request-id"] == json.loads(response["body"]) == expected
    end = log_lines(capsys.readouterr().out)[-1]
    assert end["context"]["gateway_request_id"] == "JKJaXmPLvHcESHA="
    assert (end["function_request_id"], end["trace_id"]) == ("invocation-1", "Root=1-5e6722a7")


def test_an_error_has_our_shape_and_headers(handler: LambdaHandler) -> None:
    response = handler(api_event(path="/crash"), lambda_context())
    assert response["statusCode"] == 500
    assert json.loads(response["body"])["error"]["code"] == "SYS_003"
    assert response["headers"].items() >= SECURE_HEADERS.items()
    assert "an inside" not in str(response)


def test_the_gateway_handles_cors(handler: LambdaHandler) -> None:
    response = handler(api_event(path="/id", headers={"origin": ORIGIN}), lambda_context())
    assert not [name for name in response["headers"] if name.startswith("access-control")]


def test_a_body_too_large_is_refused_without_a_connection_header(handler: LambdaHandler) -> None:
    event = api_event(
        "POST", "/echo", headers={"content-type": "application/json"}, body=json.dumps({"a": "b" * 70_000})
    )
    response = handler(event, lambda_context())
    assert response["statusCode"] == 413
    assert "connection" not in response["headers"]


@pytest.mark.parametrize(
    "event",
    [
        pytest.param({}, id="empty"),
        pytest.param({"version": "2.0", "requestContext": {}}, id="no-request"),
        pytest.param({"Records": []}, id="another-source"),
    ],
)
def test_an_invalid_event_gets_an_error_in_our_shape(
    handler: LambdaHandler, event: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    response = handler(event, lambda_context("invocation-2"))
    error = json.loads(response["body"])["error"]
    assert (response["statusCode"], error["code"], error["request_id"]) == (500, "SYS_003", "invocation-2")
    assert response["headers"].items() >= SECURE_HEADERS.items()
    (line,) = log_lines(capsys.readouterr().out)
    assert (line["level"], line["request_id"]) == ("ERROR", "invocation-2")


@pytest.mark.parametrize("host", ["[::1]:3000", "[::1]", "", "a:b:c", "gate.test:", "gate.test:x", "u@gate.test"])
def test_a_malformed_host_is_a_400_in_our_shape(handler: LambdaHandler, host: str) -> None:
    response = handler(api_event(path="/loop", headers={"host": host}), lambda_context())
    assert (response["statusCode"], json.loads(response["body"])["error"]["code"]) == (400, "VAL_007")
    assert response["headers"]["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("host", ["gate.test", "gate.test:8080", "127.0.0.1:3000"])
def test_a_host_with_or_without_a_port_is_served(handler: LambdaHandler, host: str) -> None:
    assert handler(api_event(path="/loop", headers={"host": host}), lambda_context())["statusCode"] == 200


def test_the_log_line_about_an_invalid_event_repeats_none_of_its_secrets(
    handler: LambdaHandler, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = "hunter2-and-more"
    event = api_event(
        headers={"x-api-key": secret, "x-forwarded-port": secret}, query=f"a={secret}", body=f'{{"a": "{secret}"}}'
    )
    handler(event, lambda_context())
    out = capsys.readouterr().out
    (line,) = [line for line in log_lines(out) if line["message"] == "the event could not be served"]
    assert "invalid literal" in line["context"]["exception"]["message"]
    assert secret not in out
