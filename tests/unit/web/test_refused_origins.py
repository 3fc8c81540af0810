"""Refused origins are reported, once and not without limit."""

from collections.abc import Callable

import pytest
from fastapi import APIRouter
from starlette.testclient import TestClient

from tenantgate.web.app import create_app
from tenantgate.web.refused_origins import MOST_REPORTED, RefusedOrigins
from tests.fixtures.web.setup import ORIGIN, api_event, lambda_context, lambda_handler_of, log_lines, make_settings

BASE_URL = "https://gate.example.test"
router = APIRouter()


@router.get("/plain")
async def plain() -> str:
    return "a"


def refused() -> RefusedOrigins:
    return RefusedOrigins(allowed=[ORIGIN], base_url=BASE_URL)


def remedy(origins: RefusedOrigins, origin: str, **more: str) -> str | None:
    headers = {"origin": origin, **{name.replace("_", "-"): value for name, value in more.items()}}
    found = origins.found_in([(name.encode(), value.encode("latin-1")) for name, value in headers.items()])
    assert found is None or found[0] == origin
    return None if found is None else found[1]


def test_each_is_reported_once() -> None:
    origins = refused()
    assert remedy(origins, "https://b.example") == "Add https://b.example to ALLOWED_ORIGINS if it is your app."
    assert remedy(origins, "https://b.example") is None
    assert remedy(origins, "https://c.example") is not None


@pytest.mark.parametrize("origin", [ORIGIN, BASE_URL, "null", "", "https://b.example/", "https://b.example\x1b[2J"])
def test_allowed_ones_and_other_texts_are_not_reported(origin: str) -> None:
    assert remedy(refused(), origin) is None
    assert refused().found_in([]) is None


def test_a_page_that_was_opened_as_a_file_is_reported_and_a_form_without_an_origin_is_not() -> None:
    origins = refused()
    assert remedy(origins, "null", sec_fetch_mode="navigate") is None
    assert remedy(origins, "null", sec_fetch_mode="cors") == (
        "Serve the page from an origin that ALLOWED_ORIGINS has: "
        "a page that is opened as a file, or that runs in a sandbox, has none."
    )
    assert remedy(origins, "null", sec_fetch_mode="cors") is None


def test_a_caller_cannot_fill_the_log_or_the_memory() -> None:
    origins = refused()
    reported = [number for number in range(10 * MOST_REPORTED) if remedy(origins, f"https://a{number}.example")]
    assert len(reported) == len(origins._reported) == MOST_REPORTED


def by_container(method: str, origin: str) -> None:
    app = create_app(router, settings=make_settings())
    headers = {"origin": origin, "access-control-request-method": "GET"}
    with TestClient(app, base_url=BASE_URL) as client:
        for _ in range(3):
            client.request(method, "/plain", headers=headers)


def by_function(method: str, origin: str) -> None:
    handler = lambda_handler_of(router, settings=make_settings())
    for _ in range(3):
        handler(api_event(method, "/plain", headers={"origin": origin}), lambda_context())


@pytest.mark.parametrize(
    ("send", "method"),
    [
        pytest.param(by_container, "GET", id="container"),
        pytest.param(by_container, "OPTIONS", id="container-preflight"),
        # API Gateway responds to a preflight itself.
        pytest.param(by_function, "GET", id="function"),
    ],
)
def test_the_log_names_the_setting(
    send: Callable[[str, str], None], method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    send(method, "https://other.example.test")
    (line,) = [line for line in log_lines(capsys.readouterr().out) if line["logger"].endswith(".refused_origins")]
    assert (line["level"], line["message"]) == ("INFO", "the origin of a page is not in ALLOWED_ORIGINS")
    assert line["context"] == {
        "origin": "https://other.example.test",
        "remedy": "Add https://other.example.test to ALLOWED_ORIGINS if it is your app.",
    }


def test_an_allowed_origin_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    by_container("GET", ORIGIN)
    assert "ALLOWED_ORIGINS" not in capsys.readouterr().out
