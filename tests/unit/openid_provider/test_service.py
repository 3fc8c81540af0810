"""The provider's services without HTTP and without a database, on a clock that the test turns."""

import base64
import hashlib

import jwt
import pytest

from tenantgate.errors.access import RedirectNotAllowed
from tenantgate.openid_provider.endpoints.authorization import SignedIn, SignInNeeded
from tenantgate.openid_provider.endpoints.end_session import SignedOut, SignOutNeedsConsent
from tenantgate.openid_provider.errors import AuthorizationRequestRefused, SignInFormRefused
from tenantgate.openid_provider.models import SIGNING_ALGORITHMS, ProtocolResponse, SigningAlgorithm
from tenantgate.openid_provider.protocol.requests import Submitted
from tenantgate.openid_provider.storage.demo import DEMO_PASSWORD, DEMO_TENANT_ID, DEMO_USER_ID, DEMO_USERNAME
from tenantgate.openid_provider.storage.users import DemoUsers
from tests.fixtures.providers.built_in import (
    AUDIENCE,
    CLIENT_ID,
    ISSUER,
    ProviderInMemory,
    authorization_request,
    query_of,
    token_request,
)

pytestmark = pytest.mark.anyio


async def sign_in(provider: ProviderInMemory, request: Submitted | None = None, cookie: str | None = None) -> SignedIn:
    authorization = await provider.service.authorization()
    page = await authorization.authorize(request or authorization_request(), cookie=cookie)
    assert isinstance(page, SignInNeeded)
    signed_in = await authorization.sign_in(
        form_token=page.form_token, username=DEMO_USERNAME, password=DEMO_PASSWORD, cookie=cookie
    )
    assert isinstance(signed_in, SignedIn)
    return signed_in


async def authorize(
    provider: ProviderInMemory, request: Submitted, cookie: str | None
) -> ProtocolResponse | SignInNeeded:
    return await (await provider.service.authorization()).authorize(request, cookie=cookie)


async def tokens(provider: ProviderInMemory, signed_in: SignedIn) -> dict[str, str]:
    code = query_of(signed_in.response.location)["code"]
    answer = await provider.service.token(token_request(code), authorization=None)
    assert answer.status == 200, answer.body
    return {name: str(value) for name, value in (answer.body or {}).items()}


@pytest.mark.parametrize("algorithm", SIGNING_ALGORITHMS)
async def test_tokens_are_signed_as_the_client_is_registered(algorithm: SigningAlgorithm) -> None:
    provider = ProviderInMemory(algorithm=algorithm)
    issued = await tokens(provider, await sign_in(provider))
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


@pytest.mark.parametrize(
    ("request_changes", "elapsed", "asked_again"),
    [
        pytest.param({}, 0, False, id="plain"),
        pytest.param({"prompt": "login"}, 0, True, id="prompt-login"),
        pytest.param({"prompt": "consent"}, 0, True, id="prompt-consent"),
        pytest.param({"prompt": "select_account"}, 0, True, id="prompt-select-account"),
        pytest.param({"max_age": "0"}, 0, True, id="max-age-0"),
        pytest.param({"max_age": "1"}, 1, False, id="max-age-1-just"),
        pytest.param({"max_age": "1"}, 2, True, id="max-age-1"),
        pytest.param({"max_age": "10000"}, 9999, False, id="max-age-10000"),
        pytest.param({"id_token_hint": "nonsense"}, 0, True, id="a-hint-that-is-not-ours"),
        pytest.param({}, 8 * 3600 - 1, False, id="just-before-the-session-ends"),
        pytest.param({}, 8 * 3600, True, id="the-session-ends-this-instant"),
    ],
)
async def test_when_a_signed_in_browser_is_asked_again(
    request_changes: dict[str, str], elapsed: int, asked_again: bool
) -> None:
    provider = ProviderInMemory()
    signed_in = await sign_in(provider)
    provider.clock.now += elapsed
    answer = await authorize(provider, authorization_request(**request_changes), signed_in.cookie)
    assert isinstance(answer, SignInNeeded) is asked_again


async def test_auth_time_is_that_of_the_sign_in_and_not_of_the_code() -> None:
    provider = ProviderInMemory()
    signed_in = await sign_in(provider)
    signed_in_at = int(provider.clock.now)
    provider.clock.now += 500
    answer = await authorize(provider, authorization_request(), signed_in.cookie)
    assert isinstance(answer, ProtocolResponse)
    issued = await provider.service.token(token_request(query_of(answer.location)["code"]), authorization=None)
    assert issued.body is not None
    claims = jwt.decode(str(issued.body["id_token"]), options={"verify_signature": False})
    assert (claims["auth_time"], claims["iat"]) == (signed_in_at, signed_in_at + 500)


