"""A sign-in's two ends, `begin` and `complete`, between fakes of the provider and the verifier."""

from __future__ import annotations

import base64
import copy
import hashlib
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, urlsplit

import pytest

from tenantgate.crypto.sealing import Sealer
from tenantgate.errors.access import RedirectNotAllowed
from tenantgate.errors.tokens import IdTokenRefused, TenantMissing, TokenExpired
from tenantgate.identity.principal import Principal
from tenantgate.login.attempts.redirects import RedirectPolicy
from tenantgate.login.attempts.transactions import LoginTransaction
from tenantgate.login.errors import AccessTokenUnusable, InvalidAuthorizationCode, StateMismatch
from tenantgate.login.models import AuthorizationResponse, LoginStarted, ProviderTokens, VerifiedSignIn
from tenantgate.login.provider.metadata import ClientRegistration, ProviderMetadata
from tenantgate.login.service.access_tokens import AccessTokens
from tenantgate.login.service.login import LoginService
from tenantgate.tokens.verifier import VerifiedToken
from tests.fixtures.revoked.keys import RevokedKeys

NOW = 1_800_000_000
ISSUER = "https://idp.example"
OTHER_ISSUER = "https://other-idp.example"
OWN_CALLBACK = "https://auth.example.com/api/v1/auth/callback"
APP = "https://app.example.com/done"
SEALER = Sealer([base64.urlsafe_b64encode(hashlib.sha256(b"login").digest()).decode()])

pytestmark = pytest.mark.anyio

ID_TOKEN = VerifiedToken(ISSUER, "user-1", NOW, NOW + 600, frozenset(), {})


@dataclass
class Exchanges:
    """The token endpoint; `tokens` is its response."""

    tokens: ProviderTokens = field(default_factory=lambda: ProviderTokens("access-token", "id-token", "refresh", 300))
    codes: list[str] = field(default_factory=list)
    transactions: list[LoginTransaction] = field(default_factory=list)

    async def exchange(self, provider: ProviderMetadata, *, code: str, transaction: LoginTransaction) -> ProviderTokens:
        assert provider.issuer == ISSUER
        self.codes.append(code)
        self.transactions.append(transaction)
        return self.tokens


@dataclass
class IdTokens:
    """The verifier of ID tokens."""

    issuer: str = ISSUER
    error: Exception | None = None
    checks: list[tuple[object, ...]] = field(default_factory=list)

    def verify_id_token(
        self, token: str, *, client_id: str, nonce: str | None, access_token: str | None, fetch: bool
    ) -> VerifiedToken:
        self.checks.append((token, client_id, nonce, access_token, fetch))
        if self.error is not None:
            raise self.error
        return copy.replace(ID_TOKEN, issuer=self.issuer)


@dataclass
class Credential:
    """The credential that makes principals."""

    issuer: str = ISSUER
    expires_at: int = NOW + 600
    error: Exception | None = None
    checks: list[tuple[str, bool]] = field(default_factory=list)

    def verify(self, token: str, *, fetch: bool) -> tuple[Principal, VerifiedToken]:
        assert not fetch
        self.checks.append((token, fetch))
        if self.error is not None:
            raise self.error
        principal = Principal("user-1", "org-1", self.issuer, frozenset(), self.expires_at)
        return principal, copy.replace(ID_TOKEN, kid="access")


@dataclass
class Login:
    exchanges: Exchanges = field(default_factory=Exchanges)
    id_tokens: IdTokens = field(default_factory=IdTokens)
    credential: Credential = field(default_factory=Credential)
    keys: RevokedKeys = field(default_factory=RevokedKeys)
    announces_iss: bool = False
    issuer: str = ISSUER
    access_token_issuer: str | None = None

    async def _provider(self) -> ProviderMetadata:
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "authorization_response_iss_parameter_supported": self.announces_iss,
        }
        return ProviderMetadata.from_document(document)

    async def _sealer(self) -> Sealer:
        return SEALER

    @property
    def service(self) -> LoginService:
        return LoginService(
            registration=ClientRegistration("client-1", ("openid",)),
            redirects=RedirectPolicy(
                allowed_origins=["https://app.example.com"], public_base_url="https://auth.example.com"
            ),
            own_callback=OWN_CALLBACK,
            provider=self._provider,
            token_endpoint=self.exchanges,
            verifier=self.id_tokens,
            access_tokens=AccessTokens(
                self.credential,
                issuer=self.access_token_issuer,
                require_key=self.keys.require,
            ),
            require_key=self.keys.require,
            sealer=self._sealer,
            clock=lambda: NOW + 0.5,
        )

    async def begin(self, redirect_uri: str | None = None, return_to: str | None = None) -> LoginStarted:
        return await self.service.begin(redirect_uri=redirect_uri, return_to=return_to, cookies={})

    async def complete(self, started: LoginStarted, *, by_redirect: bool = True, **changes: object) -> VerifiedSignIn:
        response = AuthorizationResponse(state=sent(started)["state"], code="code-1")
        return await self.service.complete(
            replace(response, **changes),  # type: ignore[arg-type]
            by_redirect=by_redirect,
            cookies={started.cookie.name: started.cookie.value},
        )


