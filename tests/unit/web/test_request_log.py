import re
from collections.abc import Iterator

import pytest
from fastapi import APIRouter
from starlette.testclient import TestClient

from tenantgate.context import current_request
from tenantgate.observability.figures import FIGURES
from tenantgate.web.app import create_app
from tests.fixtures.web.setup import log_lines, make_settings

router = APIRouter()


@router.get("/id")
async def tell() -> str:
    return current_request().request_id


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(create_app(router, settings=make_settings()), base_url="https://gate.example.test") as made:
        yield made


def test_a_well_formed_id_is_used_everywhere(client: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    response = client.get("/id", headers={"x-request-id": "checkout-4711"})
    assert response.headers["x-request-id"] == response.json() == "checkout-4711"
    # The counts of the cache, of all tests before, are of no request.
    lines = [line for line in log_lines(capsys.readouterr().out) if line["logger"] != FIGURES]
    assert {line["request_id"] for line in lines} == {"checkout-4711"}


@pytest.mark.parametrize(
    "offered",
    [
        pytest.param("short", id="too-short"),
        pytest.param("a" * 129, id="too-long"),
        pytest.param("abcdefgh ijkl", id="a-blank"),
        pytest.param('abcdefgh","level":"x', id="quotes"),
        pytest.param("abcdefgh\u00e9", id="not-ascii"),
        pytest.param("eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl", id="a-token"),
        pytest.param("", id="empty"),
    ],
)
def test_any_other_id_is_replaced(client: TestClient, offered: str) -> None:
    response = client.get("/id", headers=[(b"x-request-id", offered.encode("latin-1"))])
    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["x-request-id"])


def test_each_request_gets_its_own(client: TestClient) -> None:
    assert client.get("/id").json() != client.get("/id").json()


def test_start_and_end_are_logged(client: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    client.get("/id?code=abc&page=2")
    start, end = log_lines(capsys.readouterr().out)
    assert (start["level"], start["context"]) == (
        "DEBUG",
        {"method": "GET", "path": "/id", "query": "code=***&page=2"},
    )
    duration = end["context"].pop("duration_ms")
    assert (end["level"], end["context"]) == ("INFO", {"method": "GET", "path": "/id", "status": 200})
    assert 0 < duration < 10_000
