"""Sign-in without a password, and roles and scopes of each persona in its tokens."""

import jwt
import pytest

from tenantgate.openid_provider.endpoints.authorization import SignedIn, SignInNeeded
from tenantgate.openid_provider.errors import SignInFormRefused
from tenantgate.openid_provider.models import TOKEN_LIFETIME_SECONDS, ProtocolResponse, token_lifetime
from tenantgate.openid_provider.storage.demo import PERSONAS
from tenantgate.openid_provider.storage.personas import Persona
from tests.fixtures.providers.built_in import ProviderInMemory, authorization_request, query_of
from tests.fixtures.providers.built_in_flows import authorize, code_of, redeem

pytestmark = pytest.mark.anyio

ADMIN, MEMBER, OUTSIDER = PERSONAS
EVERYTHING = "orders:write openid orders:read unknown"


async def sign_in_as(provider: ProviderInMemory, persona: Persona, scope: str = EVERYTHING) -> SignedIn:
    page = await authorize(provider, authorization_request(scope=scope))
    assert isinstance(page, SignInNeeded)
    assert page.personas == PERSONAS
    return await provider.service.sign_in_as(form_token=page.form_token, persona_id=persona.id, cookie=None)


@pytest.mark.parametrize(
    ("persona", "scope"),
    [
        pytest.param(ADMIN, "openid orders:read orders:write", id="admin"),
        pytest.param(MEMBER, "openid orders:read", id="member"),
        pytest.param(OUTSIDER, "openid orders:read orders:write", id="outsider"),
    ],
)
async def test_a_token_holds_the_personas_roles_and_only_its_scopes(persona: Persona, scope: str) -> None:
    provider = ProviderInMemory()
    response = await redeem(provider, code_of((await sign_in_as(provider, persona)).response))
    assert response.body is not None
    assert response.body["scope"] == scope
    claims = jwt.decode(str(response.body["access_token"]), options={"verify_signature": False})
    assert (claims["sub"], claims["tenant_id"], claims["roles"], claims["scope"]) == (
        persona.id,
        persona.tenant_id,
        list(persona.roles),
        scope,
    )


async def test_a_user_without_any_requested_scope_is_an_error_at_the_client() -> None:
    provider = ProviderInMemory()
    response = (await sign_in_as(provider, MEMBER, scope="orders:write")).response
    given = query_of(response.location)
    assert given["error"] == "invalid_scope"
    assert given["error_description"] == "The user has none of the requested scopes."
    assert "code" not in given
    assert provider.codes.rows == {}


@pytest.mark.parametrize(("persona", "withheld"), [(MEMBER, [["orders:write"]]), (ADMIN, [])])
async def test_scopes_that_a_user_does_not_have_are_logged(
    persona: Persona, withheld: list[list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    await sign_in_as(ProviderInMemory(), persona, scope=EVERYTHING)
    logged = [record for record in caplog.records if record.getMessage().startswith("the user doesn't have")]
    assert [getattr(record, "context", None) for record in logged] == [{"withheld": scopes} for scopes in withheld]


async def test_a_signed_in_member_does_not_get_more_scopes_by_asking_again() -> None:
    provider = ProviderInMemory()
    signed_in = await sign_in_as(provider, MEMBER, scope="openid")
    again = await authorize(provider, authorization_request(scope=EVERYTHING), cookie=signed_in.cookie)
    response = await redeem(provider, code_of(again))
    assert response.body is not None
    assert response.body["scope"] == "openid orders:read"


async def test_a_personas_button_replaces_another_users_session() -> None:
    provider = ProviderInMemory()
    first = await sign_in_as(provider, ADMIN)
    page = await authorize(provider, authorization_request(prompt="login"), cookie=first.cookie)
    assert isinstance(page, SignInNeeded)
    await provider.service.sign_in_as(form_token=page.form_token, persona_id=OUTSIDER.id, cookie=first.cookie)
    assert isinstance(await authorize(provider, cookie=first.cookie), SignInNeeded)
    assert [session.user_id for session in provider.browser_sessions.rows.values()] == [OUTSIDER.id]


@pytest.mark.parametrize(
    "persona_id",
    [
        pytest.param("", id="empty"),
        pytest.param("Demo Admin", id="its-name"),
        pytest.param(f"{ADMIN.id} ", id="trailing-space"),
        pytest.param(ADMIN.id.upper(), id="other-case"),
        pytest.param("00000000-0000-0000-0000-000000000000", id="unknown"),
        pytest.param("x" * 10_000, id="oversized"),
    ],
)
async def test_refuses_an_id_that_no_button_has(persona_id: str) -> None:
    provider = ProviderInMemory()
    page = await authorize(provider)
    assert isinstance(page, SignInNeeded)
    with pytest.raises(SignInFormRefused):
        await provider.service.sign_in_as(form_token=page.form_token, persona_id=persona_id, cookie=None)
    assert provider.browser_sessions.rows == {}


async def test_an_expired_form_signs_no_persona_in() -> None:
    provider = ProviderInMemory()
    page = await authorize(provider)
    assert isinstance(page, SignInNeeded)
    provider.clock.now += 600
    with pytest.raises(SignInFormRefused):
        await provider.service.sign_in_as(form_token=page.form_token, persona_id=ADMIN.id, cookie=None)


async def test_a_deployed_development_stack_offers_and_accepts_no_persona() -> None:
    provider = ProviderInMemory(is_local=False)
    page = await authorize(provider)
    assert isinstance(page, SignInNeeded)
    assert list(page.personas) == []
    with pytest.raises(SignInFormRefused):
        await provider.service.sign_in_as(form_token=page.form_token, persona_id=ADMIN.id, cookie=None)
    refused = await authorize(provider, authorization_request(scope="orders:read"))
    assert isinstance(refused, ProtocolResponse)
    assert query_of(refused.location)["error"] == "invalid_scope"


@pytest.mark.parametrize(
    ("accepted", "lifetime"),
    [(30 * 60, 30 * 60), (TOKEN_LIFETIME_SECONDS, TOKEN_LIFETIME_SECONDS), (24 * 3600, TOKEN_LIFETIME_SECONDS)],
)
async def test_tokens_live_no_longer_than_the_stack_accepts(accepted: int, lifetime: int) -> None:
    provider = ProviderInMemory(token_lifetime_seconds=token_lifetime(accepted))
    response = await redeem(provider, code_of((await sign_in_as(provider, ADMIN)).response))
    assert response.body is not None
    assert response.body["expires_in"] == lifetime
    for name in ("access_token", "id_token"):
        claims = jwt.decode(str(response.body[name]), options={"verify_signature": False})
        assert claims["exp"] - claims["iat"] == lifetime
