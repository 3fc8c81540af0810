"""The userinfo endpoint, in memory and with a clock that the test sets."""

import pytest

from tenantgate.openid_provider.storage.demo import DEMO_CLAIMS, DEMO_USER_ID
from tests.fixtures.providers.built_in import AUDIENCE, ISSUER, ProviderInMemory, authorization_request
from tests.fixtures.providers.built_in_flows import tokens_for

pytestmark = pytest.mark.anyio


async def userinfo(provider: ProviderInMemory, token: str) -> tuple[int, str]:
    """Return the status and the challenge."""
    response = await provider.service.userinfo(authorization=f"Bearer {token}", posted_token=None)
    return response.status, response.headers.get("WWW-Authenticate", "")


async def test_returns_the_claims_of_the_scopes() -> None:
    provider = ProviderInMemory()
    token = (await tokens_for(provider, authorization_request(scope="openid email")))["access_token"]
    for authorization, posted in ((f"bearer {token}", None), (None, token)):
        response = await provider.service.userinfo(authorization=authorization, posted_token=posted)
        assert response.body == {
            "sub": DEMO_USER_ID,
            "email": DEMO_CLAIMS["email"],
            "email_verified": DEMO_CLAIMS["email_verified"],
        }


@pytest.mark.parametrize("authorization", [None, "Basic eDp5", ""])
async def test_a_request_without_a_token_gets_no_error_code(authorization: str | None) -> None:
    """RFC 6750 §3.1."""
    response = await ProviderInMemory().service.userinfo(authorization=authorization, posted_token=None)
    assert (response.status, response.body) == (401, None)
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="tenantgate"'


async def test_two_ways_to_send_a_token_are_refused() -> None:
    response = await ProviderInMemory().service.userinfo(authorization="Bearer x", posted_token="x")
    assert response.body is not None
    assert (response.status, response.body["error"]) == (400, "invalid_request")


async def test_an_id_token_is_refused() -> None:
    provider = ProviderInMemory()
    status, challenge = await userinfo(provider, (await tokens_for(provider))["id_token"])
    assert (status, 'error="invalid_token"' in challenge) == (401, True)


async def test_an_expired_token_is_refused() -> None:
    provider = ProviderInMemory()
    token = (await tokens_for(provider))["access_token"]
    provider.clock.now += 3599
    assert (await userinfo(provider, token))[0] == 200
    provider.clock.now += 2
    assert (await userinfo(provider, token))[0] == 401


async def test_the_scope_openid_is_required() -> None:
    provider = ProviderInMemory()
    token = (await tokens_for(provider, authorization_request(scope="profile")))["access_token"]
    status, challenge = await userinfo(provider, token)
    assert (status, 'error="insufficient_scope"' in challenge) == (403, True)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        pytest.param({}, 200, id="good"),
        pytest.param({"iss": "https://other.test"}, 401, id="another-issuer"),
        pytest.param({"aud": "another"}, 401, id="another-audience"),
        pytest.param({"sub": "another"}, 401, id="unknown-user"),
        pytest.param({"scope": None}, 401, id="no-scope"),
        pytest.param({"exp": None}, 401, id="no-expiry"),
        pytest.param({"sub": None}, 401, id="no-subject"),
    ],
)
async def test_checks_the_claims_of_a_token_it_signed(changes: dict[str, object], status: int) -> None:
    provider = ProviderInMemory()
    claims = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": DEMO_USER_ID, "scope": "openid", "exp": int(provider.clock()) + 60,
        **changes,
    }  # fmt: skip
    ring = await provider.signing_keys.ring()
    present = {name: value for name, value in claims.items() if value is not None}
    token = ring.sign(present, algorithm="RS256", typ="at+jwt")
    assert (await userinfo(provider, token))[0] == status
