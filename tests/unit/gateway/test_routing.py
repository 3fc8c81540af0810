"""Which route takes a request. The first table is the example of AWS's documentation."""

import pytest

from tenantgate_cli.gateway.model import Route
from tenantgate_cli.gateway.routing import Router


def router(*keys: str) -> Router:
    routes = []
    for key in keys:
        method, _, path = key.partition(" ")
        routes.append(Route("ANY" if key == "$default" else method, path or None, function="F"))
    return Router(routes)


AWS_EXAMPLE = (*("GET /pets/dog/1", "GET /pets/dog/{id}", "GET /pets/{proxy+}", "ANY /{proxy+}", "$default"),)


def found(routes: Router, method: str, path: str) -> tuple[str, dict[str, str]] | None:
    match = routes.find(method, path)
    return None if match is None else (match[0].key, match[1])


@pytest.mark.parametrize(
    ("method", "path", "key", "variables"),
    [
        pytest.param("GET", "/pets/dog/1", "GET /pets/dog/1", {}, id="full-match"),
        pytest.param("GET", "/pets/dog/2", "GET /pets/dog/{id}", {"id": "2"}, id="one-segment"),
        pytest.param("GET", "/pets/cat/1", "GET /pets/{proxy+}", {"proxy": "cat/1"}, id="greedy"),
        pytest.param("POST", "/test/5", "ANY /{proxy+}", {"proxy": "test/5"}, id="greedy-any-method"),
        pytest.param("POST", "/pets/dog/1", "ANY /{proxy+}", {"proxy": "pets/dog/1"}, id="the-method-must-match-too"),
        pytest.param("GET", "/", "$default", {}, id="greedy-takes-at-least-one-character"),
    ],
)
def test_priorities(method: str, path: str, key: str, variables: dict[str, str]) -> None:
    assert found(router(*AWS_EXAMPLE), method, path) == (key, variables)


@pytest.mark.parametrize(
    ("keys", "method", "path", "expected"),
    [
        pytest.param(("ANY /a", "GET /a"), "GET", "/a", "GET /a", id="a-method-before-any"),
        pytest.param(("ANY /a", "GET /a"), "PUT", "/a", "ANY /a", id="any-for-the-others"),
        pytest.param(("GET /a/{x+}", "GET /{y}/b"), "GET", "/a/b", "GET /{y}/b", id="full-match-before-greedy"),
        pytest.param(("GET /{x}/{y}", "GET /a/{y}"), "GET", "/a/b", "GET /a/{y}", id="literal-segments-first"),
        pytest.param(("GET /a",), "GET", "/a/", None, id="a-trailing-slash-counts"),
        pytest.param(("GET /a",), "HEAD", "/a", None, id="head-is-not-get"),
        pytest.param(("GET /a.b",), "GET", "/axb", None, id="a-dot-is-a-dot"),
        pytest.param(("GET /{x}",), "GET", "/a/b", None, id="a-variable-is-one-segment"),
        pytest.param(("GET /a",), "GET", "/A", None, id="case-counts"),
        pytest.param((), "GET", "/", None, id="no-routes"),
    ],
)
def test_matches(keys: tuple[str, ...], method: str, path: str, expected: str | None) -> None:
    match = found(router(*keys), method, path)
    assert (match[0] if match else None) == expected
