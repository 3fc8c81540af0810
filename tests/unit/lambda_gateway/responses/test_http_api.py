"""What a function's answer becomes, by AWS's rules for response format 2.0."""

import base64
import json

import pytest

from lambda_gateway.responses.http_api import MalformedAnswer, from_answer, gateway_message

JSON = ("content-type", "application/json")


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        pytest.param({"a": 1}, b'{"a": 1}', id="an-object"),
        pytest.param("Hello", b"Hello", id="a-string-is-the-body-itself"),
        pytest.param([1, 2], b"[1, 2]", id="a-list"),
        pytest.param(None, b"null", id="nothing"),
    ],
)
def test_without_a_status_code_the_answer_is_the_body(answer: object, body: bytes) -> None:
    response = from_answer(json.dumps(answer).encode())
    assert (response.status, response.body, response.headers) == (200, body, [JSON])


def answered(**answer: object) -> bytes:
    return json.dumps({"statusCode": 200, **answer}).encode()


def test_status_headers_and_body() -> None:
    response = from_answer(answered(statusCode=201, headers={"Content-Type": "text/css", "X-A": "b"}, body="ä"))
    assert response.status == 201
    assert response.headers == [("content-type", "text/css"), ("x-a", "b")]
    assert response.body == "ä".encode()


def test_each_cookie_is_a_header_of_its_own() -> None:
    response = from_answer(answered(headers={"set-cookie": "z=0"}, cookies=["a=1; Path=/", "b=2"]))
    assert response.headers == [("set-cookie", "z=0"), ("set-cookie", "a=1; Path=/"), ("set-cookie", "b=2")]


def test_a_base64_body_is_decoded() -> None:
    response = from_answer(answered(body=base64.b64encode(b"\x00\xff").decode(), isBase64Encoded=True))
    assert response.body == b"\x00\xff"


def test_a_body_without_a_type_is_text() -> None:
    assert from_answer(answered(body="x")).headers == [("content-type", "text/plain; charset=utf-8")]


def test_no_body_no_type() -> None:
    assert from_answer(answered(statusCode=204)).headers == []


def test_numbers_and_booleans_in_headers_become_text() -> None:
    response = from_answer(answered(headers={"A": 1, "B": True}))
    assert response.headers == [("a", "1"), ("b", "true")]


@pytest.mark.parametrize("name", ["Content-Length", "Connection", "Transfer-Encoding", "Date", "Apigw-Requestid"])
def test_headers_that_are_the_gateways_own_are_dropped(name: str) -> None:
    assert from_answer(answered(headers={name: "x"})).headers == []


def test_a_status_code_may_be_digits() -> None:
    assert from_answer(answered(statusCode="404")).status == 404


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"not json", id="not-json"),
        pytest.param(answered(statusCode=None), id="null-status"),
        pytest.param(answered(statusCode="abc"), id="word-as-status"),
        pytest.param(answered(statusCode=True), id="boolean-status"),
        pytest.param(answered(statusCode=99), id="status-too-low"),
        pytest.param(answered(statusCode=600), id="status-too-high"),
        pytest.param(answered(statusCode=200.5), id="fractional-status"),
        pytest.param(answered(body={"a": 1}), id="body-not-serialized"),
        pytest.param(answered(headers=["a"]), id="headers-not-an-object"),
        pytest.param(answered(headers={"a": ["b"]}), id="header-with-a-list"),
        pytest.param(answered(headers={"a": "b\r\nset-cookie: c=d"}), id="header-splitting"),
        pytest.param(answered(cookies="a=1"), id="cookies-not-a-list"),
        pytest.param(answered(cookies=[1]), id="cookie-not-a-string"),
        pytest.param(answered(body="%%%", isBase64Encoded=True), id="not-base64"),
    ],
)
def test_what_cannot_be_a_response_is_malformed(answer: bytes) -> None:
    with pytest.raises(MalformedAnswer):
        from_answer(answer)


def test_the_gateways_own_words() -> None:
    response = gateway_message(403, "Forbidden")
    assert (response.status, response.body, response.headers) == (403, b'{"message":"Forbidden"}', [JSON])
