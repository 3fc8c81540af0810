"""Responses from functions behind a REST API, by the rules of the proxy integration."""

import base64
import json

import pytest

from lambda_gateway.responses.response import MalformedResponse, Response
from lambda_gateway.responses.rest_api import from_function


def responded(binary: bool = False, **members: object) -> Response:
    return from_function(json.dumps({"statusCode": 200, **members}).encode(), binary=binary)


def test_the_default_type_is_json() -> None:
    assert responded(body="{}").headers == [("content-type", "application/json")]
    assert responded(body="x", headers={"Content-Type": "text/plain"}).headers == [("content-type", "text/plain")]


def test_both_kinds_of_headers_are_merged_and_the_lists_win() -> None:
    response = responded(
        headers={"X-A": "1", "x-b": 2}, multiValueHeaders={"x-a": ["3", "4"], "Set-Cookie": ["a=1", "b=2"]}
    )
    assert response.headers[:-1] == [
        ("x-b", "2"),
        ("x-a", "3"),
        ("x-a", "4"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
    ]


def test_a_functions_own_challenge_is_renamed() -> None:
    names = [name for name, _ in responded(headers={"WWW-Authenticate": "Bearer"}).headers]
    assert names == ["x-amzn-remapped-www-authenticate", "content-type"]


def test_base64_is_decoded_only_for_clients_that_accept_a_binary_type() -> None:
    encoded = base64.b64encode(b"\x00").decode()
    assert responded(True, body=encoded, isBase64Encoded=True).body == b"\x00"
    assert responded(False, body=encoded, isBase64Encoded=True).body == encoded.encode()


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(b"not json", id="not-json"),
        pytest.param(b'{"hello": "world"}', id="nothing-is-inferred"),
        pytest.param(b'"text"', id="text"),
        pytest.param(b"null", id="nothing"),
        pytest.param(b'{"statusCode": "abc"}', id="bad-status"),
        pytest.param(b'{"statusCode": 200, "body": {"a": 1}}', id="body-not-serialized"),
        pytest.param(b'{"statusCode": 200, "cookies": ["a=1"]}', id="cookies-of-payload-2"),
        pytest.param(b'{"statusCode": 200, "multiValueHeaders": {"a": "b"}}', id="header-not-a-list"),
    ],
)
def test_malformed_responses(given: bytes) -> None:
    with pytest.raises(MalformedResponse):
        from_function(given, binary=False)
