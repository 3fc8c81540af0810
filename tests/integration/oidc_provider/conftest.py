"""The certified provider of npm's `oidc-provider` in its own process, with one client for each kind of registration."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.fixtures.browsers.certified_provider import USER
from tests.fixtures.browsers.scripted import Browser
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.login.app import CALLBACK, LoginApp, running_login_app
from tests.fixtures.providers.certified import certified_provider
from tests.fixtures.servers.app_server import free_socket

RESOURCE = "https://api.example.test"
TENANT, WITHOUT_TENANT = "org-8a1f5f0e-6f0b-4b7e-9a57-2f7c4f3d9b11", "without-tenant"


@dataclass(frozen=True)
class Registration:
    """One client of the provider, and the port on which the application is that client."""

    client_id: str
    algorithm: str
    requests_resource: bool
    by_default: bool
    refreshes: bool = False
    sock: socket.socket = field(default_factory=free_socket)
    secret: str = "s3cret: +%&/"

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.sock.getsockname()[1]}"

    def as_configured(self) -> dict[str, object]:
        return {
            "client_id": self.client_id,
            "client_secret": self.secret,
            "redirect_uris": [self.base + CALLBACK],
            "post_logout_redirect_uris": [self.base + "/"],
            "id_token_signed_response_alg": self.algorithm,
            "grant_types": ["authorization_code", *(["refresh_token"] if self.refreshes else [])],
            "backchannel_logout_uri": self.base + "/api/v1/auth/backchannel-logout",
            "backchannel_logout_session_required": True,
        }

    @property
    def variables(self) -> dict[str, str]:
        """The settings of the application that is this client."""
        resource = {"OIDC_RESOURCE": RESOURCE} if self.requests_resource else {}
        # The provider ignores `offline_access` without consent (OpenID Connect Core §11).
        offline = {"OIDC_SCOPES": "openid offline_access", "OIDC_AUTHORIZE_PARAMS": '{"prompt": "consent"}'}
        return resource | (offline if self.refreshes else {})


@pytest.fixture(scope="module")
def registrations() -> Iterator[dict[str, Registration]]:
    made = [
        Registration("RS256-by-resource", "RS256", requests_resource=True, by_default=False),
        Registration("RS256-by-default", "RS256", requests_resource=False, by_default=True),
        Registration("ES256-by-resource", "ES256", requests_resource=True, by_default=False),
        Registration("ES256-by-default", "ES256", requests_resource=False, by_default=True),
        Registration("refresh-by-resource", "RS256", requests_resource=True, by_default=False, refreshes=True),
        Registration("refresh-by-default", "ES256", requests_resource=False, by_default=True, refreshes=True),
        Registration("opaque", "RS256", requests_resource=False, by_default=False),
    ]
    yield {registration.client_id: registration for registration in made}
    for registration in made:
        registration.sock.close()


@pytest.fixture(scope="module")
def issuer(registrations: dict[str, Registration]) -> Iterator[str]:
    clients = [registration.as_configured() for registration in registrations.values()]
    defaults = [name for name, registration in registrations.items() if registration.by_default]
    with certified_provider(clients, resource=RESOURCE, default_for=defaults, tenants={USER: TENANT}) as issuer:
        yield issuer


def app_as(registration: Registration, issuer: str, database: DatabaseUrls) -> Iterator[LoginApp]:
    with running_login_app(
        issuer,
        client_id=registration.client_id,
        client_secret=registration.secret,
        audience=RESOURCE,
        variables=registration.variables,
        sock=registration.sock,
        database_url=database.app_url,
    ) as running:
        yield running


@pytest.fixture(
    scope="module", params=["RS256-by-resource", "RS256-by-default", "ES256-by-resource", "ES256-by-default"]
)
def app(
    request: pytest.FixtureRequest,
    registrations: dict[str, Registration],
    issuer: str,
    database_urls: DatabaseUrls,
) -> Iterator[LoginApp]:
    """Run the application once as each client that gets JWT access tokens."""
    yield from app_as(registrations[request.param], issuer, database_urls)


@pytest.fixture(scope="module", params=["refresh-by-resource", "refresh-by-default"])
def refreshing_app(
    request: pytest.FixtureRequest,
    registrations: dict[str, Registration],
    issuer: str,
    database_urls: DatabaseUrls,
) -> Iterator[LoginApp]:
    """Run the application once as each client that gets refresh tokens."""
    yield from app_as(registrations[request.param], issuer, database_urls)


@pytest.fixture(scope="module")
def app_with_opaque_tokens(
    registrations: dict[str, Registration], issuer: str, database_urls: DatabaseUrls
) -> Iterator[LoginApp]:
    yield from app_as(registrations["opaque"], issuer, database_urls)


@pytest.fixture
def browser() -> Iterator[Browser]:
    with Browser() as opened:
        yield opened
