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

ANSWERS = [
    pytest.param("GET", "/plain", {}, id="a-good-answer"),
    pytest.param("POST", "/plain", {}, id="a-refusal"),
    pytest.param("GET", "/crash", {}, id="a-crash"),
    pytest.param("GET", "/nothing", {}, id="nothing-there"),
    pytest.param("PUT", "/plain", {}, id="wrong-method"),
    pytest.param("OPTIONS", "/plain", {"origin": ORIGIN, **PREFLIGHT}, id="a-preflight"),
    pytest.param("OPTIONS", "/plain", {"origin": "https://evil.example", **PREFLIGHT}, id="a-foreign-preflight"),
]


@pytest.mark.parametrize(("method", "path", "headers"), ANSWERS)
def test_every_answer_has_the_secure_headers_and_a_request_id(
    client: TestClient, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = client.request(method, path, headers=headers)
    assert {name: answer.headers.get(name) for name in SECURE_HEADERS} == SECURE_HEADERS
    assert answer.headers["x-request-id"]


def test_what_a_route_says_of_caching_stays(client: TestClient) -> None:
    answer = client.get("/cached")
    assert answer.headers["cache-control"] == "public, max-age=60"
    assert answer.headers["vary"] == "Accept, Origin"


def test_a_preflight_of_an_allowed_origin(client: TestClient) -> None:
    answer = client.options("/plain", headers={"origin": ORIGIN, **PREFLIGHT})
    assert (answer.status_code, answer.content) == (204, b"")
    cors = {name: value for name, value in answer.headers.items() if name.startswith("access-control")}
    assert cors == {
        "access-control-allow-origin": ORIGIN,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET,POST,PUT,DELETE,OPTIONS",
        "access-control-allow-headers": (
            "authorization,content-type,traceparent,tracestate,x-api-key,x-csrf-token,x-request-id"
        ),
        "access-control-max-age": "86400",
    }
    assert answer.headers["vary"] == "Origin"


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://app.example.test", "https://app.example.test:444", "https://app.example.test.evil",
     "https://APP.example.test", "null", ""],
)  # fmt: skip
def test_a_foreign_origin_gets_no_cors_headers(client: TestClient, origin: str) -> None:
    for method in ("OPTIONS", "GET", "POST"):
        answer = client.request(method, "/plain", headers={"origin": origin, **PREFLIGHT})
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert answer.headers["vary"] == "Origin"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/plain", 200), ("POST", "/plain", 401), ("GET", "/crash", 500), ("GET", "/nothing", 404)],
)
def test_an_allowed_origin_may_read_every_answer(client: TestClient, method: str, path: str, status: int) -> None:
    answer = client.request(method, path, headers={"origin": ORIGIN})
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers["access-control-allow-credentials"] == "true"
    exposed = answer.headers["access-control-expose-headers"].split(",")
    assert {"x-request-id", "retry-after", "ratelimit", "ratelimit-policy"} <= set(exposed)


def test_without_an_origin_the_answer_still_varies_by_it(client: TestClient) -> None:
    answer = client.get("/plain")
    assert answer.headers["vary"] == "Origin"
    assert "access-control-allow-origin" not in answer.headers


def test_behind_api_gateway_cors_is_left_to_it() -> None:
    with client_of(cors=False) as client:
        answer = client.get("/plain", headers={"origin": ORIGIN})
        assert "access-control-allow-origin" not in answer.headers
        assert "vary" not in answer.headers
        assert client.options("/plain", headers={"origin": ORIGIN, **PREFLIGHT}).status_code == 405


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_a_refusal_for_lack_of_room_says_when_to_come_back(accept: str, client: TestClient) -> None:
    answer = client.get("/busy", headers={"accept": accept})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert answer.headers["content-type"].startswith(accept)
    assert "SYS_010" in answer.text


def test_other_failures_promise_no_time(client: TestClient) -> None:
    assert "retry-after" not in client.post("/plain").headers
    assert error_headers(Overloaded(retry_after=1))["retry-after"] == "1"
