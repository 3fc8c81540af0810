"""The token endpoint with refresh tokens, in memory and with a clock that the test sets."""

import asyncio
from dataclasses import replace
from typing import Any

import jwt
import pytest

from tenantgate.openid_provider.models import REFRESH_TOKENS, ProtocolResponse
from tenantgate.openid_provider.protocol.requests import Submitted
from tenantgate.openid_provider.storage.demo import DEMO_TENANT_ID, DEMO_USER_ID
from tests.fixtures.providers.built_in import ISSUER, ProviderInMemory, authorization_request, refresh_request
from tests.fixtures.providers.built_in_flows import code_of, redeem, refresh, sign_in, tokens_for

pytestmark = pytest.mark.anyio

OFFLINE = authorization_request(scope="openid email offline_access")


def claims_of(token: object) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(str(token), options={"verify_signature": False})
    return claims


def error_of(response: ProtocolResponse) -> tuple[int, object]:
    return response.status, (response.body or {}).get("error")


async def body_of(provider: ProviderInMemory, refresh_token: str, **changes: str | None) -> dict[str, str]:
    response = await refresh(provider, refresh_token, **changes)
    assert response.status == 200, response.body
    return {name: str(value) for name, value in (response.body or {}).items()}


async def test_only_the_scope_offline_access_gets_a_refresh_token() -> None:
    provider = ProviderInMemory()
    assert "refresh_token" not in await tokens_for(provider)
    assert provider.refresh_tokens.rows == {}
    issued = await tokens_for(provider, OFFLINE)
    assert issued["refresh_token"].startswith(f"tgrefresh_{DEMO_TENANT_ID}.")
    assert issued["scope"] == "openid email offline_access"
    assert claims_of(issued["access_token"])["scope"] == "openid email"


async def test_a_refreshed_id_token_is_that_of_the_sign_in_without_its_nonce() -> None:
    provider = ProviderInMemory()
    first = await tokens_for(provider, OFFLINE)
    before = claims_of(first["id_token"])
    provider.clock.now += 3000
    refreshed = await body_of(provider, first["refresh_token"])
    after = claims_of(refreshed["id_token"])

    changing = {"iat", "exp", "at_hash", "nonce"}
    kept = {name: value for name, value in before.items() if name not in changing}
    assert {name: value for name, value in after.items() if name not in changing} == kept
    assert {"iss", "sub", "aud", "auth_time", "sid", "amr", "tenant_id"} <= kept.keys()
    assert "nonce" in before
    assert "nonce" not in after
    assert after["iat"] == before["iat"] + 3000


async def test_a_refreshed_access_token_is_for_the_same_user_tenant_and_sign_in() -> None:
    provider = ProviderInMemory()
    first = await tokens_for(provider, OFFLINE)
    provider.clock.now += 3000
    before, after = (
        claims_of(first["access_token"]),
        claims_of((await body_of(provider, first["refresh_token"]))["access_token"]),
    )
    same = ("iss", "sub", "aud", "client_id", "scope", "auth_time", "amr", "tenant_id", "roles")
    assert {name: after.get(name) for name in same} == {name: before.get(name) for name in same}
    assert after["jti"] != before["jti"]
    assert (after["iat"], after["exp"]) == (before["iat"] + 3000, before["exp"] + 3000)
    assert (after["iss"], after["sub"]) == (ISSUER, DEMO_USER_ID)


async def test_each_use_replaces_the_token() -> None:
    provider = ProviderInMemory()
    seen = [(await tokens_for(provider, OFFLINE))["refresh_token"]]
    for _ in range(3):
        seen.append((await body_of(provider, seen[-1]))["refresh_token"])
    assert len(set(seen)) == 4
    assert error_of(await refresh(provider, seen[0])) == (400, "invalid_grant")
    assert error_of(await refresh(provider, seen[-1])) == (400, "invalid_grant")


async def test_a_scope_may_be_narrowed_for_one_access_token() -> None:
    provider = ProviderInMemory()
    first = await tokens_for(provider, OFFLINE)
    narrowed = await body_of(provider, first["refresh_token"], scope="openid")
    assert narrowed["scope"] == "openid"
    assert claims_of(narrowed["access_token"])["scope"] == "openid"
    assert "email" not in claims_of(narrowed["id_token"])
    # The refresh token itself keeps its scope (RFC 6749 §6).
    assert (await body_of(provider, narrowed["refresh_token"]))["scope"] == "openid email offline_access"


