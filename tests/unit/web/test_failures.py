"""Every error has one shape, `{"error": {"code", "message", "detail", "request_id"}}`, without internal details."""

import asyncio
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Body, Depends, HTTPException, Query, Request
from starlette.responses import StreamingResponse
from starlette.testclient import TestClient

from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.access import AuthenticationRequired, RedirectNotAllowed, SessionEnded
from tenantgate.errors.tokens import InvalidSignature, ProviderTimeout, ProviderUnreachable, TenantMissing, TokenExpired
from tenantgate.web.app import create_app
from tenantgate.web.models import StrictModel
from tenantgate.web.pages.show_pages import ShowPages
from tests.fixtures.web.setup import log_lines, make_settings

router = APIRouter()


class Thing(StrictModel):
    code: str
    count: int = 1


@router.post("/things")
async def make_thing(thing: Thing) -> Thing:
    return thing


@router.get("/things")
async def list_things(limit: Annotated[int, Query(le=10)] = 1) -> int:
    return limit


@router.get("/things/{name}")
async def one_thing(name: str) -> str:
    return name


FAILURES: dict[str, Exception] = {
    "expired": TokenExpired("exp is past", expected=1, actual=2),
    "signature": InvalidSignature(),
    "missing": AuthenticationRequired(),
    "session": SessionEnded(),
    "tenant": TenantMissing(),
    "redirect": RedirectNotAllowed(),
    "database": DatabaseUnreachable("refused", password="hunter2"),
    "provider": ProviderUnreachable(),
    "timeout": ProviderTimeout(),
    "group": ExceptionGroup("of one", [TokenExpired()]),
    "teapot": HTTPException(418, detail="an inside"),
    "unforeseen": ValueError("an inside"),
}


@router.get("/fails/{kind}")
async def fail(kind: str) -> None:
    raise FAILURES[kind]


@router.get("/page", dependencies=[ShowPages])
async def fail_as_page(number: int = 0) -> None:
    raise FAILURES["database"]


@router.get("/late")
async def fail_late() -> StreamingResponse:
    async def body() -> Any:
        yield b"begun"
        raise ValueError("an inside")

    return StreamingResponse(body())


async def read_all(request: Request) -> bytes:
    return await request.body()


@router.post("/raw")
async def raw(body: Annotated[bytes, Depends(read_all)]) -> int:
    return len(body)


