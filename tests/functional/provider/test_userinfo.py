"""Userinfo requests with tokens that the provider must refuse."""

import httpx2
import jwt
import pytest

from tenantgate.openid_provider.storage.demo import DEMO_USER_ID
from tests.fixtures.browsers.built_in_provider import (
    parameters,
    tokens_for,
)
from tests.fixtures.providers.built_in import AUDIENCE
from tests.fixtures.providers.built_in_app import BASE_URL, SetTime

pytestmark = pytest.mark.anyio


async def challenge_to(client: httpx2.AsyncClient, authorization: str) -> tuple[int, str]:
    response = await client.get("/idp/userinfo", headers={"authorization": authorization})
    return response.status_code, response.headers["www-authenticate"]


async def test_a_request_without_a_token_gets_no_error_code(client: httpx2.AsyncClient) -> None:
    response = await client.get("/idp/userinfo")
    assert (response.status_code, response.headers["www-authenticate"]) == (401, 'Bearer realm="tenantgate"')


async def test_an_id_token_is_refused_as_an_access_token(client: httpx2.AsyncClient) -> None:
    tokens = await tokens_for(client, parameters())
    status, challenge = await challenge_to(client, f"Bearer {tokens.id_token}")
    assert (status, 'error="invalid_token"' in challenge) == (401, True)


async def test_the_scope_openid_is_required(client: httpx2.AsyncClient) -> None:
    tokens = await tokens_for(client, parameters(scope="profile"))
    assert tokens.id_token == ""
    status, challenge = await challenge_to(client, f"Bearer {tokens.access_token}")
    assert (status, 'error="insufficient_scope"' in challenge) == (403, True)


async def test_an_expired_token_is_refused(client: httpx2.AsyncClient, set_time: SetTime) -> None:
    tokens = await tokens_for(client, parameters())
    later = jwt.decode(tokens.access_token, options={"verify_signature": False})["exp"] + 1.0
    set_time(later)
    assert (await challenge_to(client, f"Bearer {tokens.access_token}"))[0] == 401


async def test_a_token_signed_with_the_public_key_is_refused(client: httpx2.AsyncClient) -> None:
    key = (await client.get("/idp/jwks")).json()["keys"][0]
    claims = {"iss": f"{BASE_URL}/idp", "aud": AUDIENCE, "sub": DEMO_USER_ID, "scope": "openid", "exp": 2**33}
    forged = jwt.encode(claims, key["n" if "n" in key else "x"] * 2, "HS256", {"kid": key["kid"], "typ": "at+jwt"})
    assert (await challenge_to(client, f"Bearer {forged}"))[0] == 401


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "x" * 20_000, "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.e30."])
async def test_a_malformed_token_is_refused(client: httpx2.AsyncClient, token: str) -> None:
    assert (await challenge_to(client, f"Bearer {token}"))[0] == 401
