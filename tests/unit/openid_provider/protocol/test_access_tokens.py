"""The claims of access tokens."""

import dataclasses

import jwt
import pytest

from tenantgate.openid_provider.protocol.access_tokens import AccessGrant, AccessTokens
from tests.fixtures.providers.built_in import AUDIENCE, CLIENT_ID, ISSUER, ProviderInMemory

pytestmark = pytest.mark.anyio

GRANT = AccessGrant(
    user_id="user-1",
    tenant_id="org-1",
    client_id=CLIENT_ID,
    scope="openid orders:read",
    roles=("admin", "clerk"),
    auth_time=1_800_000_000,
    amr=("pwd",),
    issued_at=1_800_000_100,
    expires_at=1_800_000_400,
)


async def issued(grant: AccessGrant) -> str:
    return AccessTokens(ISSUER, AUDIENCE, await ProviderInMemory().signing_keys.ring()).issue(grant, "RS256")


async def test_a_token_has_the_claims_of_its_grant_and_an_id() -> None:
    token = await issued(GRANT)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert len(claims.pop("jti")) >= 16
    assert claims == {
        "iss": ISSUER,
        "sub": "user-1",
        "aud": AUDIENCE,
        "client_id": CLIENT_ID,
        "iat": 1_800_000_100,
        "exp": 1_800_000_400,
        "scope": "openid orders:read",
        "auth_time": 1_800_000_000,
        "amr": ["pwd"],
        "tenant_id": "org-1",
        "roles": ["admin", "clerk"],
    }
    header = jwt.get_unverified_header(token)
    assert (header["typ"], header["alg"]) == ("at+jwt", "RS256")


async def test_a_token_without_roles_has_no_such_claim() -> None:
    claims = jwt.decode(await issued(dataclasses.replace(GRANT, roles=())), options={"verify_signature": False})
    assert "roles" not in claims


async def test_a_request_for_a_refresh_token_is_not_a_scope_of_the_access_token() -> None:
    token = await issued(dataclasses.replace(GRANT, scope="openid offline_access orders:read"))
    assert jwt.decode(token, options={"verify_signature": False})["scope"] == "openid orders:read"


async def test_two_tokens_of_one_grant_have_different_ids() -> None:
    first, second = [jwt.decode(await issued(GRANT), options={"verify_signature": False})["jti"] for _ in range(2)]
    assert first != second
