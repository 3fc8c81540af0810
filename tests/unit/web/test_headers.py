from collections.abc import Iterator

import pytest
from fastapi import APIRouter, Depends
from starlette.responses import JSONResponse
from starlette.testclient import TestClient

from tenantgate.errors.tokens import Overloaded, TokenExpired
from tenantgate.web.app import create_app
from tenantgate.web.headers import SECURE_HEADERS, error_headers
from tenantgate.web.pages.show_pages import show_pages
from tests.fixtures.web.setup import ORIGIN, make_settings

router = APIRouter()


@router.get("/plain")
async def plain() -> str:
    return "a"


@router.post("/plain")
async def fail() -> None:
    raise TokenExpired


@router.get("/busy", dependencies=[Depends(show_pages)])
async def busy() -> None:
    raise Overloaded("too many wait", retry_after=7)


@router.get("/cached")
async def cached() -> JSONResponse:
    return JSONResponse({}, headers={"cache-control": "public, max-age=60", "vary": "Accept"})


@router.get("/crash")
async def crash() -> None:
    raise ValueError


def client_of(*, cors: bool) -> TestClient:
    return TestClient(create_app(router, settings=make_settings(), cors=cors), base_url="https://gate.example.test")


@pytest.fixture
def client() -> Iterator[TestClient]:
    with client_of(cors=True) as made:
        yield made


PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}

RESPONSES = [
    pytest.param("GET", "/plain", {}, id="a-success"),
    pytest.param("POST", "/plain", {}, id="an-error"),
    pytest.param("GET", "/crash", {}, id="a-crash"),
    pytest.param("GET", "/nothing", {}, id="nothing-there"),
    pytest.param("PUT", "/plain", {}, id="wrong-method"),
    pytest.param("OPTIONS", "/plain", {"origin": ORIGIN, **PREFLIGHT}, id="a-preflight"),
    pytest.param("OPTIONS", "/plain", {"origin": "https://evil.example", **PREFLIGHT}, id="a-foreign-preflight"),
]


@pytest.mark.parametrize(("method", "path", "headers"), RESPONSES)
def test_every_response_has_the_secure_headers_and_a_request_id(
    client: TestClient, method: str, path: str, headers: dict[str, str]
) -> None:
    response = client.request(method, path, headers=headers)
    assert {name: response.headers.get(name) for name in SECURE_HEADERS} == SECURE_HEADERS
    assert response.headers["x-request-id"]


def test_a_route_may_allow_caching(client: TestClient) -> None:
    response = client.get("/cached")
    assert response.headers["cache-control"] == "public, max-age=60"
    assert response.headers["vary"] == "Accept, Origin"


def test_a_preflight_of_an_allowed_origin(client: TestClient) -> None:
    response = client.options("/plain", headers={"origin": ORIGIN, **PREFLIGHT})
    assert (response.status_code, response.content) == (204, b"")
    cors = {name: value for name, value in response.headers.items() if name.startswith("access-control")}
    assert cors == {
        "access-control-allow-origin": ORIGIN,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET,POST,PUT,DELETE,OPTIONS",
        "access-control-allow-headers": (
            "authorization,content-type,traceparent,tracestate,x-api-key,x-csrf-token,x-request-id"
        ),
        "access-control-max-age": "86400",
    }
    assert response.headers["vary"] == "Origin"


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://app.example.test", "https://app.example.test:444", "https://app.example.test.evil",
     "https://APP.example.test", "null", ""],
)  # fmt: skip
def test_a_foreign_origin_gets_no_cors_headers(client: TestClient, origin: str) -> None:
    for method in ("OPTIONS", "GET", "POST"):
        response = client.request(method, "/plain", headers={"origin": origin, **PREFLIGHT})
        assert not [name for name in response.headers if name.startswith("access-control")]
        assert response.headers["vary"] == "Origin"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/plain", 200), ("POST", "/plain", 401), ("GET", "/crash", 500), ("GET", "/nothing", 404)],
)
def test_an_allowed_origin_may_read_every_response(client: TestClient, method: str, path: str, status: int) -> None:
    response = client.request(method, path, headers={"origin": ORIGIN})
    assert response.status_code == status
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert response.headers["access-control-allow-credentials"] == "true"
    exposed = response.headers["access-control-expose-headers"].split(",")
    assert exposed == [
        "apigw-requestid",
        "x-request-id",
        "retry-after",
        "ratelimit",
        "ratelimit-policy",
        "www-authenticate",
        "x-csrf-token",
    ]


def test_a_response_without_an_origin_varies_by_origin_too(client: TestClient) -> None:
    response = client.get("/plain")
    assert response.headers["vary"] == "Origin"
    assert "access-control-allow-origin" not in response.headers


def test_behind_api_gateway_there_are_no_cors_headers() -> None:
    with client_of(cors=False) as client:
        response = client.get("/plain", headers={"origin": ORIGIN})
        assert "access-control-allow-origin" not in response.headers
        assert "vary" not in response.headers
        assert client.options("/plain", headers={"origin": ORIGIN, **PREFLIGHT}).status_code == 405


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_an_overloaded_server_sends_retry_after(accept: str, client: TestClient) -> None:
    response = client.get("/busy", headers={"accept": accept})
    assert (response.status_code, response.headers["retry-after"]) == (503, "7")
    assert response.headers["content-type"].startswith(accept)
    assert "SYS_010" in response.text


def test_other_errors_send_no_retry_after(client: TestClient) -> None:
    assert "retry-after" not in client.post("/plain").headers
    assert error_headers(Overloaded(retry_after=1))["retry-after"] == "1"
