"""The token endpoint, in memory and with a clock that the test sets."""

import base64
import hashlib

import jwt
import pytest

from tenantgate.openid_provider.models import SIGNING_ALGORITHMS, SigningAlgorithm
from tenantgate.openid_provider.protocol.requests import Submitted
from tenantgate.openid_provider.storage.demo import DEMO_TENANT_ID, DEMO_USER_ID
from tests.fixtures.providers.built_in import (
    AUDIENCE,
    CLIENT_ID,
    ISSUER,
    ProviderInMemory,
    authorization_request,
    query_of,
    token_request,
)
from tests.fixtures.providers.built_in_flows import authorize, code_of, redeem, sign_in, tokens_for

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("algorithm", SIGNING_ALGORITHMS)
async def test_tokens_are_signed_as_the_client_is_registered(algorithm: SigningAlgorithm) -> None:
    provider = ProviderInMemory(algorithm=algorithm)
    issued = await tokens_for(provider)
    keys = jwt.PyJWKSet.from_dict(await provider.service.jwks())

    for name, audience in (("access_token", AUDIENCE), ("id_token", CLIENT_ID)):
        header = jwt.get_unverified_header(issued[name])
        assert header["alg"] == algorithm
        claims = jwt.decode(
            issued[name],
            keys[header["kid"]],
            algorithms=[algorithm],
            audience=audience,
            issuer=ISSUER,
            options={"verify_exp": False, "verify_iat": False},
        )
        assert claims["sub"] == DEMO_USER_ID
        assert claims["tenant_id"] == DEMO_TENANT_ID
        assert claims["exp"] - claims["iat"] == 3600
    half = hashlib.sha256(issued["access_token"].encode()).digest()[:16]
    assert claims["at_hash"] == base64.urlsafe_b64encode(half).rstrip(b"=").decode()


async def test_a_code_names_its_tenant_and_is_stored_hashed() -> None:
    provider = ProviderInMemory()
    code = query_of((await sign_in(provider)).response.location)["code"]
    assert code.startswith(f"{DEMO_TENANT_ID}.")
    assert list(provider.codes.rows) == [(DEMO_TENANT_ID, hashlib.sha256(code.encode()).digest())]


async def test_a_code_works_for_a_minute() -> None:
    provider = ProviderInMemory()
    early, late = [code_of((await sign_in(provider)).response) for _ in range(2)]
    provider.clock.now += 59
    assert (await redeem(provider, early)).status == 200
    provider.clock.now += 1
    assert (await redeem(provider, late)).status == 400


async def test_auth_time_is_that_of_the_sign_in_and_not_of_the_code() -> None:
    provider = ProviderInMemory()
    signed_in = await sign_in(provider)
    signed_in_at = int(provider.clock.now)
    provider.clock.now += 500
    response = await redeem(provider, code_of(await authorize(provider, cookie=signed_in.cookie)))
    assert response.body is not None
    claims = jwt.decode(str(response.body["id_token"]), options={"verify_signature": False})
    assert (claims["auth_time"], claims["iat"]) == (signed_in_at, signed_in_at + 500)


async def test_an_access_token_is_for_the_audience_of_the_api() -> None:
    provider = ProviderInMemory(audiences=("https://api.example.test",))
    issued = await tokens_for(provider, authorization_request(resource="https://api.example.test"))
    claims = jwt.decode(issued["access_token"], options={"verify_signature": False})
    assert claims["aud"] == "https://api.example.test"


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        pytest.param({"grant_type": None}, 400, "invalid_request", id="no-grant-type"),
        pytest.param({"grant_type": "password"}, 400, "unsupported_grant_type", id="another-grant"),
        pytest.param({"code": None}, 400, "invalid_request", id="no-code"),
        pytest.param({"code": "malformed"}, 400, "invalid_grant", id="malformed-code"),
        pytest.param({"code": "x" * 2049}, 400, "invalid_request", id="oversized-code"),
        pytest.param({"code_verifier": "w" * 64}, 400, "invalid_grant", id="another-verifier"),
        pytest.param({"code_verifier": None}, 400, "invalid_request", id="no-verifier"),
        pytest.param({"client_secret": "wrong"}, 401, "invalid_client", id="wrong-secret"),
        pytest.param({"client_id": "unknown"}, 401, "invalid_client", id="unknown-client"),
    ],
)
async def test_refuses(changes: dict[str, str | None], status: int, error: str) -> None:
    provider = ProviderInMemory()
    response = await redeem(provider, code_of((await sign_in(provider)).response), **changes)
    assert response.body is not None
    assert (response.status, response.body["error"]) == (status, error)


async def test_refuses_a_repeated_parameter() -> None:
    provider = ProviderInMemory()
    submitted = Submitted(token_request("code").values, frozenset({"code"}))
    response = await provider.service.token(submitted, authorization=None)
    assert response.body is not None
    assert (response.status, response.body["error"]) == (400, "invalid_request")


async def test_a_request_that_fails_authentication_does_not_use_the_code_up() -> None:
    provider = ProviderInMemory()
    code = code_of((await sign_in(provider)).response)
    assert (await redeem(provider, code, client_secret="wrong")).status == 401
    assert (await redeem(provider, code)).status == 200
    assert (await redeem(provider, code)).status == 400


@pytest.mark.parametrize(
    ("client_secret", "authorization", "status", "error"),
    [
        pytest.param(None, "Basic !!!", 401, "invalid_client", id="not-base64"),
        pytest.param(None, "Basic bm9jb2xvbg==", 401, "invalid_client", id="no-colon"),
        pytest.param(None, "Bearer x", 401, "invalid_client", id="another-scheme"),
        pytest.param("x", "Basic eDp5", 400, "invalid_request", id="two-methods"),
        pytest.param(None, "Basic eDp5", 400, "invalid_request", id="another-client-id-in-the-form"),
    ],
)
async def test_the_client_authenticates_in_one_way(
    client_secret: str | None, authorization: str, status: int, error: str
) -> None:
    provider = ProviderInMemory()
    submitted = token_request("code", client_secret=client_secret)
    response = await provider.service.token(submitted, authorization=authorization)
    assert response.body is not None
    assert (response.status, response.body["error"]) == (status, error)
