"""The OpenID Foundation's provider modules (basic, config), each a test named after its module.

The provider announces that it doesn't support what idtoken-unsigned tests, so it is left out.
query-added-to-post-logout-redirect-uri expects single registered URIs; the provider allows whole origins.
"""

from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2
import jwt
import pytest

from tenantgate.openid_provider.storage.demo import DEMO_TENANT_ID, DEMO_USER_ID
from tests.fixtures.browsers.built_in_provider import (
    HTML,
    authorize,
    form_of,
    parameters,
    redeem,
    refresh,
    sign_in,
    submit,
    tokens_for,
    verified_claims,
)
from tests.fixtures.providers.built_in import AUDIENCE, CLIENT_ID, CLIENT_SECRET, query_of
from tests.fixtures.providers.built_in_app import BASE_URL

pytestmark = pytest.mark.anyio

ISSUER = f"{BASE_URL}/idp"


async def userinfo(client: httpx2.AsyncClient, token: str) -> dict[str, Any]:
    response = await client.get("/idp/userinfo", headers={"authorization": f"Bearer {token}"})
    assert response.status_code == 200, response.text
    claims: dict[str, Any] = response.json()
    return claims


async def test_discovery_endpoint_verification(client: httpx2.AsyncClient) -> None:
    response = await client.get("/idp/.well-known/openid-configuration")
    metadata = response.json()

    assert response.headers["content-type"] == "application/json"
    assert metadata["issuer"] == ISSUER
    for endpoint in ("authorization", "token", "userinfo", "revocation", "end_session"):
        assert metadata[f"{endpoint}_endpoint"].startswith(f"{ISSUER}/")
    assert metadata["response_types_supported"] == ["code"]
    assert metadata["subject_types_supported"] == ["public"]
    assert metadata["id_token_signing_alg_values_supported"] == ["RS256", "ES256"]
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["authorization_response_iss_parameter_supported"] is True
    assert "openid" in metadata["scopes_supported"]
    assert metadata["request_uri_parameter_supported"] is False
    keys = (await client.get(urlsplit(metadata["jwks_uri"]).path)).json()["keys"]
    assert {key["alg"] for key in keys} == {"RS256", "ES256"}
    assert not {"d", "p", "q", "dp", "dq", "qi"} & {member for key in keys for member in key}


async def test_server(client: httpx2.AsyncClient) -> None:
    tokens = await tokens_for(client, parameters())
    body = tokens.response.json()

    assert tokens.redirect["state"] == "the-state"
    assert tokens.redirect["iss"] == ISSUER
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 3600
    assert tokens.response.headers["cache-control"] == "no-store"
    claims = await verified_claims(client, tokens.id_token)
    assert claims["sub"] == DEMO_USER_ID
    assert claims["nonce"] == "the-nonce"
    assert claims["tenant_id"] == DEMO_TENANT_ID
    assert {"sid", "auth_time", "at_hash", "iat"} <= claims.keys()


async def test_access_token_is_a_jwt_of_rfc_9068(client: httpx2.AsyncClient) -> None:
    tokens = await tokens_for(client, parameters())
    claims = await verified_claims(client, tokens.access_token, audience=AUDIENCE)

    assert jwt.get_unverified_header(tokens.access_token)["typ"] == "at+jwt"
    assert claims["client_id"] == CLIENT_ID
    assert claims["tenant_id"] == DEMO_TENANT_ID
    assert claims["scope"] == "openid profile email"
    assert {"jti", "iat", "sub", "auth_time"} <= claims.keys()
    assert not {"nonce", "at_hash"} & claims.keys()


