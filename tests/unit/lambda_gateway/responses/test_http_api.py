"""Responses from functions, by AWS's rules for response format 2.0."""

import base64
import json

import pytest

from lambda_gateway.responses.http_api import from_function, gateway_response
from lambda_gateway.responses.response import MalformedResponse

JSON = ("content-type", "application/json")


@pytest.mark.parametrize(
    ("given", "body"),
    [
        pytest.param({"a": 1}, b'{"a": 1}', id="an-object"),
        pytest.param("Hello", b"Hello", id="a-string-is-the-body-itself"),
        pytest.param([1, 2], b"[1, 2]", id="a-list"),
        pytest.param(None, b"null", id="nothing"),
    ],
)
def test_without_a_status_code_the_whole_response_is_the_body(given: object, body: bytes) -> None:
    response = from_function(json.dumps(given).encode())
    assert (response.status, response.body, response.headers) == (200, body, [JSON])


def function_response(**members: object) -> bytes:
    return json.dumps({"statusCode": 200, **members}).encode()


def test_status_headers_and_body() -> None:
    response = from_function(
        function_response(statusCode=201, headers={"Content-Type": "text/css", "X-A": "b"}, body="ä")
    )
    assert response.status == 201
    assert response.headers == [("content-type", "text/css"), ("x-a", "b")]
    assert response.body == "ä".encode()


def test_each_cookie_is_its_own_header() -> None:
    response = from_function(function_response(headers={"set-cookie": "z=0"}, cookies=["a=1; Path=/", "b=2"]))
    assert response.headers == [("set-cookie", "z=0"), ("set-cookie", "a=1; Path=/"), ("set-cookie", "b=2")]


def test_a_base64_body_is_decoded() -> None:
    response = from_function(function_response(body=base64.b64encode(b"\x00\xff").decode(), isBase64Encoded=True))
    assert response.body == b"\x00\xff"


def test_a_body_without_a_type_is_text() -> None:
    assert from_function(function_response(body="x")).headers == [("content-type", "text/plain; charset=utf-8")]


def test_no_body_no_type() -> None:
    assert from_function(function_response(statusCode=204)).headers == []


def test_numbers_and_booleans_in_headers_become_text() -> None:
    response = from_function(function_response(headers={"A": 1, "B": True}))
    assert response.headers == [("a", "1"), ("b", "true")]


@pytest.mark.parametrize("name", ["Content-Length", "Connection", "Transfer-Encoding", "Date", "Apigw-Requestid"])
def test_headers_that_only_the_gateway_sets_are_dropped(name: str) -> None:
    assert from_function(function_response(headers={name: "x"})).headers == []


def test_a_status_code_may_be_digits() -> None:
    assert from_function(function_response(statusCode="404")).status == 404


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(b"not json", id="not-json"),
        pytest.param(function_response(statusCode=None), id="null-status"),
        pytest.param(function_response(statusCode="abc"), id="text-as-status"),
        pytest.param(function_response(statusCode=True), id="boolean-status"),
        pytest.param(function_response(statusCode=99), id="status-too-low"),
        pytest.param(function_response(statusCode=600), id="status-too-high"),
        pytest.param(function_response(statusCode=200.5), id="fractional-status"),
        pytest.param(function_response(body={"a": 1}), id="body-not-serialized"),
        pytest.param(function_response(headers=["a"]), id="headers-not-an-object"),
        pytest.param(function_response(headers={"a": ["b"]}), id="header-with-a-list"),
        pytest.param(function_response(headers={"a": "b\r\nset-cookie: c=d"}), id="header-splitting"),
        pytest.param(function_response(cookies="a=1"), id="cookies-not-a-list"),
        pytest.param(function_response(cookies=[1]), id="cookie-not-a-string"),
        pytest.param(function_response(body="%%%", isBase64Encoded=True), id="not-base64"),
    ],
)
def test_malformed_responses(given: bytes) -> None:
    with pytest.raises(MalformedResponse):
        from_function(given)


def test_the_gateways_own_response() -> None:
    response = gateway_response(403)
    assert (response.status, response.body, response.headers) == (403, b'{"message":"Forbidden"}', [JSON])
