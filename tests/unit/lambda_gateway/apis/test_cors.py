"""The CORS of an HTTP API."""

import pytest

from lambda_gateway.apis import cors
from lambda_gateway.events.request import Request
from lambda_gateway.model import Cors
from lambda_gateway.responses.response import Response

OURS = Cors(
    allow_origins=("http://a.test", "http://b.test"),
    allow_methods=("GET", "POST"),
    allow_headers=("Authorization", "X-Request-ID"),
    expose_headers=("X-Request-ID",),
    max_age=600,
    allow_credentials=True,
)


def request(method: str = "GET", **headers: str) -> Request:
    return Request(method, "/", "", [(name.replace("_", "-"), value) for name, value in headers.items()])


PREFLIGHT = request("OPTIONS", origin="http://a.test", access_control_request_method="POST")


def test_a_preflight_response_lists_what_is_allowed() -> None:
    response = cors.preflight(OURS, PREFLIGHT)
    assert response.status == 204
    assert dict(response.headers) == {
        "access-control-allow-origin": "http://a.test",
        "access-control-allow-methods": "GET,POST",
        "access-control-allow-headers": "authorization,x-request-id",
        "access-control-max-age": "600",
        "access-control-allow-credentials": "true",
    }


def test_a_preflight_response_to_another_origin_lists_nothing() -> None:
    foreign = request("OPTIONS", origin="http://evil.test", access_control_request_method="POST")
    response = cors.preflight(OURS, foreign)
    assert (response.status, response.headers) == (204, [])


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [
        pytest.param(PREFLIGHT, True, id="preflight"),
        pytest.param(request("OPTIONS"), False, id="options-without-origin"),
        pytest.param(request("OPTIONS", origin="http://a.test"), False, id="options-without-a-method"),
        pytest.param(request("GET", origin="http://a.test", access_control_request_method="GET"), False, id="get"),
    ],
)
def test_preflight_requests(candidate: Request, expected: bool) -> None:
    assert cors.is_preflight(candidate) is expected


def test_the_apis_headers_replace_the_functions() -> None:
    response = Response(200, b"", [("access-control-allow-origin", "*"), ("access-control-max-age", "9"), ("x-a", "b")])
    cors.decorate(OURS, request(origin="http://b.test"), response)
    assert response.headers == [
        ("x-a", "b"),
        ("access-control-allow-origin", "http://b.test"),
        ("access-control-expose-headers", "x-request-id"),
        ("access-control-allow-credentials", "true"),
    ]


@pytest.mark.parametrize("origin", ["http://evil.test", "http://a.test:81", "https://a.test", "null"])
def test_another_origin_gets_no_cors_headers_not_even_the_functions_own(origin: str) -> None:
    response = Response(200, b"", [("access-control-allow-origin", origin)])
    cors.decorate(OURS, request(origin=origin), response)
    assert response.headers == []


@pytest.mark.parametrize(
    ("allowed", "origin", "expected"),
    [
        ("*", "http://x.test", "*"),
        ("https://*", "https://x.test", "https://x.test"),
        ("https://*", "http://x.test", None),
    ],
)
def test_wildcards(allowed: str, origin: str, expected: str | None) -> None:
    response = Response(200)
    cors.decorate(Cors(allow_origins=(allowed,)), request(origin=origin), response)
    assert dict(response.headers).get("access-control-allow-origin") == expected
