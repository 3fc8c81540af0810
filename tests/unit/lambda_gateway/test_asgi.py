"""The size that API Gateway limits, as its service quotas define it for each kind of API."""

import pytest

from lambda_gateway.asgi import header_size
from lambda_gateway.model import Kind

HEADERS = [(b"host", b"api.test"), (b"x-a-long-name", b"12")]


@pytest.mark.parametrize(
    ("kind", "query", "expected"),
    [
        pytest.param(Kind.REST, b"q=1", 10, id="rest-api-values"),
        pytest.param(Kind.HTTP, b"", 10 + len("GET /a%20b HTTP/1.1"), id="http-api-line-and-values"),
        pytest.param(Kind.HTTP, b"q=1", 10 + len("GET /a%20b?q=1 HTTP/1.1"), id="http-api-with-a-query"),
        pytest.param(Kind.WEBSOCKET, b"", 10 + len("GET /a%20b HTTP/1.1"), id="handshake"),
    ],
)
def test_names_do_not_count(kind: Kind, query: bytes, expected: int) -> None:
    scope = {"method": "GET", "path": "/a b", "raw_path": b"/a%20b", "query_string": query, "headers": HEADERS}
    assert header_size(scope, kind) == expected
