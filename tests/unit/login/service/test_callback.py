"""The end of a sign-in: the cookies that an error clears, and the sessions that end and start."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from tenantgate.audit.models import Event
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.base import InternalError, TenantgateError
from tenantgate.errors.tokens import (
    IdTokenRefused,
    Overloaded,
    ProviderTimeout,
    ProviderUnreachable,
    TenantMissing,
    TenantNotAllowed,
)
from tenantgate.identity.principal import Principal
from tenantgate.login.attempts.transactions import transaction_cookie_name
from tenantgate.login.errors import AccessTokenUnusable, InvalidAuthorizationCode, StateMismatch
from tenantgate.login.models import AuthorizationResponse, ProviderTokens, SignedIn, VerifiedSignIn
from tenantgate.login.service.callback import CallbackService
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.tokens.tenant import DEPLOYMENT
from tenantgate.tokens.verifier import VerifiedToken

STATE = "state-1"
ATTEMPT = transaction_cookie_name(STATE)
NOW = 1_800_000_000
PRINCIPAL = Principal("user-1", "org-1", "https://issuer.example", frozenset(), NOW + 600)
TOKENS = ProviderTokens("access", "id", "refresh")

pytestmark = pytest.mark.anyio


ID_TOKEN = VerifiedToken("https://issuer.example", "user-1", NOW, NOW + 600, frozenset(), {})
VERIFIED = VerifiedSignIn(PRINCIPAL, ID_TOKEN, TOKENS, expires_in=300, return_to="/home")


@dataclass
class FakeLogin:
    error: Exception | None = None
    responses: list[tuple[AuthorizationResponse, bool, Mapping[str, str]]] = field(default_factory=list)

    async def complete(
        self, response: AuthorizationResponse, *, by_redirect: bool, cookies: Mapping[str, str]
    ) -> VerifiedSignIn:
        self.responses.append((response, by_redirect, cookies))
        if self.error is not None:
            raise self.error
        return VERIFIED


@dataclass
class FakeSession:
    secret: str = "org-1.secret"
    expires_at: int = NOW + 600
    csrf_token: str = "csrf"


@dataclass
class FakeSessions:
    """`log`: the calls, in order."""

    error: Exception | None = None
    session: FakeSession = field(default_factory=FakeSession)
    log: list[tuple[object, ...]] = field(default_factory=list)

    async def start(self, verified: VerifiedSignIn, *, device: str | None, address: str | None) -> FakeSession:
        if self.error is not None:
            raise self.error
        self.log.append(("start", verified, device, address))
        return self.session

    async def end(self, secret: str) -> None:
        self.log.append(("end", secret))


async def complete(
    login: FakeLogin,
    sessions: FakeSessions,
    *,
    state: str | None = STATE,
    is_ambiguous: bool = False,
    cookies: Mapping[str, str] | None = None,
    session_cookie: str | None = None,
) -> SignedIn:
    return await CallbackService(login, sessions, clock=lambda: NOW + 0.9).complete(
        AuthorizationResponse(state=state, code="code", is_ambiguous=is_ambiguous),
        by_redirect=True,
        cookies={ATTEMPT: "sealed"} if cookies is None else cookies,
        session_cookie=session_cookie,
        device="Firefox on Linux",
        address="203.0.113.0/24",
    )


async def test_a_sign_in_starts_a_session_and_names_the_attempts_cookie() -> None:
    login, sessions = FakeLogin(), FakeSessions()

    signed_in = await complete(login, sessions)

    assert signed_in == SignedIn(
        access_token="access",
        expires_in=300,
        return_to="/home",
        session_secret="org-1.secret",
        session_lifetime=600,
        csrf_token="csrf",
        attempt_cookie=ATTEMPT,
    )
    assert sessions.log == [("start", VERIFIED, "Firefox on Linux", "203.0.113.0/24")]
    assert login.responses == [(AuthorizationResponse(state=STATE, code="code"), True, {ATTEMPT: "sealed"})]


async def test_the_cookie_of_a_session_that_has_already_expired_has_no_lifetime() -> None:
    signed_in = await complete(FakeLogin(), FakeSessions(session=FakeSession(expires_at=NOW - 1)))

    assert signed_in.session_lifetime == 0


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (StateMismatch(), "denied"),
        (TenantNotAllowed("suspended", tenant_id="org-1"), "denied"),
        (InternalError(), "failure"),
    ],
)
async def test_a_failed_sign_in_is_in_the_deployments_own_log(error: TenantgateError, outcome: str) -> None:
    """Even if a verified token names a tenant: the tenant hasn't admitted its sender."""
    events: list[Event] = []

    async def append(event: Event) -> None:
        events.append(event)

    service = CallbackService(FakeLogin(), FakeSessions(error=error), append=append)
    with pytest.raises(type(error)):
        await service.complete(
            AuthorizationResponse(state=STATE, code="code"),
            by_redirect=True,
            cookies={},
            session_cookie=None,
            address="203.0.113.0/24",
        )
    assert [(one.type, one.tenant_id, one.outcome, one.user, one.address) for one in events] == [
        ("AUTH_LOGIN_FAILED", DEPLOYMENT, outcome, None, "203.0.113.0/24")
    ]
    assert events[0].detail == {"error_code": error.error.code, "check": type(error).__name__}


