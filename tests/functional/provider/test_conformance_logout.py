"""The OpenID Foundation's modules for RP-initiated logout, each a test named after its module."""

import httpx2
import jwt
import pytest

from tests.fixtures.browsers.built_in_provider import (
    HTML,
    authorize,
    form_of,
    parameters,
    replay_cookie,
    sign_in,
    tokens_for,
)
from tests.fixtures.providers.built_in import CLIENT_ID, query_of
from tests.fixtures.providers.built_in_app import BASE_URL, SPA_ORIGIN, SetTime

pytestmark = pytest.mark.anyio

ISSUER = f"{BASE_URL}/idp"


async def end_session(client: httpx2.AsyncClient, **query: str) -> httpx2.Response:
    return await client.get("/idp/end_session", params=query, headers=HTML)


def only_our_page(response: httpx2.Response, status: int) -> None:
    assert response.status_code == status
    assert "location" not in response.headers
    assert response.headers["content-type"].startswith("text/html")


async def is_signed_in(client: httpx2.AsyncClient) -> bool:
    response = await authorize(client, parameters(prompt="none"))
    return "code" in query_of(response.headers["location"])


async def test_discovery(client: httpx2.AsyncClient) -> None:
    metadata = (await client.get("/idp/.well-known/openid-configuration")).json()
    assert metadata["end_session_endpoint"] == f"{ISSUER}/end_session"


async def test_base(client: httpx2.AsyncClient) -> None:
    tokens = await tokens_for(client, parameters())
    response = await end_session(
        client, id_token_hint=tokens.id_token, post_logout_redirect_uri=f"{SPA_ORIGIN}/bye", state="x&y"
    )
    assert response.headers["location"] == f"{SPA_ORIGIN}/bye?state=x%26y"
    assert not await is_signed_in(client)


async def test_a_replayed_cookie_is_signed_out_too(client: httpx2.AsyncClient) -> None:
    tokens = await tokens_for(client, parameters())
    cookie = client.cookies["__Host-tg_idp"]
    replay_cookie(client, cookie)
    assert await is_signed_in(client)
    await end_session(client, id_token_hint=tokens.id_token)
    replay_cookie(client, cookie)
    assert not await is_signed_in(client)


async def test_by_post(client: httpx2.AsyncClient) -> None:
    tokens = await tokens_for(client, parameters())
    form = {"id_token_hint": tokens.id_token, "post_logout_redirect_uri": f"{SPA_ORIGIN}/bye"}
    response = await client.post("/idp/end_session", data=form, headers=HTML)
    assert response.headers["location"] == f"{SPA_ORIGIN}/bye"
    assert not await is_signed_in(client)


async def test_an_expired_hint_still_signs_out(client: httpx2.AsyncClient, set_time: SetTime) -> None:
    tokens = await tokens_for(client, parameters())
    later = jwt.decode(tokens.id_token, options={"verify_signature": False})["exp"] + 60.0
    set_time(later)
    await end_session(client, id_token_hint=tokens.id_token)
    assert not await is_signed_in(client)


async def test_bad_post_logout_redirect_uri(client: httpx2.AsyncClient) -> None:
    tokens = await tokens_for(client, parameters())
    response = await end_session(client, id_token_hint=tokens.id_token, post_logout_redirect_uri="https://evil.test/")
    only_our_page(response, 400)
    assert "AUTH_006" in response.text


async def test_modified_id_token_hint(client: httpx2.AsyncClient) -> None:
    tokens = await tokens_for(client, parameters())
    head, claims, signature = tokens.id_token.split(".")
    changed = ".".join((head, claims, ("B" if signature[0] == "A" else "A") + signature[1:]))
    response = await end_session(client, id_token_hint=changed, post_logout_redirect_uri=f"{SPA_ORIGIN}/bye")
    only_our_page(response, 400)
    assert await is_signed_in(client)


async def test_bad_id_token_hint(client: httpx2.AsyncClient) -> None:
    response = await end_session(client, id_token_hint="malformed", post_logout_redirect_uri=f"{SPA_ORIGIN}/bye")
    only_our_page(response, 400)


async def test_an_access_token_is_refused_as_a_hint(client: httpx2.AsyncClient) -> None:
    tokens = await tokens_for(client, parameters())
    only_our_page(await end_session(client, id_token_hint=tokens.access_token), 400)


@pytest.mark.parametrize(
    ("query", "location"),
    [
        pytest.param({}, None, id="no-params"),
        pytest.param({"state": "abc"}, None, id="only-state"),
        pytest.param({"post_logout_redirect_uri": f"{SPA_ORIGIN}/bye"}, None, id="no-id-token-hint"),
        pytest.param(
            {"post_logout_redirect_uri": f"{SPA_ORIGIN}/bye", "client_id": CLIENT_ID},
            f"{SPA_ORIGIN}/bye",
            id="client-id-instead-of-hint",
        ),
    ],
)
async def test_without_a_hint_the_user_confirms(
    client: httpx2.AsyncClient, query: dict[str, str], location: str | None
) -> None:
    await sign_in(client, parameters())
    page = await end_session(client, **query)
    only_our_page(page, 200)
    assert await is_signed_in(client)

    form = form_of(page.text)
    confirmed = await client.post(form.action, data=form.fields, headers={**HTML, "sec-fetch-site": "same-origin"})
    assert confirmed.headers.get("location") == location
    assert not await is_signed_in(client)


async def test_no_post_logout_redirect_uri(client: httpx2.AsyncClient) -> None:
    tokens = await tokens_for(client, parameters())
    only_our_page(await end_session(client, id_token_hint=tokens.id_token, state="abc"), 200)
    assert not await is_signed_in(client)


async def test_no_state(client: httpx2.AsyncClient) -> None:
    tokens = await tokens_for(client, parameters())
    response = await end_session(client, id_token_hint=tokens.id_token, post_logout_redirect_uri=f"{SPA_ORIGIN}/bye")
    assert response.headers["location"] == f"{SPA_ORIGIN}/bye"