def sent(started: LoginStarted) -> dict[str, str]:
    """The parameters that the browser takes to the provider."""
    return {name: values[0] for name, values in parse_qs(urlsplit(started.authorization_url).query).items()}


async def test_a_sign_in_goes_from_the_provider_to_the_principal() -> None:
    login = Login()
    started = await login.begin(return_to="/orders")
    signed_in = await login.complete(started)

    (transaction,) = login.exchanges.transactions
    assert sent(started)["nonce"] == transaction.nonce
    assert login.exchanges.codes == ["code-1"]
    # Neither check may wait in a thread for a fetch: they are awaited.
    assert login.id_tokens.checks == [("id-token", "client-1", transaction.nonce, "access-token", False)]
    assert login.credential.checks == [("access-token", False)]
    principal = Principal("user-1", "org-1", ISSUER, frozenset(), NOW + 600)
    assert signed_in == VerifiedSignIn(principal, ID_TOKEN, login.exchanges.tokens, 300, "/orders")


@pytest.mark.parametrize(
    ("asked", "sent_to"), [(None, OWN_CALLBACK), (OWN_CALLBACK, OWN_CALLBACK), (APP, APP)], ids=["none", "own", "app"]
)
async def test_the_provider_sends_the_browser_to_our_callback_or_to_an_allowed_app(
    asked: str | None, sent_to: str
) -> None:
    assert sent(await Login().begin(asked))["redirect_uri"] == sent_to


async def test_targets_that_are_not_allowed_stop_the_sign_in() -> None:
    with pytest.raises(RedirectNotAllowed):
        await Login().begin("https://evil.example/done")
    with pytest.raises(RedirectNotAllowed):
        await Login().begin(return_to="https://evil.example/")


async def test_the_browser_returns_to_the_root_by_default() -> None:
    login = Login()
    assert (await login.complete(await login.begin())).return_to == "/"


@pytest.mark.parametrize(
    ("announced", "left"),
    [(None, 599), (300, 300), (600, 599), (0, 0)],
    ids=["not-announced", "shorter", "longer-than-the-token", "none"],
)
async def test_the_access_token_is_valid_no_longer_than_it_states(announced: int | None, left: int) -> None:
    login = Login(credential=Credential(expires_at=NOW + 599))
    login.exchanges.tokens = replace(login.exchanges.tokens, expires_in=announced)
    assert (await login.complete(await login.begin())).expires_in == left


async def test_an_access_token_that_has_expired_meanwhile_is_valid_for_no_time() -> None:
    login = Login(credential=Credential(expires_at=NOW - 1))
    login.exchanges.tokens = replace(login.exchanges.tokens, expires_in=None)
    assert (await login.complete(await login.begin())).expires_in == 0


async def test_an_apps_attempt_is_completed_by_a_post_only() -> None:
    login = Login()
    started = await login.begin(APP)
    with pytest.raises(StateMismatch):
        await login.complete(started, by_redirect=True)
    assert login.exchanges.codes == []
    await login.complete(started, by_redirect=False)
    assert login.exchanges.codes == ["code-1"]
    await login.complete(await login.begin(), by_redirect=False)


@pytest.mark.parametrize(
    ("announced", "by_redirect", "iss", "accepted"),
    [
        (False, True, None, True),
        (False, True, ISSUER, True),
        (False, True, OTHER_ISSUER, False),
        (False, False, OTHER_ISSUER, False),
        (True, True, None, False),
        (True, True, ISSUER, True),
        (True, False, None, True),
        (True, False, ISSUER, True),
        (True, True, "", False),
    ],
)
async def test_the_issuer_in_the_response_is_the_providers(
    announced: bool, by_redirect: bool, iss: str | None, accepted: bool
) -> None:
    login = Login(announces_iss=announced)
    started = await login.begin()
    if accepted:
        await login.complete(started, by_redirect=by_redirect, iss=iss)
        return
    with pytest.raises(StateMismatch):
        await login.complete(started, by_redirect=by_redirect, iss=iss)
    assert login.exchanges.codes == []


