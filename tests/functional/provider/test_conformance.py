"""The OpenID Foundation's provider modules (basic, config, RP-initiated logout), each a test named after its module.

Left out, because the provider doesn't offer what they test, as its discovery document says: idtoken-unsigned,
refresh-token, and all of back-channel logout. query-added-to-post-logout-redirect-uri presumes URIs that are registered
one by one; here whole origins are.
"""

from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2
import jwt
import pytest

from tenantgate.openid_provider.storage.demo import DEMO_TENANT_ID, DEMO_USER_ID, DEMO_USERNAME
from tests.fixtures.browsers.built_in_provider import (
    HTML,
    authorize,
    form_of,
    parameters,
    redeem,
    replay_cookie,
    sign_in,
    submit,
    tokens_for,
)
from tests.fixtures.providers.built_in import AUDIENCE, CLIENT_ID, CLIENT_SECRET, query_of
from tests.fixtures.providers.built_in_app import BASE_URL, SPA_ORIGIN

pytestmark = pytest.mark.anyio

ISSUER = f"{BASE_URL}/idp"


async def decoded(client: httpx2.AsyncClient, token: str, *, audience: str = CLIENT_ID) -> dict[str, Any]:
    """The claims, verified by another library against the published keys."""
    keys = jwt.PyJWKSet.from_dict((await client.get("/idp/jwks")).json())
    header = jwt.get_unverified_header(token)
    claims: dict[str, Any] = jwt.decode(
        token, keys[header["kid"]], algorithms=["RS256"], audience=audience, issuer=ISSUER, options={"require": ["exp"]}
    )
    return claims


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
    for endpoint in ("authorization", "token", "userinfo", "end_session"):
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

    assert tokens.answer["state"] == "the-state"
    assert tokens.answer["iss"] == ISSUER
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 3600
    assert tokens.response.headers["cache-control"] == "no-store"
    claims = await decoded(client, tokens.id_token)
    assert claims["sub"] == DEMO_USER_ID
    assert claims["nonce"] == "the-nonce"
    assert claims["tenant_id"] == DEMO_TENANT_ID
    assert {"sid", "auth_time", "at_hash", "iat"} <= claims.keys()