async def test_idtoken_signature(client: httpx2.AsyncClient) -> None:
    tokens = await tokens_for(client, parameters())
    header = jwt.get_unverified_header(tokens.id_token)

    assert header["alg"] == "RS256"
    claims = await verified_claims(client, tokens.id_token)
    algorithm = jwt.get_algorithm_by_name("RS256")
    digest = algorithm.compute_hash_digest(tokens.access_token.encode())
    assert claims["at_hash"] == jwt.utils.base64url_encode(digest[: len(digest) // 2]).decode()


async def test_response_type_missing(client: httpx2.AsyncClient) -> None:
    response = await authorize(client, parameters(response_type=None))

    query = query_of(response.headers["location"])
    assert query["error"] == "invalid_request"
    assert query["state"] == "the-state"
    assert query["iss"] == ISSUER


async def test_userinfo_get(client: httpx2.AsyncClient) -> None:
    tokens = await tokens_for(client, parameters())
    assert (await userinfo(client, tokens.access_token))["sub"] == DEMO_USER_ID


async def test_userinfo_post_header(client: httpx2.AsyncClient) -> None:
    tokens = await tokens_for(client, parameters())
    response = await client.post("/idp/userinfo", headers={"authorization": f"Bearer {tokens.access_token}"})
    assert response.json()["sub"] == DEMO_USER_ID


async def test_userinfo_post_body(client: httpx2.AsyncClient) -> None:
    tokens = await tokens_for(client, parameters())
    response = await client.post("/idp/userinfo", data={"access_token": tokens.access_token})
    assert response.json()["sub"] == DEMO_USER_ID


async def test_ensure_request_without_nonce_succeeds_for_code_flow(client: httpx2.AsyncClient) -> None:
    tokens = await tokens_for(client, parameters(nonce=None))
    assert "nonce" not in await verified_claims(client, tokens.id_token)


PROFILE = {"name", "given_name", "family_name", "preferred_username", "locale", "zoneinfo"}
EMAIL = {"email", "email_verified"}
PHONE = {"phone_number", "phone_number_verified"}


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        pytest.param("openid profile", PROFILE, id="scope-profile"),
        pytest.param("openid email", EMAIL, id="scope-email"),
        pytest.param("openid address", {"address"}, id="scope-address"),
        pytest.param("openid phone", PHONE, id="scope-phone"),
        pytest.param("openid profile email address phone", PROFILE | EMAIL | PHONE | {"address"}, id="scope-all"),
        pytest.param("openid something-unknown", set(), id="unknown-scopes-are-ignored"),
    ],
)
async def test_scopes(client: httpx2.AsyncClient, scope: str, expected: set[str]) -> None:
    tokens = await tokens_for(client, parameters(scope=scope))
    assert (await userinfo(client, tokens.access_token)).keys() == {"sub"} | expected


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param({"display": "page"}, id="display-page"),
        pytest.param({"display": "popup"}, id="display-popup"),
        pytest.param({"ui_locales": "se de"}, id="ui-locales"),
        pytest.param({"claims_locales": "se"}, id="claims-locales"),
        pytest.param({"acr_values": "1 2"}, id="ensure-request-with-acr-values-succeeds"),
        pytest.param({"extra": "foobar"}, id="ensure-request-with-unknown-parameter-succeeds"),
        pytest.param({"claims": '{"userinfo":{"name":{"essential":true}}}'}, id="claims-essential"),
        pytest.param({"response_mode": "query"}, id="response-mode-query"),
    ],
)
async def test_ignores_parameters(client: httpx2.AsyncClient, extra: dict[str, str]) -> None:
    tokens = await tokens_for(client, parameters(**extra))
    assert (await verified_claims(client, tokens.id_token))["sub"] == DEMO_USER_ID


async def test_ensure_post_request_succeeds(client: httpx2.AsyncClient) -> None:
    page = await client.post("/idp/authorize", data=parameters(), headers=HTML)
    response = await submit(client, form_of(page.text))
    assert "code" in query_of(response.headers["location"])


async def test_server_client_secret_post(client: httpx2.AsyncClient) -> None:
    await tokens_for(client, parameters())  # `redeem` sends the secret in the form


async def test_server_client_secret_basic(client: httpx2.AsyncClient) -> None:
    code = query_of((await sign_in(client, parameters())).headers["location"])["code"]
    encoded = [urlencode({"": value})[1:] for value in (CLIENT_ID, CLIENT_SECRET)]
    response = await client.post(
        "/idp/token",
        data={
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": f"{BASE_URL}/api/v1/auth/callback",
            "code_verifier": "v" * 64,
        },
        auth=httpx2.BasicAuth(*encoded),
    )
    assert response.status_code == 200, response.text


async def test_refresh_token(client: httpx2.AsyncClient) -> None:
    first = await tokens_for(client, parameters(scope="openid email offline_access"))
    response = await refresh(client, first.refresh_token)
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    body = response.json()

    before, after = [await verified_claims(client, token) for token in (first.id_token, body["id_token"])]
    assert [after[name] for name in ("iss", "sub", "aud", "auth_time")] == [
        before[name] for name in ("iss", "sub", "aud", "auth_time")
    ]
    assert after["iat"] >= before["iat"]
    assert "nonce" not in after
    assert body["access_token"] != first.access_token
    assert (await userinfo(client, body["access_token"]))["sub"] == before["sub"]
    assert body["refresh_token"] != first.refresh_token
    assert (await refresh(client, body["refresh_token"])).status_code == 200


async def test_ensure_request_with_valid_pkce_succeeds(client: httpx2.AsyncClient) -> None:
    code = query_of((await sign_in(client, parameters())).headers["location"])["code"]
    assert (await redeem(client, code)).status_code == 200
