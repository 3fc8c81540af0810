"""The OpenID Foundation's provider modules for back-channel logout, each a test named after its module."""

import httpx2
import jwt
import pytest

from tests.fixtures.browsers.built_in_provider import HTML, form_of, parameters, refresh, sign_in, tokens_for
from tests.fixtures.providers.built_in import CLIENT_ID, Deliveries
from tests.fixtures.providers.built_in_app import BASE_URL, SPA_ORIGIN

pytestmark = pytest.mark.anyio

EVENT = "http://schemas.openid.net/event/backchannel-logout"


async def test_discovery(client: httpx2.AsyncClient) -> None:
    metadata = (await client.get("/idp/.well-known/openid-configuration")).json()
    assert metadata["backchannel_logout_supported"] is True
    assert metadata["backchannel_logout_session_supported"] is True


async def test_rp_initiated_logout(client: httpx2.AsyncClient, deliveries: Deliveries) -> None:
    tokens = await tokens_for(client, parameters(scope="openid offline_access"))
    query = {"id_token_hint": tokens.id_token, "post_logout_redirect_uri": f"{SPA_ORIGIN}/bye", "state": "x"}
    response = await client.get("/idp/end_session", params=query, headers=HTML)
    assert response.headers["location"] == f"{SPA_ORIGIN}/bye?state=x"

    [(uri, token)] = deliveries.sent
    assert uri == f"{BASE_URL}/api/v1/auth/backchannel-logout"
    header = jwt.get_unverified_header(token)
    assert (header["typ"], header["alg"]) == ("logout+jwt", "RS256")
    keys = jwt.PyJWKSet.from_dict((await client.get("/idp/jwks")).json())
    claims = jwt.decode(
        token,
        keys[header["kid"]],
        algorithms=["RS256"],
        audience=CLIENT_ID,
        issuer=f"{BASE_URL}/idp",
        options={"require": ["iss", "aud", "iat", "exp", "jti"]},
    )
    id_token = jwt.decode(tokens.id_token, options={"verify_signature": False})
    assert (claims["sub"], claims["sid"]) == (id_token["sub"], id_token["sid"])
    assert claims["events"] == {EVENT: {}}
    assert "nonce" not in claims
    assert 0 < claims["exp"] - claims["iat"] <= 120
    assert (await refresh(client, tokens.refresh_token)).json()["error"] == "invalid_grant"


async def test_a_confirmed_sign_out(client: httpx2.AsyncClient, deliveries: Deliveries) -> None:
    await sign_in(client, parameters())
    page = await client.get("/idp/end_session", headers=HTML)
    assert deliveries.sent == []
    form = form_of(page.text)
    await client.post(form.action, data=form.fields, headers={**HTML, "sec-fetch-site": "same-origin"})
    assert len(deliveries.sent) == 1


async def test_a_link_without_a_session_sends_nothing(client: httpx2.AsyncClient, deliveries: Deliveries) -> None:
    tokens = await tokens_for(client, parameters())
    client.cookies.clear()
    for query in ({}, {"id_token_hint": tokens.id_token}, {"client_id": CLIENT_ID}):
        await client.get("/idp/end_session", params=query, headers=HTML)
    assert deliveries.sent == []
