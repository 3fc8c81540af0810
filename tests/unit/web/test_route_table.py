import pytest

from tenantgate.web.errors import MethodNotAllowed, NotFound
from tenantgate.web.route_table import RouteTable

TABLE = RouteTable(
    {
        "/": ("GET",),
        "/a": ("POST", "GET"),
        "/a/{id}": ("GET",),
        "/a/fixed": ("DELETE",),
        "/files/{rest+}": ("GET",),
        "/mounted/{rest:path}": ("PUT",),
        "/any": ("ANY",),
        "/dot.json": ("GET",),
    }
)


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        pytest.param("/", "GET", id="root"),
        pytest.param("/a", "GET, POST", id="several-methods-in-order"),
        pytest.param("/a/1", "GET", id="a-parameter"),
        pytest.param("/a/fixed", "DELETE, GET", id="two-patterns-that-match"),
        pytest.param("/files/x/y", "GET", id="a-greedy-parameter"),
        pytest.param("/mounted/x/y", "PUT", id="a-greedy-parameter-of-fastapi"),
        pytest.param("/dot.json", "GET", id="a-dot-is-a-dot"),
    ],
)
def test_a_known_path_is_a_405_for_another_method(path: str, allow: str) -> None:
    error, value = TABLE.error_for(path)
    assert isinstance(error, MethodNotAllowed)
    assert value == allow


@pytest.mark.parametrize(
    "path", ["", "/a/", "/A", "//", "/a/1/2", "/files/", "/files", "/dotxjson", "/a\n", "/any", "/\u2028"]
)
def test_any_other_path_is_a_404(path: str) -> None:
    error, value = TABLE.error_for(path)
    assert isinstance(error, NotFound)
    assert value is None
