"""The endpoint for security events over HTTP: every kind of token that is refused, with the error of RFC 8935."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from functions.security_events.routes import router
from tenantgate.audit.line import mark
from tenantgate.crypto.sealing import Sealer
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.sessions.backchannel.service import NamedSessions
from tenantgate.sessions.service import SessionService
from tenantgate.signals.service import SecurityEventService
from tenantgate.signals.wiring import make_security_event_service, security_event_service, transmitters
from tenantgate.tokens.wiring import token_verifier
from tenantgate.web.app import create_app
from tests.fixtures.browsers.scripted import Browser
from tests.fixtures.databases.session_stores import session_service_of
from tests.fixtures.login.app import LoginApp, code_of, returned_to, running_login_app
from tests.fixtures.providers.misbehaving import (
    CLIENT_ID,
    EVENT_AUDIENCE,
    SUBJECT,
    TENANT,
    CannedResponse,
    MisbehavingProvider,
    rsa_key,
    unsigned,
)
from tests.fixtures.servers.app_server import AppServer, free_socket

SECEVENT = "application/secevent+jwt"
REVOKED = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"


@dataclass
class Events:
    """The endpoint, over the sessions of a login application. `revoked`: what it revoked; `failure`: raised then."""

    url: str
    provider: MisbehavingProvider
    login: LoginApp
    revoked: list[tuple[object, ...]] = field(default_factory=list)
    failure: Exception | None = None

    def post(self, token: str | bytes, media_type: str | None = SECEVENT, **headers: str) -> httpx2.Response:
        typed = headers if media_type is None else {"content-type": media_type, **headers}
        content = token.encode() if isinstance(token, str) else token
        with httpx2.Client(trust_env=False, timeout=30) as http:
            return http.post(self.url, content=content, headers=typed)

    def token(self, event: str = REVOKED, **changes: Any) -> str:
        """Sign an event with these changes to its claims; None leaves a claim out."""
        return self.provider.security_event(event, edit=lambda claims: _changed(claims, changes))

    async def revoke_token(self, issuer: str, *, token_id: str) -> None:
        self._record("token", issuer, token_id)

    async def revoke_user(self, tenant_id: str | None, issuer: str, user_id: str) -> None:
        self._record("user", tenant_id, issuer, user_id)

    async def revoke_tenant(self, tenant_id: str) -> None:
        self._record("tenant", tenant_id)

    def _record(self, *effect: object) -> None:
        self.revoked.append(effect)
        if self.failure is not None:
            raise self.failure


def _changed(claims: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**claims, **changes}.items() if value is not None}


def _entry(provider: MisbehavingProvider, **changes: object) -> dict[str, object]:
    return {
        "issuer": provider.issuer,
        "audiences": ["https://api.example.test"],
        "tenants": "*",
        "event_audiences": [EVENT_AUDIENCE],
        **changes,
    }


@contextmanager
def running_events(provider: MisbehavingProvider, *entries: dict[str, object]) -> Iterator[Events]:
    trusted = json.dumps([*entries] or [_entry(provider)])
    with running_login_app(provider.issuer, variables={"TRUSTED_ISSUERS": trusted}) as login:
        sock = free_socket()
        events = Events(f"http://127.0.0.1:{sock.getsockname()[1]}/api/v1/security-events", provider, login)
        policy = login.settings.token_policy
        verifier = token_verifier(policy)

        async def sealer() -> Sealer:
            return login.sealer

        async def sessions() -> SessionService:
            return session_service_of(login.store, clock=login.clock, cache=login.cache)

        def service() -> SecurityEventService:
            named = NamedSessions(login.store, sealer, sessions)
            return make_security_event_service(
                verifier,
                transmitters(policy),
                names=login.store,
                sessions=named,
                revocations=events,
                require_key=login.keys.require,
                append=mark,
            )

        app = create_app(router, settings=login.settings)
        app.dependency_overrides[security_event_service] = service
        with AppServer(app, sock):
            yield events


@pytest.fixture
def events(provider: MisbehavingProvider) -> Iterator[Events]:
    with running_events(provider) as running:
        yield running


@pytest.fixture
def signed_in(browser: Browser, events: Events) -> Events:
    assert browser.get(returned_to(browser, events.login)).status_code == 303
    return events


@pytest.fixture(scope="module")
def unchanged() -> Iterator[Events]:
    """Events that end nothing: one application for all of them."""
    with MisbehavingProvider() as provider, running_events(provider) as running, Browser() as browser:
        assert browser.get(returned_to(browser, running.login)).status_code == 303
        yield running


def refused(response: httpx2.Response, err: str) -> None:
    """Compare a response with RFC 8935 §2.3."""
    assert response.status_code == 400
    assert response.headers["content-type"].startswith("application/json")
    assert response.headers["content-language"] == "en"
    assert response.headers["cache-control"] == "no-store"
    body = response.json()
    assert set(body) == {"err", "description"}
    assert body["err"] == err
    assert body["description"]


def test_an_event_ends_the_users_session(signed_in: Events) -> None:
    response = signed_in.post(signed_in.token())
    assert (response.status_code, response.content) == (202, b"")
    assert not signed_in.login.store.rows
    assert signed_in.revoked == [("user", None, signed_in.provider.issuer, SUBJECT)]


@pytest.mark.parametrize("media_type", ["application/secevent+jwt", "Application/SecEvent+JWT; charset=utf-8"])
def test_the_media_type_may_have_parameters(media_type: str, signed_in: Events) -> None:
    assert signed_in.post(signed_in.token() + "\n", media_type).status_code == 202


def test_an_event_in_another_tenant_ends_nothing_here(signed_in: Events) -> None:
    subject = {"format": "complex", "user": {"format": "iss_sub", "iss": signed_in.provider.issuer, "sub": SUBJECT}}
    tenants = [{"format": "opaque", "id": tenant} for tenant in ("org-of-others", TENANT)]
    assert signed_in.post(signed_in.token(sub_id={**subject, "tenant": tenants[0]})).status_code == 202
    assert len(signed_in.login.store.rows) == 1
    assert signed_in.post(signed_in.token(sub_id={**subject, "tenant": tenants[1]})).status_code == 202
    assert not signed_in.login.store.rows


def test_a_session_is_found_by_its_sid(browser: Browser, events: Events) -> None:
    events.provider.edit_id_token = lambda claims: claims | {"sid": "sid-1"}
    assert browser.get(returned_to(browser, events.login)).status_code == 303
    assert events.post(events.token(sub_id={"format": "opaque", "id": "sid-2"})).status_code == 202
    assert len(events.login.store.rows) == 1
    assert events.post(events.token(sub_id={"format": "opaque", "id": "sid-1"})).status_code == 202
    assert not events.login.store.rows
    assert not events.revoked


type Make = Callable[[Events], str]


def _other_key(events: Events) -> str:
    return events.provider.security_event(REVOKED, key=rsa_key("unknown"))


def _tampered(events: Events) -> str:
    token = events.token()
    return token[:-12] + token[-12:-4].swapcase() + token[-4:]


def _stolen_name(events: Events) -> str:
    """A key of the attacker's under the provider's key id."""
    forged = rsa_key("forger")
    return events.provider.security_event(REVOKED, key=forged, kid="first")


@pytest.mark.parametrize(
    ("make", "err"),
    [
        pytest.param(lambda _: "", "invalid_request", id="empty"),
        pytest.param(lambda _: "a.b.c", "invalid_request", id="malformed"),
        # 342 characters of signature: with one left over the text isn't base64url, with none it is.
        pytest.param(lambda e: e.token()[:-9], "invalid_request", id="cut-off"),
        pytest.param(lambda e: e.token()[:-10], "authentication_failed", id="cut-off-by-whole-bytes"),
        pytest.param(_tampered, "authentication_failed", id="a-changed-signature"),
        pytest.param(lambda e: e.token() + "." + e.token(), "invalid_request", id="two-tokens"),
        pytest.param(lambda e: e.token(txn="x" * 20_000), "invalid_request", id="oversized-token"),
        pytest.param(lambda _: "a" * 70_000, "invalid_request", id="oversized-body"),
        pytest.param(
            lambda e: unsigned({"iss": e.provider.issuer, "aud": EVENT_AUDIENCE, "events": {REVOKED: {}}}),
            "invalid_request",
            id="alg-none",
        ),
        pytest.param(
            lambda e: e.provider.security_event(REVOKED, alg="none"), "invalid_key", id="alg-none-with-a-signature"
        ),
        pytest.param(lambda e: e.provider.security_event(REVOKED, alg="HS256"), "invalid_key", id="alg-hmac"),
        pytest.param(_other_key, "invalid_key", id="an-unknown-key"),
        pytest.param(_stolen_name, "authentication_failed", id="a-forged-signature"),
        pytest.param(lambda e: e.provider.security_event(REVOKED, typ="JWT"), "invalid_request", id="typ-jwt"),
        pytest.param(lambda e: e.provider.security_event(REVOKED, typ=None), "invalid_request", id="no-typ"),
        pytest.param(lambda e: e.provider.logout_token(), "invalid_request", id="a-logout-token"),
        pytest.param(lambda e: e.provider.access_token(), "invalid_request", id="an-access-token"),
        pytest.param(lambda e: e.token(iss="https://evil.example"), "invalid_issuer", id="another-issuer"),
        pytest.param(lambda e: e.token(iss=None), "invalid_request", id="no-issuer"),
        pytest.param(lambda e: e.token(aud=CLIENT_ID), "invalid_audience", id="another-audience"),
        pytest.param(lambda e: e.token(aud=None), "invalid_request", id="no-audience"),
        pytest.param(lambda e: e.token(iat=None), "invalid_request", id="no-iat"),
        pytest.param(lambda e: e.token(iat=4_000_000_000), "invalid_request", id="from-the-future"),
        pytest.param(lambda e: e.token(iat=1_000_000_000), "invalid_request", id="too-old"),
        pytest.param(lambda e: e.token(jti=None), "invalid_request", id="no-jti"),
        pytest.param(lambda e: e.token(exp=4_000_000_000), "invalid_request", id="with-exp"),
        pytest.param(lambda e: e.token(events=None), "invalid_request", id="no-events"),
        pytest.param(lambda e: e.token(events={REVOKED: True}), "invalid_request", id="a-malformed-event"),
        pytest.param(lambda e: e.token(sub_id=None), "invalid_request", id="no-subject"),
        pytest.param(
            lambda e: e.token(sub_id={"format": "email", "email": "demo@example.test"}), "invalid_request", id="email"
        ),
        pytest.param(
            lambda e: e.token(sub_id={"format": "iss_sub", "iss": "https://other.example", "sub": SUBJECT}),
            "access_denied",
            id="another-issuers-user",
        ),
        pytest.param(
            lambda e: e.token(sub_id={"format": "complex", "tenant": {"format": "opaque", "id": TENANT}}),
            "access_denied",
            id="a-whole-tenant",
        ),
    ],
)
def test_a_refused_token_ends_nothing(make: Make, err: str, unchanged: Events) -> None:
    refused(unchanged.post(make(unchanged)), err)
    assert len(unchanged.login.store.rows) == 1
    assert not unchanged.revoked


@pytest.mark.parametrize("media_type", [None, "application/jwt", "application/json", "text/plain"])
def test_another_media_type_is_refused(media_type: str | None, unchanged: Events) -> None:
    refused(unchanged.post(unchanged.token(), media_type), "invalid_request")
    refused(unchanged.post(b"\xff\xfe"), "invalid_request")
    assert len(unchanged.login.store.rows) == 1


def test_a_token_counts_once(browser: Browser, signed_in: Events) -> None:
    token = signed_in.provider.security_event(REVOKED, edit=lambda claims: claims | {"iat": claims["iat"] - 5})
    assert signed_in.post(token).status_code == 202
    assert browser.get(returned_to(browser, signed_in.login)).status_code == 303
    refused(signed_in.post(token), "invalid_request")
    assert len(signed_in.login.store.rows) == 1


def test_cookies_and_origins_make_no_difference(browser: Browser, signed_in: Events) -> None:
    """A page of another site gains nothing: only the token counts."""
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    headers = {"origin": "https://evil.example", "sec-fetch-site": "cross-site", "cookie": cookie}
    refused(signed_in.post("a.b.c", **headers), "invalid_request")
    refused(signed_in.post("a.b.c", **headers, authorization="Bearer x"), "invalid_request")
    assert len(signed_in.login.store.rows) == 1
    assert signed_in.post(signed_in.token(), **headers).status_code == 202


def test_our_failure_lets_the_issuer_repeat_the_token(signed_in: Events) -> None:
    token = signed_in.token()
    for failure, code in (
        (DatabaseUnreachable("connection refused"), "SYS_001"),
        (CacheUnavailable("down"), "SYS_005"),
    ):
        signed_in.failure = failure
        response = signed_in.post(token)
        assert (response.status_code, code_of(response)) == (503, code)
    signed_in.failure = None
    assert signed_in.post(token).status_code == 202
    assert not signed_in.login.store.rows


def test_keys_that_can_not_be_fetched_are_our_failure(provider: MisbehavingProvider) -> None:
    provider.responses["/jwks"] = CannedResponse(status=503)
    with running_events(provider) as events:
        response = events.post(events.token())
    assert (response.status_code, code_of(response)) == (502, "SYS_004")


def test_a_trusted_issuer_without_event_audiences_may_send_none(provider: MisbehavingProvider) -> None:
    entry = {name: value for name, value in _entry(provider).items() if name != "event_audiences"}
    with running_events(provider, entry) as events:
        refused(events.post(events.token()), "invalid_issuer")


def test_an_issuer_names_nothing_of_another(browser: Browser, provider: MisbehavingProvider) -> None:
    """A customer's own issuer, for whose tenant both may issue tokens."""
    with MisbehavingProvider() as customer:
        customer.rotate(rsa_key("of the customer"))
        entries = (_entry(provider), _entry(customer, tenants=[TENANT]))
        with running_events(provider, *entries) as events:
            assert browser.get(returned_to(browser, events.login)).status_code == 303

            def event(subject: dict[str, Any], **changes: Any) -> str:
                edit = {"sub_id": subject, **changes}
                return customer.security_event(REVOKED, edit=lambda claims: claims | edit)

            foreign = {"format": "iss_sub", "iss": provider.issuer, "sub": SUBJECT}
            refused(events.post(event(foreign)), "access_denied")
            refused(events.post(event(foreign, iss=provider.issuer)), "invalid_key")
            other = {"format": "complex", "tenant": {"format": "opaque", "id": "org-of-others"}}
            refused(events.post(event(other)), "access_denied")
            # Its own user of the same name, in its own sessions.
            assert events.post(event({**foreign, "iss": customer.issuer})).status_code == 202
            assert len(events.login.store.rows) == 1


def test_the_log_has_nothing_of_a_token(signed_in: Events, capfd: pytest.CaptureFixture[str]) -> None:
    canaries = {"jti": "canary-of-the-token-id", "txn": "canary-of-the-transaction"}
    good = signed_in.token(**canaries)
    other = signed_in.token(**canaries, aud="another", sub_id={"format": "opaque", "id": "canary-of-the-sid"})
    foreign = signed_in.token(sub_id={"format": "iss_sub", "iss": "x", "sub": "canary-of-the-user"})
    statuses = [signed_in.post(token).status_code for token in (good, good, other, foreign, foreign[:-9])]
    assert statuses == [202, 400, 400, 400, 400]
    written = "".join(capfd.readouterr())
    # Each has its line, and here, where no database is, its marked line for the audit trail.
    assert written.count("SECURITY_EVENT_REFUSED") == 8
    assert "SECURITY_EVENT_RECEIVED" in written
    for secret in (*canaries.values(), good, other, good.split(".")[1], "canary-of-the-sid", "canary-of-the-user"):
        assert secret not in written
