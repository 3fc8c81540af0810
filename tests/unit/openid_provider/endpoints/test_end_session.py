"""The end session endpoint, in memory."""

import jwt
import pytest

from tenantgate.errors.access import RedirectNotAllowed
from tenantgate.openid_provider.endpoints.authorization import SignedIn
from tenantgate.openid_provider.endpoints.end_session import SignedOut, SignOutNeedsConsent
from tenantgate.openid_provider.errors import AuthorizationRequestRefused, SignInFormRefused
from tenantgate.openid_provider.models import BROWSER_SESSION_LIFETIME_SECONDS
from tenantgate.openid_provider.protocol.requests import Submitted
from tenantgate.openid_provider.storage.demo import DEMO_USER_ID
from tests.fixtures.providers.built_in import (
    BACKCHANNEL_URI,
    CLIENT_ID,
    ISSUER,
    ProviderInMemory,
    authorization_request,
)
from tests.fixtures.providers.built_in_flows import authorize, code_of, redeem, refresh, sign_in, submit, tokens_for

pytestmark = pytest.mark.anyio

TARGET = "http://localhost:5173/bye"


async def end(
    provider: ProviderInMemory, values: dict[str, str], cookie: str | None = None
) -> SignedOut | SignOutNeedsConsent:
    return await provider.service.end_session(Submitted(values), cookie=cookie)


async def signed_in_with_id_token(provider: ProviderInMemory) -> tuple[SignedIn, str]:
    signed_in = await sign_in(provider)
    response = await redeem(provider, (signed_in.response.location or "").partition("code=")[2].partition("&")[0])
    assert response.body is not None
    return signed_in, str(response.body["id_token"])


async def test_the_sessions_own_hint_ends_it_at_once() -> None:
    provider = ProviderInMemory()
    signed_in, hint = await signed_in_with_id_token(provider)

    assert isinstance(await end(provider, {}, signed_in.cookie), SignOutNeedsConsent)
    assert len(provider.browser_sessions.rows) == 1

    assert await end(provider, {"id_token_hint": hint}, signed_in.cookie) == SignedOut(None)
    assert provider.browser_sessions.rows == {}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"sub": "another-user"}, id="another-user"),
        pytest.param({"sid": "another-session"}, id="another-session"),
        pytest.param({"sid": None}, id="no-session"),
        pytest.param({"sub": None}, id="no-user"),
    ],
)
async def test_a_hint_of_another_session_needs_consent(changes: dict[str, object]) -> None:
    provider = ProviderInMemory()
    signed_in, hint = await signed_in_with_id_token(provider)
    claims = {**jwt.decode(hint, options={"verify_signature": False}), **changes}
    other = (await provider.signing_keys.ring()).sign(claims, algorithm="RS256", typ="JWT")
    values = {"id_token_hint": other, "post_logout_redirect_uri": TARGET}

    page = await end(provider, values, signed_in.cookie)

    assert isinstance(page, SignOutNeedsConsent)
    assert len(provider.browser_sessions.rows) == 1
    assert await provider.service.confirm_sign_out(page.form_token, cookie=signed_in.cookie) == SignedOut(TARGET)


async def test_the_client_learns_of_the_end_by_a_logout_token() -> None:
    provider = ProviderInMemory()
    signed_in, hint = await signed_in_with_id_token(provider)
    await end(provider, {"id_token_hint": hint}, signed_in.cookie)

    [(uri, token)] = provider.deliveries.sent
    assert uri == BACKCHANNEL_URI
    claims = (await provider.signing_keys.ring()).verify(token, typ="logout+jwt")
    assert len(str(claims.pop("jti"))) >= 16
    now = int(provider.clock.now)
    assert claims == {
        "iss": ISSUER,
        "sub": DEMO_USER_ID,
        "aud": CLIENT_ID,
        "iat": now,
        "exp": now + 120,
        "sid": jwt.decode(hint, options={"verify_signature": False})["sid"],
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
    }


async def test_the_confirmed_form_sends_a_logout_token_once() -> None:
    provider = ProviderInMemory()
    signed_in = await sign_in(provider)
    page = await end(provider, {}, signed_in.cookie)
    assert isinstance(page, SignOutNeedsConsent)
    assert provider.deliveries.sent == []
    for _ in range(2):
        await provider.service.confirm_sign_out(page.form_token, cookie=signed_in.cookie)
    assert len(provider.deliveries.sent) == 1


async def test_a_session_that_has_expired_or_is_unknown_sends_no_logout_token() -> None:
    """Any site can make a browser send this request, and no user confirmed it."""
    provider = ProviderInMemory()
    signed_in = await sign_in(provider)
    provider.clock.now += BROWSER_SESSION_LIFETIME_SECONDS
    for cookie in (signed_in.cookie, "malformed", None):
        assert await end(provider, {}, cookie) == SignedOut(None)
    assert provider.deliveries.sent == []