async def test_nothing_is_sent_to_a_redirect_uri_before_it_is_trusted() -> None:
    provider = ProviderInMemory()
    for request, failure in (
        (authorization_request(client_id="nobody"), AuthorizationRequestRefused),
        (authorization_request(client_id=None), AuthorizationRequestRefused),
        (authorization_request(redirect_uri=None), AuthorizationRequestRefused),
        (authorization_request(redirect_uri="https://evil.test/"), RedirectNotAllowed),
        (Submitted(authorization_request().values, frozenset({"redirect_uri"})), AuthorizationRequestRefused),
    ):
        with pytest.raises(failure):
            await authorize(provider, request, None)


async def test_a_sealed_form_is_good_for_ten_minutes() -> None:
    provider = ProviderInMemory()
    authorization = await provider.service.authorization()
    page = await authorization.authorize(authorization_request(), cookie=None)
    assert isinstance(page, SignInNeeded)
    credentials = {"username": DEMO_USERNAME, "password": DEMO_PASSWORD, "cookie": None}
    provider.clock.now += 599
    assert isinstance(await authorization.sign_in(form_token=page.form_token, **credentials), SignedIn)  # type: ignore[arg-type]
    provider.clock.now += 1
    with pytest.raises(SignInFormRefused):
        await authorization.sign_in(form_token=page.form_token, **credentials)  # type: ignore[arg-type]


async def test_a_code_is_good_for_a_minute() -> None:
    provider = ProviderInMemory()
    early, late = [query_of((await sign_in(provider)).response.location)["code"] for _ in range(2)]
    provider.clock.now += 59
    assert (await provider.service.token(token_request(early), authorization=None)).status == 200
    provider.clock.now += 1
    assert (await provider.service.token(token_request(late), authorization=None)).status == 400


async def test_a_resource_that_tokens_are_for_is_accepted() -> None:
    provider = ProviderInMemory(audiences=("https://api.example.test",))
    signed_in = await sign_in(provider, authorization_request(resource="https://api.example.test"))
    claims = jwt.decode((await tokens(provider, signed_in))["access_token"], options={"verify_signature": False})
    assert claims["aud"] == "https://api.example.test"


async def test_signing_out_ends_the_browser_session_at_once() -> None:
    provider = ProviderInMemory()
    signed_in = await sign_in(provider)
    issued = await tokens(provider, signed_in)
    ending = await provider.service.end_session()

    asked = await ending.end(Submitted({}), cookie=signed_in.cookie)
    assert isinstance(asked, SignOutNeedsConsent)
    assert len(provider.browser_sessions.rows) == 1

    ended = await ending.end(Submitted({"id_token_hint": issued["id_token"]}), cookie=signed_in.cookie)
    assert ended == SignedOut(None)
    assert provider.browser_sessions.rows == {}


async def test_a_hint_of_another_client_signs_nobody_out() -> None:
    provider = ProviderInMemory()
    ring = await provider.signing_keys.ring()
    foreign = ring.sign({"iss": ISSUER, "aud": "another", "sub": DEMO_USER_ID}, algorithm="RS256", typ="JWT")
    with pytest.raises(AuthorizationRequestRefused):
        await (await provider.service.end_session()).end(Submitted({"id_token_hint": foreign}), cookie=None)


def test_the_demo_user_cannot_exist_outside_development() -> None:
    with pytest.raises(RuntimeError):
        DemoUsers(is_development=False)


@pytest.mark.parametrize(
    ("username", "password", "known"),
    [
        pytest.param(DEMO_USERNAME, DEMO_PASSWORD, True, id="right"),
        pytest.param(f" {DEMO_USERNAME.upper()} ", DEMO_PASSWORD, True, id="email-in-other-case"),
        pytest.param(DEMO_USERNAME, DEMO_PASSWORD.upper(), False, id="password-in-other-case"),
        pytest.param(DEMO_USERNAME, "", False, id="no-password"),
        pytest.param("", DEMO_PASSWORD, False, id="no-user"),
        pytest.param("nobody@example.test", DEMO_PASSWORD, False, id="unknown-user"),
    ],
)
def test_who_can_sign_in(username: str, password: str, known: bool) -> None:
    assert (DemoUsers(is_development=True).authenticate(username, password) is not None) is known
