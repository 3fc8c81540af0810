"""The OpenID Foundation's basic modules on signing in again, hints, redirect URIs and request objects.

Each is a test named after its module.
"""

import httpx2
import jwt
import pytest

from tenantgate.openid_provider.storage.demo import DEMO_USER_ID, DEMO_USERNAME
from tests.fixtures.browsers.built_in_provider import (
    authorize,
    form_of,
    parameters,
    redeem,
    sign_in,
    tokens_for,
    verified_claims,
)
from tests.fixtures.providers.built_in import query_of
from tests.fixtures.providers.built_in_app import BASE_URL, SPA_ORIGIN, SetTime

pytestmark = pytest.mark.anyio

ISSUER = f"{BASE_URL}/idp"


async def test_login_hint(client: httpx2.AsyncClient) -> None:
    page = await authorize(client, parameters(login_hint=DEMO_USERNAME))
    assert form_of(page.text).fields["username"] == DEMO_USERNAME


async def test_prompt_login(client: httpx2.AsyncClient) -> None:
    first = await tokens_for(client, parameters())
    second = await tokens_for(client, parameters(prompt="login"))  # fails unless the form is shown again

    before, after = await verified_claims(client, first.id_token), await verified_claims(client, second.id_token)
    assert before["sid"] != after["sid"]
    assert before["auth_time"] <= after["auth_time"]


async def test_prompt_none_not_logged_in(client: httpx2.AsyncClient) -> None:
    response = await authorize(client, parameters(prompt="none"))
    assert query_of(response.headers["location"])["error"] == "login_required"


async def test_prompt_none_logged_in(client: httpx2.AsyncClient) -> None:
    first = await tokens_for(client, parameters())
    response = await authorize(client, parameters(prompt="none"))

    response = await redeem(client, query_of(response.headers["location"])["code"])
    before, after = (
        await verified_claims(client, first.id_token),
        await verified_claims(client, response.json()["id_token"]),
    )
    assert [before[name] for name in ("sub", "sid", "auth_time")] == [
        after[name] for name in ("sub", "sid", "auth_time")
    ]


async def test_a_signed_in_browser_gets_no_form(client: httpx2.AsyncClient) -> None:
    await sign_in(client, parameters())
    assert "code" in query_of((await authorize(client, parameters())).headers["location"])


async def test_max_age_1(client: httpx2.AsyncClient, set_time: SetTime) -> None:
    first = await tokens_for(client, parameters())
    signed_in_at = (await verified_claims(client, first.id_token))["auth_time"]
    set_time(signed_in_at + 2.0)

    second = await tokens_for(client, parameters(max_age="1"))  # fails unless the form is shown again
    claims = jwt.decode(second.id_token, options={"verify_signature": False})
    assert claims["auth_time"] == signed_in_at + 2


async def test_max_age_10000(client: httpx2.AsyncClient) -> None:
    first = await tokens_for(client, parameters())
    response = await authorize(client, parameters(max_age="10000"))

    response = await redeem(client, query_of(response.headers["location"])["code"])
    before, after = (
        await verified_claims(client, first.id_token),
        await verified_claims(client, response.json()["id_token"]),
    )
    assert before["auth_time"] == after["auth_time"]


async def test_id_token_hint(client: httpx2.AsyncClient) -> None:
    first = await tokens_for(client, parameters())
    response = await authorize(client, parameters(prompt="none", id_token_hint=first.id_token))
    assert "code" in query_of(response.headers["location"])


async def test_id_token_hint_of_another_issuer(client: httpx2.AsyncClient) -> None:
    await sign_in(client, parameters())
    foreign = jwt.encode({"iss": ISSUER, "sub": DEMO_USER_ID}, "k" * 32, "HS256")
    response = await authorize(client, parameters(prompt="none", id_token_hint=foreign))
    assert query_of(response.headers["location"])["error"] == "login_required"


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
    assert tokens.redirect["from"] == "idp"


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
    response = await authorize(client, parameters(**extra))
    assert response.headers["location"].startswith(f"{BASE_URL}/api/v1/auth/callback?")
    assert query_of(response.headers["location"])["error"] == error