async def test_a_sign_out_ends_the_refresh_tokens_and_codes_of_its_session_only() -> None:
    provider = ProviderInMemory()
    offline = authorization_request(scope="openid offline_access")
    other = await tokens_for(provider, offline)
    signed_in = await sign_in(provider, offline)
    body = (await redeem(provider, code_of(signed_in.response))).body or {}
    code = code_of(await authorize(provider, offline, cookie=signed_in.cookie))

    await end(provider, {"id_token_hint": str(body["id_token"])}, signed_in.cookie)

    assert (await refresh(provider, str(body["refresh_token"]))).status == 400
    assert (await redeem(provider, code)).status == 400
    assert (await refresh(provider, other["refresh_token"])).status == 200


async def test_a_hint_of_the_session_before_needs_consent() -> None:
    provider = ProviderInMemory()
    _, old = await signed_in_with_id_token(provider)
    signed_in = await sign_in(provider)
    assert isinstance(await end(provider, {"id_token_hint": old}, signed_in.cookie), SignOutNeedsConsent)
    # Without a session there is nothing that a link could end.
    assert await end(provider, {"id_token_hint": old}) == SignedOut(None)


async def test_a_browser_that_is_not_signed_in_needs_no_consent() -> None:
    assert await end(ProviderInMemory(), {}) == SignedOut(None)


async def test_the_user_confirms_and_returns_to_the_client() -> None:
    provider = ProviderInMemory()
    signed_in = await sign_in(provider)
    page = await end(provider, {"client_id": CLIENT_ID, "post_logout_redirect_uri": TARGET}, signed_in.cookie)
    assert isinstance(page, SignOutNeedsConsent)
    assert await provider.service.confirm_sign_out(page.form_token, cookie=signed_in.cookie) == SignedOut(TARGET)
    assert provider.browser_sessions.rows == {}


async def test_the_sign_in_form_confirms_no_sign_out() -> None:
    provider = ProviderInMemory()
    page = await authorize(provider)
    with pytest.raises(SignInFormRefused):
        await provider.service.confirm_sign_out(getattr(page, "form_token", ""), cookie=None)


async def test_the_sign_out_form_confirms_no_sign_in() -> None:
    provider = ProviderInMemory()
    page = await end(provider, {}, (await sign_in(provider)).cookie)
    assert isinstance(page, SignOutNeedsConsent)
    with pytest.raises(SignInFormRefused):
        await submit(provider, page.form_token)


async def test_a_hint_issued_to_another_client_is_refused() -> None:
    provider = ProviderInMemory()
    ring = await provider.signing_keys.ring()
    foreign = ring.sign({"iss": ISSUER, "aud": "another", "sub": DEMO_USER_ID}, algorithm="RS256", typ="JWT")
    with pytest.raises(AuthorizationRequestRefused):
        await end(provider, {"id_token_hint": foreign})


@pytest.mark.parametrize(
    ("values", "location"),
    [
        pytest.param({"client_id": CLIENT_ID, "post_logout_redirect_uri": TARGET}, TARGET, id="client"),
        pytest.param(
            {"client_id": CLIENT_ID, "post_logout_redirect_uri": TARGET, "state": "a&b"},
            f"{TARGET}?state=a%26b",
            id="state",
        ),
        pytest.param({"post_logout_redirect_uri": TARGET}, None, id="no-client"),
        pytest.param({"client_id": CLIENT_ID, "state": "x"}, None, id="no-uri"),
    ],
)
async def test_redirects_to_a_registered_uri_of_a_known_client(values: dict[str, str], location: str | None) -> None:
    assert await end(ProviderInMemory(), values) == SignedOut(location)


@pytest.mark.parametrize(
    ("values", "error"),
    [
        pytest.param({"client_id": "unknown"}, AuthorizationRequestRefused, id="unknown-client"),
        pytest.param({"id_token_hint": "malformed"}, AuthorizationRequestRefused, id="malformed-hint"),
        pytest.param({"state": "x" * 2049}, AuthorizationRequestRefused, id="oversized"),
        pytest.param(
            {"client_id": CLIENT_ID, "post_logout_redirect_uri": "https://evil.test/"}, RedirectNotAllowed, id="uri"
        ),
    ],
)
async def test_an_invalid_request_ends_nothing(values: dict[str, str], error: type[Exception]) -> None:
    provider = ProviderInMemory()
    signed_in = await sign_in(provider)
    with pytest.raises(error):
        await end(provider, values, signed_in.cookie)
    assert len(provider.browser_sessions.rows) == 1
