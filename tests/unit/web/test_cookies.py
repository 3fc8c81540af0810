from collections.abc import Iterator

import pytest
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse
from starlette.testclient import TestClient

from tenantgate.errors.tokens import ProviderUnreachable
from tenantgate.login.errors import StateMismatch
from tenantgate.web.app import create_app
from tenantgate.web.cookies import SESSION_COOKIE, clear_cookie, set_cookie
from tenantgate.web.pages.show_pages import ShowPages
from tests.fixtures.web.setup import ORIGIN, api_event, lambda_context, lambda_handler_of, make_settings

ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Lax"
CLEARED = f"a=; Max-Age=0; {ATTRIBUTES}"

router = APIRouter()


@router.get("/session")
async def session(request: Request) -> str:
    set_cookie(request, SESSION_COOKIE, "org-1.secret", max_age=3600)
    return "text"


@router.get("/several")
async def several(request: Request) -> RedirectResponse:
    set_cookie(request, "a", "1", max_age=1)
    clear_cookie(request, "b")
    set_cookie(request, "c", "", max_age=1)
    return RedirectResponse("/elsewhere")


@router.get("/fails", dependencies=[ShowPages])
async def fails(request: Request) -> None:
    clear_cookie(request, "a")
    raise ProviderUnreachable


@router.get("/crashes")
async def crashes(request: Request) -> None:
    clear_cookie(request, "a")
    raise ValueError


@router.get("/names-cookies", dependencies=[ShowPages])
async def names_cookies() -> None:
    error = StateMismatch("too late")
    error.clears_cookies = ("a", "b")
    raise error


@router.get("/none")
async def none() -> None:
    return None


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = create_app(router, settings=make_settings())
    with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as made:
        yield made


def cookies_of(client: TestClient, path: str, accept: str = "*/*") -> list[str]:
    return client.get(path, headers={"accept": accept}).headers.get_list("set-cookie")


def test_a_cookie_carries_every_attribute(client: TestClient) -> None:
    assert cookies_of(client, "/session") == [f"__Host-tg_session=org-1.secret; Max-Age=3600; {ATTRIBUTES}"]


def test_several_cookies_are_several_headers_in_order(client: TestClient) -> None:
    assert cookies_of(client, "/several") == [
        f"a=1; Max-Age=1; {ATTRIBUTES}",
        f"b=; Max-Age=0; {ATTRIBUTES}",
        f"c=; Max-Age=1; {ATTRIBUTES}",
    ]


@pytest.mark.parametrize(
    ("path", "accept", "status", "media_type"),
    [
        pytest.param("/fails", "application/json", 502, "application/json", id="error"),
        pytest.param("/fails", "text/html", 502, "text/html; charset=utf-8", id="error-page"),
        pytest.param("/crashes", "application/json", 500, "application/json", id="crash"),
    ],
)
def test_an_error_carries_what_was_queued_before_it(
    client: TestClient, path: str, accept: str, status: int, media_type: str
) -> None:
    response = client.get(path, headers={"accept": accept})

    assert (response.status_code, response.headers["content-type"]) == (status, media_type)
    assert response.headers.get_list("set-cookie") == [CLEARED]


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_an_error_clears_the_cookies_that_it_names(client: TestClient, accept: str) -> None:
    assert cookies_of(client, "/names-cookies", accept) == [CLEARED, CLEARED.replace("a=", "b=", 1)]


@pytest.mark.parametrize("path", ["/none", "/nothing-here"])
def test_other_responses_set_no_cookie(client: TestClient, path: str) -> None:
    cookies_of(client, "/several")

    assert cookies_of(client, path) == []


def test_a_preflight_sets_no_cookie(client: TestClient) -> None:
    headers = {"origin": ORIGIN, "access-control-request-method": "GET"}

    assert "set-cookie" not in client.options("/several", headers=headers).headers


@pytest.mark.parametrize("path", ["/fails", "/names-cookies"])
def test_on_lambda_they_are_the_cookies_of_payload_format_2(path: str) -> None:
    handler = lambda_handler_of(router, settings=make_settings())

    response = handler(api_event(path=path, headers={"accept": "text/html"}), lambda_context())

    assert response["cookies"][0] == CLEARED
    assert "set-cookie" not in response["headers"]


@pytest.mark.parametrize("value", ["a;b", "a b", "a,b", 'a"b', "a\\b", "a\r\nSet-Cookie: x=y", "ä", "a" * 4000])
def test_a_value_that_no_cookie_may_hold_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="can't be sent"):
        set_cookie(Request({"type": "http"}), SESSION_COOKIE, value, max_age=1)
