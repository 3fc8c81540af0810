"""The same API in one process: every function's routes under one application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import APIRouter, FastAPI

from functions.auth_callback.routes import router as auth_callback
from functions.auth_login.routes import router as auth_login
from functions.auth_logout.routes import router as auth_logout
from functions.auth_me.routes import router as auth_me
from functions.auth_validate.routes import router as auth_validate
from functions.health.routes import router as health
from functions.identity_provider.routes import router as identity_provider
from tenantgate.database.wiring import dispose_database
from tenantgate.observability.setting_text import shown_text
from tenantgate.route_rules.engine import ApiRules
from tenantgate.route_rules.file import RulesError, read_rules
from tenantgate.route_rules.model import CONTAINER_API
from tenantgate.settings.model import Settings, SettingsError, get_settings
from tenantgate.web.app import TenantgateApp, create_app

# Each functions/<name>/routes.py; a test finds a missing one. What no route takes, the application answers itself, as
# the unknown_route function does on AWS.
ROUTERS: tuple[APIRouter, ...] = (
    auth_callback,
    auth_login,
    auth_logout,
    auth_me,
    auth_validate,
    health,
    identity_provider,
)
OPENAPI_DOCUMENT = Path(__file__).parents[1] / "docs" / "openapi.json"
# The authorizer's: one file for both.
SHIPPED_RULES = Path(__file__).parents[1] / "functions" / "authorizer" / "rules.toml"


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await dispose_database()


def container_rules(settings: Settings) -> ApiRules:
    """The rules for the API id `container`: those of `ROUTE_RULES_FILE` if it has any, else the product's own.

    Raises `SettingsError` when the file can't be used.
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


def container_app(settings: Settings | None = None) -> TenantgateApp:
    """The application of these settings (the process's by default), with `/docs` in development.

    Raises `SettingsError`, so that a container with a bad or missing setting never serves.
    """
    settings = settings or get_settings()
    _ = settings.required_database_url
    documentation = []
    if settings.is_development:
        from tenantgate.web.docs import documentation_routes  # noqa: PLC0415  (its assets are for development)

        documentation = documentation_routes(OPENAPI_DOCUMENT)
    return create_app(
        *ROUTERS,
        settings=settings,
        lifespan=_lifespan,
        extra_routes=documentation,
        route_rules=container_rules(settings),
    )