@router.put("/text")
async def text(value: Annotated[str, Body()]) -> str:
    return value


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = create_app(router, settings=make_settings())
    with TestClient(app, base_url="https://gate.example.test") as made:
        yield made


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "code"),
    [
        pytest.param("GET", "/nothing", {}, 404, "VAL_005", id="unknown-path"),
        pytest.param("GET", "/things/", {}, 404, "VAL_005", id="a-trailing-slash-counts"),
        pytest.param("DELETE", "/things", {}, 405, "VAL_006", id="unknown-method"),
        pytest.param("HEAD", "/things", {}, 405, "VAL_006", id="head-is-a-method-too"),
        pytest.param("OPTIONS", "/things", {}, 405, "VAL_006", id="options-without-preflight-headers"),
        pytest.param("BREW", "/things", {}, 405, "VAL_006", id="an-unknown-method"),
        pytest.param("POST", "/things", {"json": {}}, 422, "VAL_001", id="missing-member"),
        pytest.param("POST", "/things", {"json": {"code": "a", "more": 1}}, 422, "VAL_001", id="unknown-member"),
        pytest.param("POST", "/things", {"json": {"code": 1}}, 422, "VAL_001", id="number-for-text"),
        pytest.param("POST", "/things", {"json": {"code": "a", "count": "1"}}, 422, "VAL_001", id="text-for-number"),
        pytest.param("POST", "/things", {"json": {"code": "a", "count": True}}, 422, "VAL_001", id="true-for-number"),
        pytest.param("POST", "/things", {"json": {"code": "a", "count": 1.0}}, 422, "VAL_001", id="float-for-number"),
        pytest.param("POST", "/things", {"json": []}, 422, "VAL_001", id="a-list-for-an-object"),
        pytest.param("POST", "/things", {}, 422, "VAL_001", id="no-body"),
        pytest.param("GET", "/things?limit=11", {}, 422, "VAL_001", id="parameter-out-of-range"),
        pytest.param("POST", "/things", {"content": "{", "headers": JSON}, 400, "VAL_002", id="malformed-json"),
        pytest.param("POST", "/things", {"content": b"\xff", "headers": JSON}, 400, "VAL_002", id="not-utf-8"),
        pytest.param("POST", "/things", {"content": "[" * 60_000, "headers": JSON}, 400, "VAL_002", id="too-deep"),
        pytest.param("POST", "/things", {"json": {"code": "a" * 65_536}}, 413, "VAL_003", id="too-large"),
        pytest.param("POST", "/raw", {"content": b"a" * 65_537}, 413, "VAL_003", id="too-large-of-any-type"),
        pytest.param("POST", "/things", {"data": {"code": "a"}}, 415, "VAL_004", id="a-form"),
        pytest.param("POST", "/things", {"content": '{"code":"a"}'}, 415, "VAL_004", id="json-without-saying-so"),
        pytest.param(
            "POST", "/things", {"content": "a", "headers": {"content-type": "text/plain"}}, 415, "VAL_004", id="text"
        ),
        pytest.param("GET", "/fails/expired", {}, 401, "AUTH_003", id="expired"),
        pytest.param("GET", "/fails/signature", {}, 401, "AUTH_004", id="bad-signature"),
        pytest.param("GET", "/fails/missing", {}, 401, "AUTH_007", id="no-credential"),
        pytest.param("GET", "/fails/session", {}, 401, "AUTH_020", id="session-ended"),
        pytest.param("GET", "/fails/tenant", {}, 403, "AUTH_005", id="no-tenant"),
        pytest.param("GET", "/fails/redirect", {}, 400, "AUTH_006", id="redirect"),
        pytest.param("GET", "/fails/database", {}, 503, "SYS_001", id="database"),
        pytest.param("GET", "/fails/provider", {}, 502, "SYS_004", id="provider-unreachable"),
        pytest.param("GET", "/fails/timeout", {}, 504, "SYS_004", id="provider-too-slow"),
        pytest.param("GET", "/fails/group", {}, 401, "AUTH_003", id="in-a-group-of-one"),
        pytest.param("GET", "/fails/teapot", {}, 500, "SYS_003", id="an-unregistered-status"),
        pytest.param("GET", "/fails/unforeseen", {}, 500, "SYS_003", id="unforeseen"),
    ],
)
def test_every_error_has_the_one_shape(
    client: TestClient, *, method: str, path: str, sent: dict[str, Any], status: int, code: str
) -> None:
    response = client.request(method, path, **sent)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    if method == "HEAD":
        return
    assert response.json().keys() == {"error"}
    error = response.json()["error"]
    assert error.keys() == {"code", "message", "detail", "request_id"}
    assert error["code"] == code
    assert error["request_id"] == response.headers["x-request-id"]
    for inside in ("an inside", "hunter2", "Traceback", ".py", "ValueError"):
        assert inside not in response.text


def test_a_validation_error_lists_the_fields_and_never_repeats_the_input(client: TestClient) -> None:
    response = client.post("/things", json={"code": 4711, "mo\nre": "hunter2"})
    assert response.json()["error"]["detail"] == [
        {"field": "body.code", "problem": "Input should be a valid string"},
        {"field": "body.more", "problem": "Extra inputs are not permitted"},
    ]
    assert "4711" not in response.text
    assert "hunter2" not in response.text


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        pytest.param("/things", "GET, POST", id="two-methods"),
        pytest.param("/raw", "POST", id="one-method"),
        pytest.param("/things/a%2Fb", None, id="an-escaped-slash-is-a-slash"),
        pytest.param("/things/a", "GET", id="a-parameter"),
    ],
)
def test_405_lists_every_method_of_the_path(client: TestClient, path: str, allow: str | None) -> None:
    assert client.delete(path).headers.get("allow") == allow


