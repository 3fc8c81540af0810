"""Token requests that an attacker or a faulty client sends."""

import asyncio
from collections.abc import Mapping

import httpx2
import jwt
import pytest

from tests.fixtures.browsers.built_in_provider import (
    parameters,
    redeem,
    sign_in,
    tokens_for,
)
from tests.fixtures.providers.built_in import CHALLENGE, CLIENT_ID, CLIENT_SECRET, VERIFIER, query_of
from tests.fixtures.providers.built_in_app import BASE_URL, SPA_ORIGIN, SetTime, provider_client

pytestmark = pytest.mark.anyio

REDIRECT_URI = f"{BASE_URL}/api/v1/auth/callback"
MARKUP = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}"


async def code_for(client: httpx2.AsyncClient, request: Mapping[str, str] | None = None) -> str:
    return query_of((await sign_in(client, request or parameters())).headers["location"])["code"]


@pytest.mark.parametrize(
    ("verifier", "error"),
    [
        pytest.param(None, "invalid_request", id="missing"),
        pytest.param("w" * 64, "invalid_grant", id="another"),
        pytest.param(CHALLENGE, "invalid_grant", id="the-challenge-itself"),
        pytest.param("v" * 42, "invalid_request", id="too-short"),
        pytest.param(VERIFIER + "\n", "invalid_request", id="line-break"),
        pytest.param("ü" * 64, "invalid_request", id="not-ascii"),
    ],
)
async def test_a_wrong_verifier_gets_nothing_and_ends_the_code(
    client: httpx2.AsyncClient, verifier: str | None, error: str
) -> None:
    code = await code_for(client)
    refused = await redeem(client, code, code_verifier=verifier)
    assert (refused.status_code, refused.json()["error"]) == (400, error)
    assert (await redeem(client, code)).json()["error"] == "invalid_grant"


async def test_one_of_several_concurrent_requests_gets_the_code(client: httpx2.AsyncClient) -> None:
    code = await code_for(client)
    responses = await asyncio.gather(*(redeem(client, code) for _ in range(8)))
    assert sorted(response.status_code for response in responses) == [200, *[400] * 7]
    assert {response.json()["error"] for response in responses if response.status_code == 400} == {"invalid_grant"}


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param(f"{SPA_ORIGIN}/cb", id="another-registered-one"),
        pytest.param(f"{REDIRECT_URI}/", id="trailing-slash"),
        pytest.param(f"{REDIRECT_URI}?x=1", id="query-added"),
        pytest.param(None, id="missing"),
    ],
)
async def test_a_code_is_bound_to_its_redirect_uri(client: httpx2.AsyncClient, uri: str | None) -> None:
    response = await redeem(client, await code_for(client), redirect_uri=uri)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")


async def test_a_code_is_bound_to_its_client(client: httpx2.AsyncClient, variables: dict[str, str]) -> None:
    code = await code_for(client)
    async with provider_client({**variables, "OIDC_CLIENT_ID": "another-client"}) as other:
        response = await redeem(other, code, client_id="another-client")
    assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")


async def test_another_client_cannot_use_a_code_up(client: httpx2.AsyncClient, variables: dict[str, str]) -> None:
    code = await code_for(client)
    async with provider_client({**variables, "OIDC_CLIENT_ID": "another-client"}) as other:
        await redeem(other, code, client_id="another-client")
    async with provider_client(variables) as again:
        assert (await redeem(again, code)).status_code == 200