async def test_a_refresh_without_openid_gets_no_id_token() -> None:
    provider = ProviderInMemory()
    first = await tokens_for(provider, OFFLINE)
    assert "id_token" not in await body_of(provider, first["refresh_token"], scope="email")


@pytest.mark.parametrize("scope", ["openid email phone", "orders:read", "unknown"])
async def test_a_scope_is_never_widened_and_asking_uses_nothing_up(scope: str) -> None:
    provider = ProviderInMemory()
    token = (await tokens_for(provider, OFFLINE))["refresh_token"]
    assert error_of(await refresh(provider, token, scope=scope)) == (400, "invalid_scope")
    assert (await refresh(provider, token)).status == 200


async def test_a_scope_that_the_user_has_lost_is_not_granted_again() -> None:
    provider = ProviderInMemory()
    token = (await tokens_for(provider, OFFLINE))["refresh_token"]
    [family] = provider.refresh_tokens.rows.values()
    provider.refresh_tokens.rows[family.family_id] = replace(family, scope=f"{family.scope} lost:scope")
    assert (await body_of(provider, token))["scope"] == "openid email offline_access"


async def test_a_user_who_no_longer_exists_gets_nothing() -> None:
    provider = ProviderInMemory()
    token = (await tokens_for(provider, OFFLINE))["refresh_token"]
    [family] = provider.refresh_tokens.rows.values()
    provider.refresh_tokens.rows[family.family_id] = replace(family, user_id="00000000-0000-4000-8000-000000000000")
    assert error_of(await refresh(provider, token)) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        pytest.param({"refresh_token": None}, 400, "invalid_request", id="missing"),
        pytest.param({"refresh_token": "malformed"}, 400, "invalid_grant", id="malformed"),
        pytest.param({"refresh_token": REFRESH_TOKENS.issue("org-1").text}, 400, "invalid_grant", id="never-issued"),
        pytest.param({"refresh_token": "x" * 2049}, 400, "invalid_request", id="oversized"),
        pytest.param({"client_secret": "wrong"}, 401, "invalid_client", id="wrong-secret"),
        pytest.param({"client_id": "unknown"}, 401, "invalid_client", id="unknown-client"),
        pytest.param({"scope": " "}, 400, "invalid_scope", id="empty-scope"),
    ],
)
async def test_a_request_that_is_refused_does_not_use_the_token_up(
    changes: dict[str, str | None], status: int, error: str
) -> None:
    provider = ProviderInMemory()
    token = (await tokens_for(provider, OFFLINE))["refresh_token"]
    assert error_of(await refresh(provider, token, **changes)) == (status, error)
    assert (await refresh(provider, token)).status == 200


async def test_a_repeated_parameter_is_refused() -> None:
    provider = ProviderInMemory()
    token = (await tokens_for(provider, OFFLINE))["refresh_token"]
    submitted = Submitted(refresh_request(token).values, frozenset({"refresh_token"}))
    assert error_of(await provider.service.token(submitted, authorization=None)) == (400, "invalid_request")


async def test_a_code_that_is_sent_again_ends_its_refresh_tokens() -> None:
    """RFC 6749 §4.1.2: the first of the two requests may have been an attacker's."""
    provider = ProviderInMemory()
    code = code_of((await sign_in(provider, OFFLINE)).response)
    issued = (await redeem(provider, code)).body or {}
    other = (await tokens_for(provider, OFFLINE))["refresh_token"]
    assert error_of(await redeem(provider, code)) == (400, "invalid_grant")
    assert error_of(await refresh(provider, str(issued["refresh_token"]))) == (400, "invalid_grant")
    assert (await refresh(provider, other)).status == 200


async def test_of_concurrent_requests_with_one_code_no_refresh_token_survives() -> None:
    provider = ProviderInMemory()
    code = code_of((await sign_in(provider, OFFLINE)).response)
    responses = await asyncio.gather(*(redeem(provider, code) for _ in range(8)))
    issued = [str(response.body["refresh_token"]) for response in responses if response.status == 200 and response.body]
    assert len(issued) <= 1
    assert provider.refresh_tokens.rows == {}


async def test_the_credentials_of_one_grant_are_not_those_of_the_other() -> None:
    provider = ProviderInMemory()
    code = code_of((await sign_in(provider, OFFLINE)).response)
    assert error_of(await refresh(provider, code)) == (400, "invalid_grant")
    issued = (await redeem(provider, code)).body or {}
    token = str(issued["refresh_token"])
    assert error_of(await redeem(provider, token)) == (400, "invalid_grant")
    assert (await refresh(provider, token)).status == 200