@pytest.mark.parametrize(
    ("kind", "challenge"),
    [
        pytest.param("missing", 'Bearer realm="tenantgate"', id="no-error-when-nothing-was-sent"),
        pytest.param("session", 'Bearer realm="tenantgate"', id="nor-for-a-session"),
        pytest.param(
            "expired",
            'Bearer realm="tenantgate", error="invalid_token", error_description="The token has expired"',
            id="expired",
        ),
        pytest.param(
            "signature",
            'Bearer realm="tenantgate", error="invalid_token", error_description="The token is not valid"',
            id="bad-signature",
        ),
        pytest.param("tenant", None, id="a-403-without-challenge"),
    ],
)
def test_401_carries_the_challenge_of_rfc_6750(client: TestClient, kind: str, challenge: str | None) -> None:
    assert client.get(f"/fails/{kind}").headers.get("www-authenticate") == challenge


def test_a_body_of_exactly_the_limit_is_accepted(client: TestClient) -> None:
    assert client.post("/raw", content=b"a" * 65_536).json() == 65_536


def test_a_body_that_exceeds_the_limit_is_refused_and_the_connection_closed(client: TestClient) -> None:
    response = client.post("/raw", content=(b"a" * 1024 for _ in range(65)))
    assert (response.status_code, response.headers["connection"]) == (413, "close")


def test_a_route_without_a_body_ignores_its_size(client: TestClient) -> None:
    assert client.post("/nothing", content=b"a" * 100_000).status_code == 404


def test_only_in_development_the_response_has_private_details() -> None:
    settings = make_settings(ENVIRONMENT="development")
    with TestClient(create_app(router, settings=settings), base_url="https://gate.example.test") as client:
        assert client.get("/fails/expired").json()["error"]["detail"] == {
            "reason": "exp is past",
            "kind": "TokenExpired",
            "expected": 1,
            "actual": 2,
        }
        assert client.get("/fails/unforeseen").json()["error"]["detail"]["reason"] == "ValueError: an inside"
        assert client.get("/fails/database").json()["error"]["detail"]["password"] == "***"
        assert "Traceback" not in client.get("/fails/unforeseen").text


def test_private_details_are_logged(client: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    client.get("/fails/unforeseen")
    client.get("/fails/expired")
    failed, refused = [line for line in log_lines(capsys.readouterr().out) if "error_code" in line["context"]]
    assert (failed["level"], failed["message"]) == ("ERROR", "request failed")
    assert failed["context"]["exception"]["kind"] == "ValueError"
    assert failed["context"]["exception"]["stack"][-1].endswith("fail")
    assert (refused["level"], refused["context"]["private"]) == ("INFO", {"expected": 1, "actual": 2})


@pytest.mark.parametrize(
    ("path", "accept", "is_page"),
    [
        pytest.param("/page", "text/html,*/*;q=0.8", True, id="a-browser-on-a-page-route"),
        pytest.param("/page?number=x", "text/html", True, id="validation-too"),
        pytest.param("/page", "application/json", False, id="a-script-on-a-page-route"),
        pytest.param("/page", "*/*", False, id="anything-goes"),
        pytest.param("/fails/database", "text/html", False, id="a-browser-elsewhere"),
    ],
)
def test_only_a_browser_on_a_route_with_pages_gets_a_page(
    client: TestClient, path: str, accept: str, is_page: bool
) -> None:
    response = client.get(path, headers={"accept": accept})
    assert response.headers["content-type"].startswith("text/html" if is_page else "application/json")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"


def test_an_error_in_the_middle_of_a_response_ends_it(client: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="an inside"):
        client.get("/late")
    assert [line["level"] for line in log_lines(capsys.readouterr().out)] == ["DEBUG", "ERROR", "INFO"]


def test_a_cancelled_request_is_not_logged_as_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    entered = asyncio.Event()

    async def wait(request: Request) -> None:
        entered.set()
        await asyncio.Event().wait()

    waiting = APIRouter()
    waiting.add_api_route("/wait", wait)
    app = create_app(waiting, settings=make_settings())

    async def cancel() -> None:
        scope = {"type": "http", "method": "GET", "path": "/wait", "headers": [], "query_string": b""}
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        task = asyncio.create_task(app(scope, receive, send))
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert sent == []

    asyncio.run(cancel())
    assert all(line["level"] != "ERROR" for line in log_lines(capsys.readouterr().out))