async def test_a_sign_in_that_waited_for_the_database_does_not_wait_for_it_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def append(event: Event) -> None:
        raise AssertionError(event)

    caplog.set_level(logging.INFO, logger="tenantgate.audit.line")
    service = CallbackService(FakeLogin(), FakeSessions(error=DatabaseUnreachable("silent")), append=append)
    with pytest.raises(DatabaseUnreachable):
        await service.complete(
            AuthorizationResponse(state=STATE, code="code"), by_redirect=True, cookies={}, session_cookie=None
        )
    (line,) = [vars(one)["context"] for one in caplog.records if one.getMessage() == "audit event"]
    assert line["audit"]["detail"] == {"error_code": "SYS_001", "check": "DatabaseUnreachable"}


async def test_a_successful_sign_in_has_no_failure() -> None:
    async def append(event: Event) -> None:
        raise AssertionError(event)

    assert await CallbackService(FakeLogin(), FakeSessions(), append=append).complete(
        AuthorizationResponse(state=STATE, code="code"), by_redirect=True, cookies={}, session_cookie=None
    )


async def test_the_replaced_session_ends_first() -> None:
    sessions = FakeSessions()

    await complete(FakeLogin(), sessions, session_cookie="org-1.old")

    assert [entry[0] for entry in sessions.log] == ["end", "start"]
    assert sessions.log[0] == ("end", "org-1.old")


@pytest.mark.parametrize(
    "error",
    [
        StateMismatch(),
        InvalidAuthorizationCode(),
        IdTokenRefused(),
        AccessTokenUnusable(),
        TenantMissing(),
        SecretsUnavailable(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_refused_sign_in_clears_the_attempt_and_changes_no_session(error: TenantgateError) -> None:
    sessions = FakeSessions()

    with pytest.raises(type(error)) as raised:
        await complete(FakeLogin(error), sessions, session_cookie="org-1.old")

    assert raised.value is error
    assert raised.value.clears_cookies == (ATTEMPT,)
    assert sessions.log == []


@pytest.mark.parametrize(
    "error",
    [ProviderUnreachable(), ProviderTimeout(), Overloaded(retry_after=1)],
    ids=lambda error: type(error).__name__,
)
async def test_an_attempt_is_kept_when_the_provider_was_unreachable(error: TenantgateError) -> None:
    with pytest.raises(type(error)) as raised:
        await complete(FakeLogin(error), FakeSessions())

    assert raised.value.clears_cookies == ()


@pytest.mark.parametrize(
    ("state", "cookies"),
    [
        pytest.param(None, {ATTEMPT: "sealed"}, id="no-state"),
        pytest.param(STATE, {}, id="no-cookie"),
        pytest.param("state-2", {ATTEMPT: "sealed"}, id="of-another-attempt"),
    ],
)
async def test_a_cookie_that_the_browser_did_not_send_is_not_cleared(
    state: str | None, cookies: Mapping[str, str]
) -> None:
    with pytest.raises(StateMismatch) as raised:
        await complete(FakeLogin(StateMismatch()), FakeSessions(), state=state, cookies=cookies)

    assert raised.value.clears_cookies == ()


async def test_an_ambiguous_response_ends_the_attempt_before_anything_reads_it() -> None:
    login = FakeLogin()

    with pytest.raises(StateMismatch) as raised:
        await complete(login, FakeSessions(), is_ambiguous=True)

    assert raised.value.clears_cookies == (ATTEMPT,)
    assert login.responses == []


async def test_without_a_stored_session_the_sign_in_fails() -> None:
    with pytest.raises(DatabaseUnreachable) as raised:
        await complete(FakeLogin(), FakeSessions(error=DatabaseUnreachable()))

    assert raised.value.clears_cookies == (ATTEMPT,)


async def test_an_unexpected_error_is_not_changed() -> None:
    with pytest.raises(KeyError):
        await complete(FakeLogin(KeyError("bug")), FakeSessions())
