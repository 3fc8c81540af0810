"""The API in one process: the routes of all functions in one application."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path

from fastapi import APIRouter

from container.audit_events import storing_audit_events
from container.polling import polling
from container.republishing import republishing
from container.sealing import sealing
from container.sweeping import sweeping
from tenantgate.cache.wiring import dispose_cache
from tenantgate.database.wiring import dispose_database
from tenantgate.login.provider.connections import keeping_connections
from tenantgate.observability.setting_text import shown_text
from tenantgate.revocation.credential import current_revocations
from tenantgate.route_rules.engine import ApiRules
from tenantgate.route_rules.file import RulesError, read_rules
from tenantgate.route_rules.model import CONTAINER_API
from tenantgate.sessions.credential import session_credential
from tenantgate.settings.environment import get_settings
from tenantgate.settings.errors import SettingsError
from tenantgate.settings.model import Settings
from tenantgate.web.app import TenantgateApp, create_app

logger = logging.getLogger(__name__)

FUNCTIONS = Path(__file__).parents[1] / "functions"
OPENAPI_DOCUMENT = Path(__file__).parents[1] / "docs" / "openapi.json"
# The same file as the authorizer's.
SHIPPED_RULES = FUNCTIONS / "authorizer" / "rules.toml"


def function_routers(folder: Path = FUNCTIONS) -> tuple[APIRouter, ...]:
    """Return the router of every `<folder>/<name>/routes.py`, sorted by name.

    The application itself returns errors for unknown routes, as the function `unknown_route` does on AWS. Raises
    RuntimeError when there is no such file or a module has no `router`, so that no endpoint is missing unnoticed.
    """
    names = sorted(path.parent.name for path in folder.glob("*/routes.py"))
    if not names:
        raise RuntimeError(f"{folder} has no routes.py")
    return tuple(_router(name) for name in names)


def _router(function: str) -> APIRouter:
    module = import_module(f"functions.{function}.routes")
    router = getattr(module, "router", None)
    if not isinstance(router, APIRouter):
        raise RuntimeError(f"functions/{function}/routes.py has no `router`, an APIRouter")
    return router


@asynccontextmanager
async def _lifespan(app: TenantgateApp) -> AsyncIterator[None]:
    settings = app.settings
    try:
        async with (
            storing_audit_events(),
            keeping_connections(),
            sweeping(),
            sealing(),
            polling(settings.token_policy),
            republishing(settings),
        ):
            yield
    finally:
        await dispose_cache()
        await dispose_database()


def container_rules(settings: Settings) -> ApiRules:
    """Return the rules for the API id `container`, from `ROUTE_RULES_FILE` if it has any, otherwise from the product's.

    Raises `SettingsError` when the file is invalid.
    """
    named = settings.route_rules_file
    try:
        rules = read_rules(str(SHIPPED_RULES))
        if named and CONTAINER_API in (given := read_rules(named)).apis:
            rules = given
    except RulesError as error:
        problems = error.located(shown_text(named or str(SHIPPED_RULES)))
        raise SettingsError(
            {"ROUTE_RULES_FILE": f"must be a rules file\n{problems}"}, {"ROUTE_RULES_FILE": named}
        ) from None
    return rules.for_api(CONTAINER_API)


def _require_known_routes(app: TenantgateApp) -> None:
    """Raise `SettingsError` if `RATE_LIMITS` names a route that doesn't exist: its limit would never apply."""
    if unknown := sorted(app.settings.request_limits.routes.keys() - app.route_names):
        problem = f"names {shown_text(unknown[0])}, but this API has no such route; docs/openapi.json lists them"
        raise SettingsError({"RATE_LIMITS": problem}, {"RATE_LIMITS": app.settings.rate_limits})


def _warn_of_hidden_clients(settings: Settings) -> None:
    # The container serves plain http: a proxy in front of it terminates TLS.
    if settings.request_limits and not settings.trusted_proxies and settings.public_base_url.startswith("https://"):
        logger.warning(
            "TRUSTED_PROXIES is not set, but a proxy serves PUBLIC_BASE_URL: rate limits per address are off behind "
            "one in a private network, and take all clients of another one for one. Set it to the proxy's network"
        )


def container_app(settings: Settings | None = None) -> TenantgateApp:
    """Build the application from settings (the process's by default), with `/docs` in development.

    Raises `SettingsError`, so that a container with an invalid or missing setting never starts.
    """
    given, settings = settings, settings or get_settings()
    _ = settings.required_database_url
    documentation = []
    if settings.is_development:
        from tenantgate.web.docs import documentation_routes  # noqa: PLC0415  (its assets are for development)

        documentation = documentation_routes(OPENAPI_DOCUMENT)
    app = create_app(
        *function_routers(),
        settings=given,
        lifespan=_lifespan,
        extra_routes=documentation,
        route_rules=container_rules(settings),
        session=session_credential,
        revocations=current_revocations,
    )
    _require_known_routes(app)
    # Once the application has configured the logs.
    _warn_of_hidden_clients(settings)
    if settings.redis_url is None:
        logger.warning(
            "REDIS_URL is not set: no session cookie passes the authorizer, and it accepts a revoked token until that "
            "expires; the rest works from PostgreSQL"
        )
    return app
