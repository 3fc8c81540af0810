"""Markup in parameters and forms stays text on every page."""

import httpx2
import pytest

from tests.fixtures.browsers.built_in_provider import (
    HTML,
    authorize,
    form_of,
    parameters,
    submit,
    tags_of,
)
from tests.fixtures.providers.built_in import CLIENT_ID

pytestmark = pytest.mark.anyio

MARKUP = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}"


REFLECTED = [
    "client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "code_challenge", "code_challenge_method",
    "prompt", "max_age", "login_hint", "id_token_hint", "response_mode", "resource", "display", "ui_locales", "request",
    "unknown",
]  # fmt: skip


@pytest.mark.parametrize("name", REFLECTED)
async def test_markup_in_a_parameter_stays_text(client: httpx2.AsyncClient, name: str) -> None:
    response = await authorize(client, parameters(**{name: MARKUP}))

    assert response.status_code in (200, 303, 400)
    assert MARKUP not in response.text
    assert "<script>alert" not in response.text
    assert "img" not in tags_of(response.text)
    assert tags_of(response.text).count("script") == 0
    if response.status_code == 303:
        assert not set("<>\"'") & set(response.headers["location"])


async def test_markup_in_the_sign_out_request_stays_text(client: httpx2.AsyncClient) -> None:
    for name in ("id_token_hint", "client_id", "post_logout_redirect_uri", "state", "logout_hint"):
        page = await client.get("/idp/end_session", params={name: MARKUP, "client_id": CLIENT_ID}, headers=HTML)
        assert "<script>alert" not in page.text
        assert "img" not in tags_of(page.text)


async def test_markup_in_the_form_stays_text(client: httpx2.AsyncClient) -> None:
    form = form_of((await authorize(client, parameters())).text)
    page = await submit(client, form, username=MARKUP)
    assert "img" not in tags_of(page.text)
    assert form_of(page.text).fields["username"] == MARKUP
