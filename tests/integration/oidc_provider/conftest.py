"""The certified provider of npm's `oidc-provider` in its own process, with one client for each kind of registration."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.fixtures.browsers.scripted import Browser
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.login.app import CALLBACK, LoginApp, running_login_app
from tests.fixtures.providers.certified import certified_provider
from tests.fixtures.servers.app_server import free_socket

RESOURCE = "https://api.example.test"
USER, TENANT, WITHOUT_TENANT = "alice", "org-8a1f5f0e-6f0b-4b7e-9a57-2f7c4f3d9b11", "without-tenant"


@dataclass(frozen=True)
class Registration:
    """One client of the provider, and the port on which the application is that client."""

    client_id: str
    algorithm: str
    requests_resource: bool
    by_default: bool
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
        }


@pytest.fixture(scope="module")
def registrations() -> Iterator[dict[str, Registration]]:
    made = [
        Registration("RS256-by-resource", "RS256", requests_resource=True, by_default=False),
        Registration("RS256-by-default", "RS256", requests_resource=False, by_default=True),
        Registration("ES256-by-resource", "ES256", requests_resource=True, by_default=False),
        Registration("ES256-by-default", "ES256", requests_resource=False, by_default=True),
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
    variables = {"OIDC_RESOURCE": RESOURCE} if registration.requests_resource else {}
    with running_login_app(
        issuer,
        client_id=registration.client_id,
        client_secret=registration.secret,
        audience=RESOURCE,
        variables=variables,
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


@pytest.fixture(scope="module")
def app_with_opaque_tokens(
    registrations: dict[str, Registration], issuer: str, database_urls: DatabaseUrls
) -> Iterator[LoginApp]:
    yield from app_as(registrations["opaque"], issuer, database_urls)


@pytest.fixture
def browser() -> Iterator[Browser]:
    with Browser() as opened:
        yield opened
