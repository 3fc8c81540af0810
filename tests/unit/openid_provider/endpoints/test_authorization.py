"""The authorization endpoint and its sign-in form, in memory and with a clock that the test sets."""

import pytest

from tenantgate.errors.access import RedirectNotAllowed
from tenantgate.openid_provider.endpoints.authorization import SignedIn, SignInNeeded
from tenantgate.openid_provider.errors import AuthorizationRequestRefused, SignInFormRefused
from tenantgate.openid_provider.models import ProtocolResponse
from tenantgate.openid_provider.protocol.requests import Submitted
from tests.fixtures.providers.built_in import ISSUER, ProviderInMemory, authorization_request, query_of
from tests.fixtures.providers.built_in_flows import authorize, sign_in, submit, tokens_for

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("changes", "elapsed", "shows_the_form"),
    [
        pytest.param({}, 0, False, id="plain"),
        pytest.param({"prompt": "login"}, 0, True, id="prompt-login"),
        pytest.param({"prompt": "consent"}, 0, True, id="prompt-consent"),
        pytest.param({"prompt": "select_account"}, 0, True, id="prompt-select-account"),
        pytest.param({"max_age": "0"}, 0, True, id="max-age-0"),
        pytest.param({"max_age": "1"}, 1, False, id="max-age-1-just"),
        pytest.param({"max_age": "1"}, 2, True, id="max-age-1"),
        pytest.param({"max_age": "10000"}, 9999, False, id="max-age-10000"),
        pytest.param({"id_token_hint": "malformed"}, 0, True, id="malformed-hint"),
        pytest.param({}, 8 * 3600 - 1, False, id="just-before-the-session-ends"),
        pytest.param({}, 8 * 3600, True, id="the-session-ends-this-instant"),
    ],
)
async def test_shows_the_form_to_a_signed_in_browser_only_if_it_must(
    changes: dict[str, str], elapsed: int, shows_the_form: bool
) -> None:
    provider = ProviderInMemory()
    signed_in = await sign_in(provider)
    provider.clock.now += elapsed
    response = await authorize(provider, authorization_request(**changes), cookie=signed_in.cookie)
    assert isinstance(response, SignInNeeded) is shows_the_form


async def test_accepts_the_hint_of_the_signed_in_user() -> None:
    provider = ProviderInMemory()
    hint = (await tokens_for(provider))["id_token"]
    signed_in = await sign_in(provider)
    response = await authorize(provider, authorization_request(id_token_hint=hint), cookie=signed_in.cookie)
    assert isinstance(response, ProtocolResponse)


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        pytest.param(authorization_request(client_id="unknown"), AuthorizationRequestRefused, id="unknown-client"),
        pytest.param(authorization_request(client_id=None), AuthorizationRequestRefused, id="no-client"),
        pytest.param(authorization_request(redirect_uri=None), AuthorizationRequestRefused, id="no-redirect-uri"),
        pytest.param(authorization_request(redirect_uri="https://evil.test/"), RedirectNotAllowed, id="not-allowed"),
        pytest.param(
            Submitted(authorization_request().values, frozenset({"redirect_uri"})),
            AuthorizationRequestRefused,
            id="given-twice",
        ),
    ],
)
async def test_redirects_nowhere_before_the_redirect_uri_is_trusted(
    request_: Submitted, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await authorize(ProviderInMemory(), request_)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"prompt": "none"}, "login_required", id="not-signed-in"),
        pytest.param({"prompt": "none", "scope": "profile"}, "login_required", id="not-signed-in-without-openid"),
        pytest.param({"response_type": None}, "invalid_request", id="no-response-type"),
        pytest.param({"response_type": "token"}, "unsupported_response_type", id="implicit"),
        pytest.param({"code_challenge": None}, "invalid_request", id="no-challenge"),
        pytest.param({"code_challenge_method": None}, "invalid_request", id="plain-challenge"),
        pytest.param({"code_challenge": "short"}, "invalid_request", id="short-challenge"),
        pytest.param({"scope": "unknown"}, "invalid_scope", id="unknown-scope"),
        pytest.param({"request": "x"}, "request_not_supported", id="request-object"),
    ],
)
async def test_sends_other_errors_to_the_client(changes: dict[str, str | None], error: str) -> None:
    response = await authorize(ProviderInMemory(), authorization_request(**changes))
    assert isinstance(response, ProtocolResponse)
    query = query_of(response.location)
    assert (query["error"], query["state"], query["iss"]) == (error, "the-state", ISSUER)


async def test_an_oversized_state_is_not_sent_back() -> None:
    response = await authorize(ProviderInMemory(), authorization_request(state="x" * 2049))
    assert isinstance(response, ProtocolResponse)
    assert "state" not in query_of(response.location)


async def test_a_form_works_for_ten_minutes() -> None:
    provider = ProviderInMemory()
    page = await authorize(provider)
    assert isinstance(page, SignInNeeded)
    provider.clock.now += 599
    assert isinstance(await submit(provider, page.form_token), SignedIn)
    provider.clock.now += 1
    with pytest.raises(SignInFormRefused):
        await submit(provider, page.form_token)


async def test_a_wrong_password_shows_the_form_again() -> None:
    provider = ProviderInMemory()
    page = await authorize(provider)
    assert isinstance(page, SignInNeeded)
    again = await submit(provider, page.form_token, password="wrong")
    assert isinstance(again, SignInNeeded)
    assert again.failed
    assert provider.browser_sessions.rows == {}
    assert isinstance(await submit(provider, again.form_token), SignedIn)


async def test_the_prompt_is_obeyed_once() -> None:
    provider = ProviderInMemory()
    signed_in = await sign_in(provider, authorization_request(prompt="login"))
    assert "code" in query_of(signed_in.response.location)


async def test_a_sign_in_ends_the_session_that_the_browser_had() -> None:
    provider = ProviderInMemory()
    first = await sign_in(provider)
    second = await sign_in(provider, authorization_request(prompt="login"), cookie=first.cookie)
    assert len(provider.browser_sessions.rows) == 1
    assert isinstance(await authorize(provider, cookie=first.cookie), SignInNeeded)
    assert isinstance(await authorize(provider, cookie=second.cookie), ProtocolResponse)
