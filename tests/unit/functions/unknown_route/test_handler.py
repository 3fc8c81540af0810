import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import APIRouter
from starlette.testclient import TestClient

from functions.unknown_route.handler import lambda_handler
from functions.unknown_route.route_table import ROUTES
from tenantgate.observability.logging import configure_logging
from tenantgate.web.app import create_app
from tests.fixtures.web.setup import api_event, lambda_context, log_lines, make_settings


@pytest.fixture
def container() -> Iterator[TestClient]:
    """Build an application with the same routes, which do nothing."""
    router = APIRouter()
    for path, methods in ROUTES.items():
        router.add_api_route(path, lambda: None, methods=list(methods))
    with TestClient(create_app(router, settings=make_settings(), cors=False), base_url="https://gate.example") as made:
        yield made


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        pytest.param("GET", "/nothing", 404, None, id="unknown-path"),
        pytest.param("GET", "/api/v1/auth/me/", 404, None, id="trailing-slash"),
        pytest.param("POST", "/api/v1/auth/validate", 405, "GET", id="unknown-method"),
        pytest.param("DELETE", "/api/v1/auth/callback", 405, "GET, POST", id="several-methods"),
        pytest.param("HEAD", "/", 405, "GET", id="head"),
        pytest.param("OPTIONS", "/", 405, "GET", id="options"),
    ],
)
def test_the_response_is_the_same_as_the_containers(
    container: TestClient, *, method: str, path: str, status: int, allow: str | None
) -> None:
    headers = {"x-request-id": "checkout-1"}
    response = lambda_handler(api_event(method, path, headers=headers), lambda_context())
    assert response["statusCode"] == status
    assert response["headers"].get("allow") == allow
    same = container.request(method, path, headers=headers)
    assert same.status_code == status
    assert same.content.decode() == ("" if method == "HEAD" else response["body"])
    assert {name: value for name, value in same.headers.items() if name != "content-length"} == response["headers"]


@pytest.mark.parametrize(
    ("method", "path", "status", "allow", "heading"),
    [
        pytest.param("GET", "/nothing", 404, None, "There is nothing at this path", id="unknown-path"),
        pytest.param("GET", "/idp", 404, None, "There is nothing at this path", id="provider"),
        pytest.param("HEAD", "/nothing", 404, None, "There is nothing at this path", id="head"),
        pytest.param("GET", "/api/v1/auth/logout", 405, "POST", "The method is not allowed here", id="method"),
    ],
)
def test_a_browser_gets_a_page_and_the_same_one_from_the_container(
    container: TestClient, *, method: str, path: str, status: int, allow: str | None, heading: str
) -> None:
    headers = {"x-request-id": "checkout-1", "accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    response = lambda_handler(api_event(method, path, headers=headers), lambda_context())
    same = container.request(method, path, headers=headers)
    assert response["statusCode"] == same.status_code == status
    assert response["headers"].get("allow") == same.headers.get("allow") == allow
    assert response["headers"]["content-type"] == same.headers["content-type"] == "text/html; charset=utf-8"
    for text in (f"<h1>{heading}</h1>", "checkout-1", '<a class="button" id="start" href="/">Go to the start page</a>'):
        assert text in response["body"]
    nonce = re.compile(r"nonce[-=][\w\"'-]+")
    assert nonce.sub("", same.text) == ("" if method == "HEAD" else nonce.sub("", response["body"]))
    differing = {"content-length", "content-security-policy"}
    assert {n: v for n, v in same.headers.items() if n not in differing} == {
        n: v for n, v in response["headers"].items() if n not in differing
    }


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS"])
def test_a_request_that_opens_no_page_gets_json(container: TestClient, method: str) -> None:
    headers = {"accept": "text/html"}
    response = lambda_handler(api_event(method, "/nothing", headers=headers), lambda_context())
    assert json.loads(response["body"])["error"]["code"] == "VAL_005"
    assert container.request(method, "/nothing", headers=headers).json()["error"]["code"] == "VAL_005"


@pytest.mark.parametrize("headers", [None, {}, {"X-Request-ID": "checkout-1"}])
def test_it_logs_as_every_function_does(headers: dict[str, str] | None, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level="DEBUG", service="tenantgate")
    event: dict[str, Any] = api_event(path="/nothing", query="code=abcdef", cookies=["a=hunter2"])
    event["headers"] = headers
    response = lambda_handler(event, lambda_context("invocation-3"))
    out = capsys.readouterr().out
    lines = log_lines(out)
    assert [line["message"] for line in lines] == ["request started", "request refused", "request completed"]
    expected = "checkout-1" if headers else "JKJaXmPLvHcESHA="
    assert {line["request_id"] for line in lines} == {expected}
    assert json.loads(response["body"])["error"]["request_id"] == expected
    assert {line["function_request_id"] for line in lines} == {"invocation-3"}
    assert "abcdef" not in out
    assert "hunter2" not in out
