"""The built-in provider as the application that ships, on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

import httpx2
import pytest

from functions.identity_provider.routes import router
from tenantgate.database.wiring import dispose_database
from tenantgate.secrets.store import secret_store
from tenantgate.settings.model import get_settings
from tenantgate.web.app import TenantgateApp, create_app
from tests.support.provider import AUDIENCE, CLIENT_ID, CLIENT_SECRET

SPA_ORIGIN = "https://spa.example.test"
# https, so that the client's cookie jar keeps `Secure` cookies.
BASE_URL = "https://auth.example.test"


def provider_variables(*, base_url: str, database_url: str, sealing_key: str, **changes: str) -> dict[str, str]:
    """The environment in which the provider runs."""
    return {
        "ENVIRONMENT": "development",
        "LOG_LEVEL": "INFO",
        "PUBLIC_BASE_URL": base_url,
        "ALLOWED_ORIGINS": f"{base_url},{SPA_ORIGIN}",
        "DATABASE_URL": database_url,
        "OIDC_CLIENT_ID": CLIENT_ID,
        "OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "OIDC_AUDIENCE": AUDIENCE,
        "COOKIE_SEALING_KEYS": sealing_key,
        **changes,
    }


def application() -> TenantgateApp:
    """The application with the provider's routes, of this process's environment."""
    return create_app(router)


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """These variables, read anew."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        get_settings.cache_clear()
        secret_store.cache_clear()
        yield
    get_settings.cache_clear()
    secret_store.cache_clear()


@asynccontextmanager
async def provider_client(variables: Mapping[str, str]) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the real application in this process."""
    with environment(variables):
        transport = httpx2.ASGITransport(application())
        try:
            async with httpx2.AsyncClient(transport=transport, base_url=variables["PUBLIC_BASE_URL"]) as client:
                yield client
        finally:
            await dispose_database()