async def test_an_attempt_begun_at_another_provider_is_refused() -> None:
    login = Login(issuer=OTHER_ISSUER)
    started = await login.begin()
    login.issuer = ISSUER
    with pytest.raises(StateMismatch):
        await login.complete(started)


@pytest.mark.parametrize("code", [None, "", "x" * 4097, "a\nb", "a\0"], ids=["none", "empty", "long", "line", "null"])
async def test_a_code_that_is_missing_or_malformed_never_reaches_the_token_endpoint(code: str | None) -> None:
    login = Login()
    with pytest.raises(InvalidAuthorizationCode):
        await login.complete(await login.begin(), code=code)
    assert login.exchanges.codes == []


@pytest.mark.parametrize("code", ["x", "x" * 4096, "4/0Ab_c-d.e~f", "a b"])
async def test_a_code_of_up_to_4096_characters_is_redeemed_unchanged(code: str) -> None:
    login = Login()
    await login.complete(await login.begin(), code=code)
    assert login.exchanges.codes == [code]


@pytest.mark.parametrize(
    ("error", "reported"), [("access_denied", "access_denied"), ("a b<script>", "unknown"), ("", "unknown")]
)
async def test_an_error_of_the_provider_is_reported_and_no_code_is_redeemed(error: str, reported: str) -> None:
    login = Login()
    with pytest.raises(InvalidAuthorizationCode) as refused:
        await login.complete(await login.begin(), error=error, error_description="Not allowed.")
    assert refused.value.detail == {"provider_error": reported, "description": "Not allowed."}
    assert refused.value.private == {"provider_error": reported, "description": "Not allowed."}
    assert login.exchanges.codes == []


@pytest.mark.parametrize("name", ["state", "nonce", "code_verifier", "code"])
async def test_a_description_that_repeats_a_secret_is_not_kept(name: str) -> None:
    login = Login()
    started = await login.begin()
    await login.complete(started)
    secret = "code-of-the-provider" if name == "code" else getattr(login.exchanges.transactions[0], name)
    with pytest.raises(InvalidAuthorizationCode) as refused:
        await login.complete(
            started, error="access_denied", error_description=f"Bad {secret}.", code="code-of-the-provider"
        )
    assert secret not in f"{refused.value.private} {refused.value.detail}"


@pytest.mark.parametrize(
    ("configured", "id_issuer", "access_issuer", "accepted"),
    [
        (None, ISSUER, ISSUER, True),
        (None, ISSUER, OTHER_ISSUER, False),
        (OTHER_ISSUER, ISSUER, OTHER_ISSUER, True),
        (OTHER_ISSUER, ISSUER, ISSUER, False),
    ],
)
async def test_the_two_tokens_come_from_one_issuer_or_from_the_configured_pair(
    configured: str | None, id_issuer: str, access_issuer: str, accepted: bool
) -> None:
    login = Login(
        access_token_issuer=configured,
        id_tokens=IdTokens(issuer=id_issuer),
        credential=Credential(issuer=access_issuer),
    )
    if accepted:
        assert (await login.complete(await login.begin())).principal.issuer == access_issuer
        return
    with pytest.raises(AccessTokenUnusable) as refused:
        await login.complete(await login.begin())
    assert refused.value.private == {"expected": configured or id_issuer, "actual": access_issuer}


async def test_a_refused_id_token_keeps_its_code_and_says_how_to_fix_it() -> None:
    login = Login(id_tokens=IdTokens(error=IdTokenRefused("nonce doesn't match")))
    with pytest.raises(IdTokenRefused) as refused:
        await login.complete(await login.begin())
    assert refused.value.detail


async def test_a_refused_access_token_is_unusable_unless_it_lacks_a_tenant() -> None:
    login = Login(credential=Credential(error=TokenExpired("token has expired", actual=7)))
    with pytest.raises(AccessTokenUnusable) as unusable:
        await login.complete(await login.begin())
    assert unusable.value.reason == "TokenExpired: token has expired"
    assert unusable.value.private == {"actual": 7}
    assert unusable.value.detail

    login.credential.error = TenantMissing("no tenant claim", expected=["org_id"])
    with pytest.raises(TenantMissing) as missing:
        await login.complete(await login.begin())
    assert missing.value.detail


async def test_a_description_is_kept_in_full_where_it_repeats_no_secret() -> None:
    login = Login()
    with pytest.raises(InvalidAuthorizationCode) as refused:
        await login.complete(
            await login.begin(), error="access_denied", error_description="X is not allowed.", code=None
        )
    assert refused.value.private["description"] == "X is not allowed."
