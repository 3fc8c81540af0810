"""What a function's answer becomes behind a REST API, by the rules of its proxy integration."""

import base64
import json

import pytest

from lambda_gateway.responses.http_api import MalformedAnswer, Response
from lambda_gateway.responses.rest_api import from_proxy_answer


def answered(binary: bool = False, **answer: object) -> Response:
    return from_proxy_answer(json.dumps({"statusCode": 200, **answer}).encode(), binary=binary)


def test_a_plain_answer_is_json_unless_it_says_otherwise() -> None:
    assert answered(body="{}").headers == [("content-type", "application/json")]
    assert answered(body="x", headers={"Content-Type": "text/plain"}).headers == [("content-type", "text/plain")]


def test_both_kinds_of_headers_are_merged_the_lists_win() -> None:
    answer = answered(
        headers={"X-A": "1", "x-b": 2}, multiValueHeaders={"x-a": ["3", "4"], "Set-Cookie": ["a=1", "b=2"]}
    )
    assert answer.headers[:-1] == [
        ("x-b", "2"),
        ("x-a", "3"),
        ("x-a", "4"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
    ]


def test_a_challenge_of_the_functions_own_gets_another_name() -> None:
    names = [name for name, _ in answered(headers={"WWW-Authenticate": "Bearer"}).headers]
    assert names == ["x-amzn-remapped-www-authenticate", "content-type"]


def test_base64_is_decoded_only_for_who_accepts_a_binary_type() -> None:
    encoded = base64.b64encode(b"\x00").decode()
    assert answered(True, body=encoded, isBase64Encoded=True).body == b"\x00"
    assert answered(False, body=encoded, isBase64Encoded=True).body == encoded.encode()


@pytest.mark.parametrize(
    "answer",
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
def test_malformed_answers(answer: bytes) -> None:
    with pytest.raises(MalformedAnswer):
        from_proxy_answer(answer, binary=False)