async def test_a_code_ends_after_a_minute(client: httpx2.AsyncClient, set_time: SetTime) -> None:
    tokens = await tokens_for(client, parameters())
    issued_at = jwt.decode(tokens.id_token, options={"verify_signature": False})["iat"]
    set_time(issued_at + 0.0)
    early, late = [await code_for(client, parameters(prompt="login")) for _ in range(2)]

    set_time(issued_at + 59.0)
    assert (await redeem(client, early)).status_code == 200
    set_time(issued_at + 60.0)
    assert (await redeem(client, late)).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("", id="empty"),
        pytest.param("malformed", id="malformed"),
        pytest.param(f"org-3d5b1c86-0c57-4b1a-9d0e-5a3f6e2b7c90.{'A' * 43}", id="never-issued"),
        pytest.param(f"'; DROP TABLE sessions; --.{'A' * 43}", id="sql"),
        pytest.param("\x00" * 8, id="nul"),
        pytest.param("A" * 20_000, id="huge"),
    ],
)
async def test_refuses_a_code_that_it_did_not_issue(client: httpx2.AsyncClient, code: str) -> None:
    response = await redeem(client, code)
    assert response.status_code == 400
    assert response.json()["error"] in ("invalid_grant", "invalid_request")


@pytest.mark.parametrize(
    ("changes", "headers"),
    [
        pytest.param({"client_secret": "wrong"}, {}, id="wrong-secret"),
        pytest.param({"client_secret": None}, {}, id="no-secret"),
        pytest.param({"client_id": "unknown"}, {}, id="unknown-client"),
        pytest.param({"client_secret": None}, {"authorization": "Basic !!!"}, id="basic-not-base64"),
        pytest.param({"client_secret": None}, {"authorization": "Basic /////w=="}, id="basic-not-utf8"),
        pytest.param({"client_secret": None}, {"authorization": "Basic bm9jb2xvbg=="}, id="basic-without-colon"),
        pytest.param({"client_secret": None}, {"authorization": "Bearer x"}, id="another-scheme"),
    ],
)
async def test_the_client_must_authenticate(
    client: httpx2.AsyncClient, changes: dict[str, str | None], headers: dict[str, str]
) -> None:
    code = await code_for(client)
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI, "code_verifier": VERIFIER}
    given = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **changes}
    form |= {name: value for name, value in given.items() if value is not None}
    refused = await client.post("/idp/token", data=form, headers=headers)

    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert refused.headers["www-authenticate"] == 'Basic realm="tenantgate"'
    # Only its client can use a code up.
    assert (await redeem(client, code)).status_code == 200


async def test_two_ways_to_authenticate_are_refused(client: httpx2.AsyncClient) -> None:
    form = {"grant_type": "authorization_code", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    refused = await client.post("/idp/token", data=form, auth=httpx2.BasicAuth(CLIENT_ID, CLIENT_SECRET))
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("form", "error"),
    [
        pytest.param({}, "invalid_request", id="no-grant-type"),
        pytest.param({"grant_type": "password"}, "unsupported_grant_type", id="password"),
        pytest.param({"grant_type": "client_credentials"}, "unsupported_grant_type", id="client-credentials"),
        pytest.param({"grant_type": MARKUP}, "unsupported_grant_type", id="markup"),
        pytest.param({"grant_type": "authorization_code"}, "invalid_request", id="no-code"),
    ],
)
async def test_refuses_unsupported_grants(client: httpx2.AsyncClient, form: dict[str, str], error: str) -> None:
    response = await client.post("/idp/token", data={"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **form})
    assert (response.status_code, response.json()["error"]) == (400, error)
    assert "<script" not in response.text


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        pytest.param(b'{"grant_type":"authorization_code"}', "application/json", id="json"),
        pytest.param(b"grant_type=authorization_code", "", id="no-type"),
        pytest.param(b"a=%ff%fe", "application/x-www-form-urlencoded", id="not-utf8"),
        pytest.param("ä=1".encode(), "application/x-www-form-urlencoded", id="not-ascii"),
        pytest.param(b"&".join(b"a%d=1" % n for n in range(60)), "application/x-www-form-urlencoded", id="60-fields"),
        pytest.param(b"code=a&code=b", "application/x-www-form-urlencoded", id="repeated"),
    ],
)
async def test_refuses_a_malformed_token_request(client: httpx2.AsyncClient, content: bytes, content_type: str) -> None:
    response = await client.post("/idp/token", content=content, headers={"content-type": content_type})
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
