"""The sign-in and sign-out functions as one real application under uvicorn, against whichever provider a test names.

Everything is the product's own, wired as in production, but for the session store where a test brings another.
"""

from __future__ import annotations

import base64
import secrets
import socket
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2

from functions.auth_callback.routes import router as callback_router
from functions.auth_login.routes import router as login_router
from functions.auth_logout.routes import router as logout_router
from functions.auth_validate.routes import router as validate_router
from tenantgate.crypto.sealing import Sealer
from tenantgate.database.engine import PooledDatabase
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.login.client import Timeouts
from tenantgate.login.service import LoginService
from tenantgate.login.wiring import login_service, logout_service, make_login_service, make_logout_service
from tenantgate.secrets.store import SecretStore
from tenantgate.sessions.models import StoredSession
from tenantgate.sessions.repository import SessionRepository
from tenantgate.sessions.service import SessionService, SessionStore
from tenantgate.sessions.wiring import session_service
from tenantgate.settings.model import Settings
from tenantgate.tokens.wiring import token_verifier
from tenantgate.web.app import create_app
from tests.support.app_server import AppServer, free_socket
from tests.support.browser import Browser, location
from tests.support.misbehaving_provider import CLIENT_ID, CLIENT_SECRET
from tests.support.session_stores import MemorySessionStore

ALLOWED_ORIGIN = "http://localhost:5173"
CALLBACK = "/api/v1/auth/callback"
LOGIN = "/api/v1/auth/login"
LOGOUT = "/api/v1/auth/logout"


class BreakableSessionStore(MemorySessionStore):
    """Fails with `broken`, when set, as when the database is down."""

    broken: DatabaseUnreachable | None = None

    async def add(self, session: StoredSession) -> None:
        self._require_up()
        await super().add(session)

    async def remove(self, secret_hash: bytes, *, tenant_id: str) -> StoredSession | None:
        self._require_up()
        return await super().remove(secret_hash, tenant_id=tenant_id)

    def _require_up(self) -> None:
        if self.broken is not None:
            raise self.broken


class Clock:
    """The present, moved by `offset` seconds."""

    offset = 0.0

    def __call__(self) -> float:
        return time.time() + self.offset


@dataclass
class LoginApp:
    """A running application. `service` is its `LoginService`; a test may put another in its place."""

    base: str
    settings: Settings
    service: LoginService
    store: BreakableSessionStore
    sealer: Sealer
    clock: Clock = field(default_factory=Clock)

    @property
    def login_url(self) -> str:
        return self.base + LOGIN

    @property
    def callback_url(self) -> str:
        return self.base + CALLBACK

    @property
    def logout_url(self) -> str:
        return self.base + LOGOUT


@contextmanager
def running_login_app(
    issuer: str,
    *,
    client_id: str = CLIENT_ID,
    client_secret: str = CLIENT_SECRET,
    audience: str = "https://api.example.test",
    variables: Mapping[str, str] | None = None,
    timeouts: Timeouts | None = None,
    sock: socket.socket | None = None,
    database_url: str | None = None,
) -> Iterator[LoginApp]:
    """Serve login, callback, logout and validate for the provider `issuer`.

    Sessions are kept in memory, or in the migrated database at `database_url`. `sock`: a port taken beforehand.
    """
    sock = sock or free_socket()
    base = f"http://127.0.0.1:{sock.getsockname()[1]}"
    settings = Settings.from_mapping(
        {
            "ENVIRONMENT": "test",
            "LOG_LEVEL": "INFO",
            "PUBLIC_BASE_URL": base,
            "ALLOWED_ORIGINS": ALLOWED_ORIGIN,
            "OIDC_ISSUER_URL": issuer,
            "OIDC_CLIENT_ID": client_id,
            "OIDC_AUDIENCE": audience,
            **(variables or {}),
        }
    )
    key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    store = SecretStore(
        secret_id=None,
        environment={
            "OIDC_CLIENT_SECRET": client_secret,
            "COOKIE_SEALING_KEYS": key,
        },
        client=_no_aws,
        fall_back_to_environment=True,
    )
    clock, memory = Clock(), BreakableSessionStore()
    sealer = Sealer([key])
    verifier = token_verifier(settings.token_policy)
    running = LoginApp(
        base=base,
        settings=settings,
        service=make_login_service(settings, store, verifier, timeouts=timeouts, clock=clock),
        store=memory,
        sealer=sealer,
        clock=clock,
    )

    store_in_use: list[SessionStore] = [memory]

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        if database_url is None:
            yield
            return
        database = PooledDatabase(database_url)
        store_in_use[0] = SessionRepository(database)
        yield
        await database.dispose()

    async def given_sessions() -> SessionService:
        return SessionService(store_in_use[0], sealer)

    async def given_login() -> LoginService:
        return running.service

    logout = make_logout_service(settings, verifier, sessions=given_sessions)
    app = create_app(
        login_router, callback_router, logout_router, validate_router, settings=settings, lifespan=lifespan
    )
    app.dependency_overrides |= {
        login_service: given_login,
        logout_service: lambda: logout,
        session_service: given_sessions,
    }
    with AppServer(app, sock):
        yield running


def returned_to(browser: Browser, app: LoginApp, **query: str) -> str:
    """Begin at our login, let the provider sign in at once, and give back the URL that it sends the browser to."""
    started = browser.get(f"{app.login_url}?{urlencode(query)}")
    return location(browser.get(location(started)))


def answer_of(url: str) -> dict[str, str]:
    """The authorization response's parameters."""
    return dict(parse_qsl(urlsplit(url).query))


def redeem(browser: Browser, app: LoginApp, url: str, **changes: str | None) -> httpx2.Response:
    """Post the authorization response in `url` as a single-page app does; a change to None leaves the member out."""
    answer = {name: value for name, value in answer_of(url).items() if name in ("code", "state", "iss")} | changes
    return browser.post_json(app.callback_url, {name: value for name, value in answer.items() if value is not None})


def sign_in(browser: Browser, app: LoginApp) -> httpx2.Response:
    """The whole sign-in by code and `POST`."""
    return redeem(browser, app, returned_to(browser, app))


def code_of(answer: httpx2.Response) -> str:
    """The error code of an answer in our one shape."""
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "detail", "request_id"}
    return str(error["code"])


def _no_aws() -> NoReturn:
    raise AssertionError("a test must not reach for AWS")
