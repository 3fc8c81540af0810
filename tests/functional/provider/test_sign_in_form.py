"""The sign-in form against forgery, replay and guessing."""

from collections.abc import Callable

import httpx2
import pytest

from tests.fixtures.browsers.built_in_provider import (
    HTML,
    authorize,
    form_of,
    parameters,
    replay_cookie,
    sign_in,
    submit,
)
from tests.fixtures.providers.built_in import query_of
from tests.fixtures.providers.built_in_app import BASE_URL, SPA_ORIGIN, SetTime

pytestmark = pytest.mark.anyio

REDIRECT_URI = f"{BASE_URL}/api/v1/auth/callback"


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(lambda token: "", id="missing"),
        pytest.param(lambda token: token[:-2], id="truncated"),
        pytest.param(lambda token: token[:40] + ("A" if token[40] != "A" else "B") + token[41:], id="changed"),
        pytest.param(lambda token: "A" * len(token), id="invented"),
        pytest.param(lambda token: "ü" + token, id="not-ascii"),
    ],
)
async def test_a_tampered_form_is_refused(client: httpx2.AsyncClient, changed: Callable[[str], str]) -> None:
    form = form_of((await authorize(client, parameters())).text)
    form.fields["form"] = changed(form.fields["form"])
    page = await submit(client, form)
    assert page.status_code == 400
    assert "AUTH_041" in page.text
    assert "set-cookie" not in page.headers


async def test_fields_added_to_the_form_change_nothing(client: httpx2.AsyncClient) -> None:
    form = form_of((await authorize(client, parameters())).text)
    form.fields |= {"redirect_uri": "https://evil.test/", "state": "other", "code_challenge": "x" * 43}
    response = await submit(client, form)
    assert response.headers["location"].startswith(f"{REDIRECT_URI}?")
    assert query_of(response.headers["location"])["state"] == "the-state"


async def test_a_form_expires_after_ten_minutes(client: httpx2.AsyncClient, set_time: SetTime) -> None:
    set_time(1_900_000_000.0)
    form = form_of((await authorize(client, parameters())).text)
    set_time(1_900_000_600.0)
    assert "AUTH_041" in (await submit(client, form)).text


async def test_the_sign_out_form_does_not_sign_in(client: httpx2.AsyncClient) -> None:
    await sign_in(client, parameters())
    sign_out = form_of((await client.get("/idp/end_session", headers=HTML)).text)
    form = form_of((await authorize(client, parameters(prompt="login"))).text)
    form.fields["form"] = sign_out.fields["form"]
    assert "AUTH_041" in (await submit(client, form)).text


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"sec-fetch-site": "cross-site", "origin": "https://evil.test"}, id="cross-site"),
        pytest.param({"sec-fetch-site": "same-site", "origin": "https://sibling.example.test"}, id="sibling"),
        pytest.param({"sec-fetch-site": "none"}, id="typed-in"),
        pytest.param({"origin": "https://evil.test"}, id="older-browser"),
        pytest.param({"origin": SPA_ORIGIN}, id="an-allowed-origin-of-another-site"),
        pytest.param({"origin": "null"}, id="sandboxed"),
    ],
)
async def test_a_form_sent_by_another_site_is_refused(client: httpx2.AsyncClient, headers: dict[str, str]) -> None:
    form = form_of((await authorize(client, parameters())).text)
    fields = {**form.fields, "username": "demo@example.test", "password": "correct horse battery staple"}
    page = await client.post(form.action, data=fields, headers={**HTML, **headers})
    assert (page.status_code, "set-cookie" in page.headers) == (403, False)


@pytest.mark.parametrize(
    ("username", "password"),
    [
        pytest.param("demo@example.test", "wrong", id="wrong-password"),
        pytest.param("demo@example.test", "", id="no-password"),
        pytest.param("unknown@example.test", "correct horse battery staple", id="unknown-user"),
        pytest.param("demo@example.test", "correct horse battery staple ", id="trailing-space"),
        pytest.param("demo@example.test", "Correct horse battery staple", id="other-case"),
    ],
)
async def test_a_wrong_password_and_an_unknown_user_get_the_same_page(
    client: httpx2.AsyncClient, username: str, password: str
) -> None:
    form = form_of((await authorize(client, parameters())).text)
    page = await submit(client, form, username=username, password=password)
    assert page.status_code == 400
    assert "The email or the password is wrong." in page.text
    assert "set-cookie" not in page.headers
    # The form on that page still works.
    assert (await submit(client, form_of(page.text))).status_code == 303


async def test_signing_in_ends_the_session_that_the_browser_had(client: httpx2.AsyncClient) -> None:
    await sign_in(client, parameters())
    planted = client.cookies["__Host-tg_idp"]
    await sign_in(client, parameters(prompt="login"))
    assert client.cookies["__Host-tg_idp"] != planted

    replay_cookie(client, planted)
    response = await authorize(client, parameters(prompt="none"))
    assert query_of(response.headers["location"])["error"] == "login_required"


async def test_the_page_cannot_be_framed(client: httpx2.AsyncClient) -> None:
    page = await authorize(client, parameters())
    assert page.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"


async def test_a_sign_in_form_of_another_type_is_refused(client: httpx2.AsyncClient) -> None:
    response = await client.post("/idp/sign_in", json={"form": "x"})
    assert (response.status_code, response.json()["error"]["code"]) == (415, "VAL_004")
