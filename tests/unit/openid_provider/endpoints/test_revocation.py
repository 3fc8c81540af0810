"""The revocation endpoint, in memory (RFC 7009)."""

import pytest

from tenantgate.openid_provider.models import REFRESH_TOKENS, ProtocolResponse
from tenantgate.openid_provider.protocol.requests import Submitted
from tests.fixtures.providers.built_in import CLIENT_ID, CLIENT_SECRET, ProviderInMemory, authorization_request
from tests.fixtures.providers.built_in_flows import refresh, tokens_for

pytestmark = pytest.mark.anyio

OFFLINE = authorization_request(scope="openid offline_access")


async def revoke(
    provider: ProviderInMemory, token: str | None, *, repeated: frozenset[str] = frozenset(), **changes: str | None
) -> ProtocolResponse:
    values = {"token": token, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **changes}
    submitted = Submitted({name: value for name, value in values.items() if value is not None}, repeated)
    return await provider.service.revoke(submitted, authorization=None)


@pytest.mark.parametrize("hint", [None, "refresh_token", "access_token", "something-unknown"])
async def test_a_refresh_token_is_revoked_with_any_hint(hint: str | None) -> None:
    provider = ProviderInMemory()
    token = (await tokens_for(provider, OFFLINE))["refresh_token"]
    assert await revoke(provider, token, token_type_hint=hint) == ProtocolResponse(200)
    assert (await refresh(provider, token)).status == 400
    # A second time it is unknown, which is not an error (§2.2).
    assert await revoke(provider, token) == ProtocolResponse(200)


async def test_an_earlier_token_revokes_its_family() -> None:
    provider = ProviderInMemory()
    first = (await tokens_for(provider, OFFLINE))["refresh_token"]
    latest = ((await refresh(provider, first)).body or {})["refresh_token"]
    await revoke(provider, first)
    assert (await refresh(provider, str(latest))).status == 400


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("malformed", id="malformed"),
        pytest.param(REFRESH_TOKENS.issue("org-1").text, id="never-issued"),
        pytest.param("eyJhbGciOiJub25lIn0.e30.", id="unsigned-jwt"),
    ],
)
async def test_an_unknown_token_is_not_an_error(token: str) -> None:
    assert await revoke(ProviderInMemory(), token) == ProtocolResponse(200)


async def test_an_access_token_cannot_be_revoked_and_the_client_learns_so() -> None:
    provider = ProviderInMemory()
    issued = await tokens_for(provider, OFFLINE)
    response = await revoke(provider, issued["access_token"])
    assert (response.status, (response.body or {})["error"]) == (400, "unsupported_token_type")
    assert await revoke(provider, issued["id_token"]) == ProtocolResponse(200)
    assert (await refresh(provider, issued["refresh_token"])).status == 200


@pytest.mark.parametrize(
    ("changes", "repeated", "status", "error"),
    [
        pytest.param({"client_secret": "wrong"}, (), 401, "invalid_client", id="wrong-secret"),
        pytest.param({"client_secret": None}, (), 401, "invalid_client", id="no-secret"),
        pytest.param({"client_id": "unknown"}, (), 401, "invalid_client", id="unknown-client"),
        pytest.param({"token": None}, (), 400, "invalid_request", id="no-token"),
        pytest.param({"token": "x" * 2049}, (), 400, "invalid_request", id="oversized"),
        pytest.param({}, ("token",), 400, "invalid_request", id="repeated"),
    ],
)
async def test_a_request_that_is_refused_revokes_nothing(
    changes: dict[str, str | None], repeated: tuple[str, ...], status: int, error: str
) -> None:
    provider = ProviderInMemory()
    token = (await tokens_for(provider, OFFLINE))["refresh_token"]
    sent: dict[str, str | None] = {"token": token, **changes}
    response = await revoke(provider, sent.pop("token"), repeated=frozenset(repeated), **sent)
    assert (response.status, (response.body or {})["error"]) == (status, error)
    assert (await refresh(provider, token)).status == 200