async def test_access_token_is_a_jwt_of_rfc_9068(client: httpx2.AsyncClient) -> None:
    tokens = await tokens_for(client, parameters())
    claims = await decoded(client, tokens.access_token, audience=AUDIENCE)

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
    claims = await decoded(client, tokens.id_token)
    algorithm = jwt.get_algorithm_by_name("RS256")
    digest = algorithm.compute_hash_digest(tokens.access_token.encode())
    assert claims["at_hash"] == jwt.utils.base64url_encode(digest[: len(digest) // 2]).decode()


async def test_response_type_missing(client: httpx2.AsyncClient) -> None:
    answer = await authorize(client, parameters(response_type=None))

    query = query_of(answer.headers["location"])
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
    assert "nonce" not in await decoded(client, tokens.id_token)


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
async def test_parameters_that_change_nothing(client: httpx2.AsyncClient, extra: dict[str, str]) -> None:
    tokens = await tokens_for(client, parameters(**extra))
    assert (await decoded(client, tokens.id_token))["sub"] == DEMO_USER_ID


async def test_login_hint(client: httpx2.AsyncClient) -> None:
    page = await authorize(client, parameters(login_hint=DEMO_USERNAME))
    assert form_of(page.text).fields["username"] == DEMO_USERNAME


async def test_prompt_login(client: httpx2.AsyncClient) -> None:
    first = await tokens_for(client, parameters())
    second = await tokens_for(client, parameters(prompt="login"))  # shows the form again, or `sign_in` fails

    before, after = await decoded(client, first.id_token), await decoded(client, second.id_token)
    assert before["sid"] != after["sid"]
    assert before["auth_time"] <= after["auth_time"]


async def test_prompt_none_not_logged_in(client: httpx2.AsyncClient) -> None:
    answer = await authorize(client, parameters(prompt="none"))
    assert query_of(answer.headers["location"])["error"] == "login_required"


async def test_prompt_none_logged_in(client: httpx2.AsyncClient) -> None:
    first = await tokens_for(client, parameters())
    answer = await authorize(client, parameters(prompt="none"))

    response = await redeem(client, query_of(answer.headers["location"])["code"])
    before, after = await decoded(client, first.id_token), await decoded(client, response.json()["id_token"])
    assert [before[name] for name in ("sub", "sid", "auth_time")] == [
        after[name] for name in ("sub", "sid", "auth_time")
    ]


async def test_a_signed_in_browser_is_not_asked_again(client: httpx2.AsyncClient) -> None:
    await sign_in(client, parameters())
    assert "code" in query_of((await authorize(client, parameters())).headers["location"])


async def test_max_age_1(client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await tokens_for(client, parameters())
    signed_in_at = (await decoded(client, first.id_token))["auth_time"]
    monkeypatch.setattr("tenantgate.openid_provider.wiring.time", SimpleNamespace(time=lambda: signed_in_at + 2.0))

    second = await tokens_for(client, parameters(max_age="1"))  # shows the form again, or `sign_in` fails
    claims = jwt.decode(second.id_token, options={"verify_signature": False})
    assert claims["auth_time"] == signed_in_at + 2


async def test_max_age_10000(client: httpx2.AsyncClient) -> None:
    first = await tokens_for(client, parameters())
    answer = await authorize(client, parameters(max_age="10000"))

    response = await redeem(client, query_of(answer.headers["location"])["code"])
    before, after = await decoded(client, first.id_token), await decoded(client, response.json()["id_token"])
    assert before["auth_time"] == after["auth_time"]


async def test_id_token_hint(client: httpx2.AsyncClient) -> None:
    first = await tokens_for(client, parameters())
    answer = await authorize(client, parameters(prompt="none", id_token_hint=first.id_token))
    assert "code" in query_of(answer.headers["location"])


async def test_id_token_hint_of_somebody_else(client: httpx2.AsyncClient) -> None:
    await sign_in(client, parameters())
    foreign = jwt.encode({"iss": ISSUER, "sub": DEMO_USER_ID}, "k" * 32, "HS256")
    answer = await authorize(client, parameters(prompt="none", id_token_hint=foreign))
    assert query_of(answer.headers["location"])["error"] == "login_required"


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("https://elsewhere.example.test/cb", id="other-origin"),
        pytest.param("https://spa.example.test.evil.test/cb", id="suffix"),
        pytest.param("https://spa.example.test@evil.test/cb", id="user-info"),
        pytest.param("https://evil.test\\@spa.example.test/cb", id="backslash"),
        pytest.param("http://spa.example.test/cb", id="other-scheme"),
        pytest.param("https://spa.example.test:444/cb", id="other-port"),
        pytest.param("https://spa.example.test/cb#fragment", id="fragment"),
        pytest.param("javascript:alert(1)", id="javascript"),
        pytest.param("//spa.example.test/cb", id="relative"),
        pytest.param(None, id="missing"),
    ],
)
async def test_ensure_registered_redirect_uri(client: httpx2.AsyncClient, uri: str | None) -> None:
    page = await authorize(client, parameters(redirect_uri=uri))

    assert page.status_code == 400
    assert "location" not in page.headers
    assert page.headers["content-type"].startswith("text/html")
    assert ("AUTH_006" if uri else "AUTH_040") in page.text


async def test_a_redirect_uri_of_an_allowed_origin_is_registered(client: httpx2.AsyncClient) -> None:
    request = parameters(redirect_uri=f"{SPA_ORIGIN}/signed-in?from=idp")
    tokens = await tokens_for(client, request)
    assert tokens.answer["from"] == "idp"


async def test_ensure_post_request_succeeds(client: httpx2.AsyncClient) -> None:
    page = await client.post("/idp/authorize", data=parameters(), headers=HTML)
    answer = await submit(client, form_of(page.text))
    assert "code" in query_of(answer.headers["location"])


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


@pytest.mark.parametrize(
    ("extra", "error"),
    [
        pytest.param(
            {"request_uri": f"{SPA_ORIGIN}/request.jwt"}, "request_uri_not_supported", id="request-uri-unsigned"
        ),
        pytest.param({"request": "eyJhbGciOiJub25lIn0.e30."}, "request_not_supported", id="unsigned-request-object"),
        pytest.param(
            {"request": "eyJhbGciOiJub25lIn0.eyJyZWRpcmVjdF91cmkiOiJodHRwczovL2V2aWwudGVzdC8ifQ."},
            "request_not_supported",
            id="ensure-request-object-with-redirect-uri",
        ),
        pytest.param({"registration": "{}"}, "registration_not_supported", id="registration"),
    ],
)
async def test_request_objects_are_refused(client: httpx2.AsyncClient, extra: dict[str, str], error: str) -> None:
    answer = await authorize(client, parameters(**extra))
    assert answer.headers["location"].startswith(f"{BASE_URL}/api/v1/auth/callback?")
    assert query_of(answer.headers["location"])["error"] == error


async def test_ensure_request_with_valid_pkce_succeeds(client: httpx2.AsyncClient) -> None:
    code = query_of((await sign_in(client, parameters())).headers["location"])["code"]
    assert (await redeem(client, code)).status_code == 200


class TestRpInitiatedLogout:
    """The modules of RP-initiated logout; `only_our_page`: the browser stays here and no redirect happens."""

    async def end_session(self, client: httpx2.AsyncClient, **query: str) -> httpx2.Response:
        return await client.get("/idp/end_session", params=query, headers=HTML)

    def only_our_page(self, response: httpx2.Response, status: int) -> None:
        assert response.status_code == status
        assert "location" not in response.headers
        assert response.headers["content-type"].startswith("text/html")

    async def is_signed_in(self, client: httpx2.AsyncClient) -> bool:
        answer = await authorize(client, parameters(prompt="none"))
        return "code" in query_of(answer.headers["location"])

    async def test_discovery(self, client: httpx2.AsyncClient) -> None:
        metadata = (await client.get("/idp/.well-known/openid-configuration")).json()
        assert metadata["end_session_endpoint"] == f"{ISSUER}/end_session"

    async def test_base(self, client: httpx2.AsyncClient) -> None:
        tokens = await tokens_for(client, parameters())
        response = await self.end_session(
            client, id_token_hint=tokens.id_token, post_logout_redirect_uri=f"{SPA_ORIGIN}/bye", state="x&y"
        )
        assert response.headers["location"] == f"{SPA_ORIGIN}/bye?state=x%26y"
        assert not await self.is_signed_in(client)

    async def test_a_replayed_cookie_is_signed_out_too(self, client: httpx2.AsyncClient) -> None:
        tokens = await tokens_for(client, parameters())
        cookie = client.cookies["__Host-tg_idp"]
        replay_cookie(client, cookie)
        assert await self.is_signed_in(client)
        await self.end_session(client, id_token_hint=tokens.id_token)
        replay_cookie(client, cookie)
        assert not await self.is_signed_in(client)

    async def test_by_post(self, client: httpx2.AsyncClient) -> None:
        tokens = await tokens_for(client, parameters())
        form = {"id_token_hint": tokens.id_token, "post_logout_redirect_uri": f"{SPA_ORIGIN}/bye"}
        response = await client.post("/idp/end_session", data=form, headers=HTML)
        assert response.headers["location"] == f"{SPA_ORIGIN}/bye"
        assert not await self.is_signed_in(client)

    async def test_an_expired_hint_still_signs_out(
        self, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tokens = await tokens_for(client, parameters())
        later = jwt.decode(tokens.id_token, options={"verify_signature": False})["exp"] + 60.0
        monkeypatch.setattr("tenantgate.openid_provider.wiring.time", SimpleNamespace(time=lambda: later))
        await self.end_session(client, id_token_hint=tokens.id_token)
        assert not await self.is_signed_in(client)

    async def test_bad_post_logout_redirect_uri(self, client: httpx2.AsyncClient) -> None:
        tokens = await tokens_for(client, parameters())
        response = await self.end_session(
            client, id_token_hint=tokens.id_token, post_logout_redirect_uri="https://evil.test/"
        )
        self.only_our_page(response, 400)
        assert "AUTH_006" in response.text

    async def test_modified_id_token_hint(self, client: httpx2.AsyncClient) -> None:
        tokens = await tokens_for(client, parameters())
        head, claims, signature = tokens.id_token.split(".")
        changed = ".".join((head, claims, ("B" if signature[0] == "A" else "A") + signature[1:]))
        response = await self.end_session(client, id_token_hint=changed, post_logout_redirect_uri=f"{SPA_ORIGIN}/bye")
        self.only_our_page(response, 400)
        assert await self.is_signed_in(client)

    async def test_bad_id_token_hint(self, client: httpx2.AsyncClient) -> None:
        response = await self.end_session(
            client, id_token_hint="nonsense", post_logout_redirect_uri=f"{SPA_ORIGIN}/bye"
        )
        self.only_our_page(response, 400)

    async def test_an_access_token_is_no_hint(self, client: httpx2.AsyncClient) -> None:
        tokens = await tokens_for(client, parameters())
        self.only_our_page(await self.end_session(client, id_token_hint=tokens.access_token), 400)

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
    async def test_without_a_hint_the_person_is_asked(
        self, client: httpx2.AsyncClient, query: dict[str, str], location: str | None
    ) -> None:
        await sign_in(client, parameters())
        page = await self.end_session(client, **query)
        self.only_our_page(page, 200)
        assert await self.is_signed_in(client)

        form = form_of(page.text)
        confirmed = await client.post(form.action, data=form.fields, headers={**HTML, "sec-fetch-site": "same-origin"})
        assert confirmed.headers.get("location") == location
        assert not await self.is_signed_in(client)

    async def test_no_post_logout_redirect_uri(self, client: httpx2.AsyncClient) -> None:
        tokens = await tokens_for(client, parameters())
        self.only_our_page(await self.end_session(client, id_token_hint=tokens.id_token, state="abc"), 200)
        assert not await self.is_signed_in(client)

    async def test_no_state(self, client: httpx2.AsyncClient) -> None:
        tokens = await tokens_for(client, parameters())
        response = await self.end_session(
            client, id_token_hint=tokens.id_token, post_logout_redirect_uri=f"{SPA_ORIGIN}/bye"
        )
        assert response.headers["location"] == f"{SPA_ORIGIN}/bye"
