"""Matching of requests to routes. The first table is the example in AWS's documentation."""

import pytest

from lambda_gateway.apis.routing import ResourceRouter, Router
from lambda_gateway.model import Route


def routes(*keys: str) -> list[Route]:
    split = [key.partition(" ") for key in keys]
    return [Route("ANY" if method == "$default" else method, path or None, function="F") for method, _, path in split]


def router(*keys: str) -> Router:
    return Router(routes(*keys))


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
        pytest.param("GET", "/", "$default", {}, id="greedy-needs-a-character"),
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


REST = ("GET /orders", "POST /orders", "GET /orders/{id}", "ANY /files/{proxy+}", "GET /files/list", "GET /")


@pytest.mark.parametrize(
    ("method", "path", "key", "variables"),
    [
        pytest.param("GET", "/orders", "GET /orders", {}, id="resource"),
        pytest.param("POST", "/orders/", "POST /orders", {}, id="a-slash-at-the-end-is-the-same-resource"),
        pytest.param("GET", "/orders/7", "GET /orders/{id}", {"id": "7"}, id="variable"),
        pytest.param("DELETE", "/files/a/b", "ANY /files/{proxy+}", {"proxy": "a/b"}, id="greedy-any"),
        pytest.param("GET", "/files/list", "GET /files/list", {}, id="most-specific"),
        pytest.param("GET", "/", "GET /", {}, id="root"),
    ],
)
def test_a_rest_apis_resources(method: str, path: str, key: str, variables: dict[str, str]) -> None:
    match = ResourceRouter(routes(*REST)).find(method, path)
    assert match is not None
    assert (match[0].key, match[1]) == (key, variables)


@pytest.mark.parametrize(
    ("path", "key", "variables"),
    [
        pytest.param("/orders/a%20b", "GET /orders/{id}", {"id": "a%20b"}, id="blank"),
        pytest.param("/orders/%37", "GET /orders/{id}", {"id": "%37"}, id="an-escape-that-is-not-needed"),
        pytest.param("/orders/%C3%A9%2F/", "GET /orders/{id}", {"id": "%C3%A9"}, id="slashes-at-the-end"),
        pytest.param("/orders/%252F", "GET /orders/{id}", {"id": "%252F"}, id="escaped-twice"),
        pytest.param("/orders/%ff%C3", "GET /orders/{id}", {"id": "%ff%C3"}, id="not-utf-8"),
        pytest.param("/orders%2f7", "GET /orders/{id}", {"id": "7"}, id="escaped-slash-before"),
        pytest.param("/files/a%2Fb/%63", "ANY /files/{proxy+}", {"proxy": "a%2Fb/%63"}, id="greedy"),
        pytest.param("/files/%6Cist", "GET /files/list", {}, id="literal"),
    ],
)
def test_path_variables_of_a_rest_api_keep_their_spelling(path: str, key: str, variables: dict[str, str]) -> None:
    match = ResourceRouter(routes(*REST)).find("GET", path)
    assert match is not None
    assert (match[0].key, match[1]) == (key, variables)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("DELETE", "/orders", id="no-such-method"),
        pytest.param("DELETE", "/files/list", id="the-resource-is-chosen-before-the-method"),
        pytest.param("GET", "/files", id="greedy-needs-a-segment"),
        pytest.param("GET", "/nothing", id="no-such-resource"),
        pytest.param("GET", "/orders/7/items", id="deeper"),
    ],
)
def test_requests_that_no_resource_matches(method: str, path: str) -> None:
    assert ResourceRouter(routes(*REST)).find(method, path) is None
