"""Refresh tokens from attackers and faulty clients: replayed, concurrent, of another client or tenant, malformed."""

import asyncio

import httpx2
import jwt
import pytest

from tenantgate.openid_provider.models import REFRESH_TOKEN_IDLE_SECONDS, REFRESH_TOKENS
from tests.fixtures.browsers.built_in_provider import parameters, redeem, refresh, revoke, sign_in, tokens_for
from tests.fixtures.providers.built_in import query_of
from tests.fixtures.providers.built_in_app import SetTime, provider_client

pytestmark = pytest.mark.anyio

# Each sign-in shows the form, even if the browser is signed in.
OFFLINE = parameters(scope="openid offline_access", prompt="login")
OTHER = "another-client"


@pytest.fixture
async def token(client: httpx2.AsyncClient) -> str:
    return (await tokens_for(client, OFFLINE)).refresh_token


@pytest.fixture
def other_client(variables: dict[str, str]) -> dict[str, str]:
    return {**variables, "OIDC_CLIENT_ID": OTHER}


def refused(response: httpx2.Response, error: str = "invalid_grant") -> bool:
    return (response.status_code, response.json()["error"]) == (400, error)


async def test_a_replayed_token_ends_the_tokens_of_its_owner_too(client: httpx2.AsyncClient, token: str) -> None:
    owner = (await refresh(client, token)).json()["refresh_token"]
    assert refused(await refresh(client, token))
    assert refused(await refresh(client, owner))


async def test_the_second_of_owner_and_thief_ends_the_family(client: httpx2.AsyncClient, token: str) -> None:
    thief = (await refresh(client, token)).json()["refresh_token"]
    for _ in range(3):
        thief = (await refresh(client, thief)).json()["refresh_token"]
    assert refused(await refresh(client, token)), "the owner"
    assert refused(await refresh(client, thief))


async def test_one_of_several_concurrent_requests_gets_tokens(client: httpx2.AsyncClient) -> None:
    for _ in range(4):
        token = (await tokens_for(client, OFFLINE)).refresh_token
        responses = await asyncio.gather(*(refresh(client, token) for _ in range(8)))
        assert sorted(response.status_code for response in responses) == [200, *[400] * 7]
        [winner] = [response for response in responses if response.status_code == 200]
        assert all(refused(response) for response in responses if response is not winner)
        # The others were a reuse, and one of the nine requests may have been a thief's.
        assert refused(await refresh(client, winner.json()["refresh_token"]))


async def test_a_sign_in_is_not_affected_by_the_end_of_another_one(client: httpx2.AsyncClient, token: str) -> None:
    other = (await tokens_for(client, OFFLINE)).refresh_token
    await refresh(client, token)
    assert refused(await refresh(client, token))
    assert (await refresh(client, other)).status_code == 200


async def test_another_client_can_neither_use_nor_end_it(
    client: httpx2.AsyncClient, token: str, variables: dict[str, str], other_client: dict[str, str]
) -> None:
    latest = (await refresh(client, token)).json()["refresh_token"]
    async with provider_client(other_client) as other:
        for text in (token, latest):
            assert refused(await refresh(other, text, client_id=OTHER))
            assert (await revoke(other, text, client_id=OTHER)).status_code == 200
    async with provider_client(variables) as again:
        assert (await refresh(again, latest)).status_code == 200


async def test_under_another_tenants_id_it_is_not_found(client: httpx2.AsyncClient, token: str) -> None:
    tenant, _, random = token.removeprefix("tgrefresh_").rpartition(".")
    foreign = "org-11111111-0000-4000-8000-000000000000"
    assert tenant != foreign
    forged = f"tgrefresh_{foreign}.{random}"
    assert refused(await refresh(client, forged))
    assert (await revoke(client, forged)).status_code == 200
    assert (await refresh(client, token)).status_code == 200


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("malformed", id="malformed"),
        pytest.param(REFRESH_TOKENS.issue("org-1").text, id="never-issued"),
        pytest.param(f"tgrefresh_'; DROP TABLE sessions; --.{'A' * 43}", id="sql"),
        pytest.param(f"tgrefresh_%00.{'A' * 43}", id="encoded-nul"),
        pytest.param("\x00" * 8, id="nul"),
        pytest.param("A" * 20_000, id="huge"),
    ],
)
async def test_refuses_a_token_that_it_did_not_issue(client: httpx2.AsyncClient, text: str) -> None:
    response = await refresh(client, text)
    assert response.status_code == 400
    assert response.json()["error"] in ("invalid_grant", "invalid_request")
    assert (await revoke(client, text)).status_code in (200, 400)


async def test_an_unused_token_ends_after_a_day(client: httpx2.AsyncClient, set_time: SetTime) -> None:
    tokens = await tokens_for(client, OFFLINE)
    issued_at = jwt.decode(tokens.id_token, options={"verify_signature": False})["iat"]
    set_time(issued_at + REFRESH_TOKEN_IDLE_SECONDS - 1.0)
    latest = (await refresh(client, tokens.refresh_token)).json()["refresh_token"]
    set_time(issued_at + 2.0 * REFRESH_TOKEN_IDLE_SECONDS)
    assert refused(await refresh(client, latest))


async def test_a_scope_is_never_widened(client: httpx2.AsyncClient, token: str) -> None:
    assert refused(await refresh(client, token, scope="openid email"), "invalid_scope")
    assert (await refresh(client, token, scope="openid")).status_code == 200


async def test_a_revoked_family_is_refused_and_others_are_not(client: httpx2.AsyncClient, token: str) -> None:
    other = (await tokens_for(client, OFFLINE)).refresh_token
    latest = (await refresh(client, token)).json()["refresh_token"]
    response = await revoke(client, latest)
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["cache-control"] == "no-store"
    assert refused(await refresh(client, latest))
    assert (await refresh(client, other)).status_code == 200


async def test_a_code_that_is_sent_again_ends_the_tokens_that_it_got(client: httpx2.AsyncClient) -> None:
    code = query_of((await sign_in(client, OFFLINE)).headers["location"])["code"]
    token = (await redeem(client, code)).json()["refresh_token"]
    assert refused(await redeem(client, code))
    assert refused(await refresh(client, token))


@pytest.mark.parametrize("endpoint", ["token", "revoke"])
async def test_the_body_must_be_a_form(client: httpx2.AsyncClient, endpoint: str) -> None:
    response = await client.post(f"/idp/{endpoint}", json={"token": "x", "grant_type": "refresh_token"})
    assert refused(response, "invalid_request")


async def test_no_refresh_token_is_logged(variables: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    async with provider_client({**variables, "LOG_LEVEL": "DEBUG"}) as client:
        token = (await tokens_for(client, OFFLINE)).refresh_token
        latest = (await refresh(client, token)).json()["refresh_token"]
        await refresh(client, token)
        await revoke(client, latest)
    logged = capsys.readouterr().out
    assert "a refresh token was used again" in logged
    assert [text for text in (token, latest) if text in logged or text.rpartition(".")[2] in logged] == []
