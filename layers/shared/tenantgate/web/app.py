"""The one way to make an HTTP application of routers, for a single function, the container and the tests alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, override

from fastapi import APIRouter, FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi.routing import RouteContext, iter_route_contexts
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Scope

from tenantgate import __version__
from tenantgate.observability.logging import configure_logging
from tenantgate.route_rules.engine import ApiRules
from tenantgate.settings.environment import get_settings
from tenantgate.settings.model import Settings
from tenantgate.web.clear_requests import ClearRequests
from tenantgate.web.cookies import Cookies
from tenantgate.web.middleware import ErrorRendering, Headers, RequestLogging
from tenantgate.web.openapi import security_schemes
from tenantgate.web.route_table import RouteTable


class TenantgateApp(FastAPI):
    """FastAPI with our middleware in place of its own: no route, no failure and no header goes past it."""

    def __init__(self, *, settings: Settings, cors: bool, route_rules: ApiRules | None, **options: Any) -> None:
        super().__init__(**options)
        self.settings = settings
        self._cors = cors
        self._route_rules = route_rules

    @override
    def build_middleware_stack(self) -> ASGIApp:
        app: ASGIApp = AsyncExitStackMiddleware(self.router)
        if self._route_rules is not None:
            from tenantgate.web.route_rules import RouteRules  # noqa: PLC0415  (no function behind API Gateway needs it)

            app = RouteRules(app, rules=self._route_rules, route_of=self._route_of)
        headers = Headers(app, allowed_origins=self.settings.allowed_origins if self._cors else None)
        errors = ErrorRendering(
            ClearRequests(headers),
            debug=self.settings.is_development,
            routes=lambda: self.route_table,
            finish=headers.finish,
        )
        return RequestLogging(Cookies(errors), is_own=lambda text: text in self._own_texts)

    def _route_of(self, scope: Scope) -> str | None:
        """The pattern of the route that the router will run, None if it will run none.

        The router itself is asked whether there is one, since another reading of the path might differ.
        """
        if not any(route.matches(scope)[0] is Match.FULL for route in self.router.routes):
            return None
        for route in self._flat_routes:
            if route.path is not None and route.matches(scope)[0] is Match.FULL:
                return route.path
        return ""

    @cached_property
    def _flat_routes(self) -> list[RouteContext]:
        return list(iter_route_contexts(self.routes))

    @override
    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        document.setdefault("components", {})["securitySchemes"] = security_schemes(self.settings)
        return document

    @cached_property
    def _own_texts(self) -> frozenset[str]:
        """Paths and settings that callers send too: a provider's redirect names its issuer (RFC 9207)."""
        paths = {route.path for route in iter_route_contexts(self.routes) if route.path is not None}
        return frozenset(paths | {self.settings.oidc_issuer_url, self.settings.oidc_client_id})

    @cached_property
    def route_table(self) -> RouteTable:
        """Every path with its methods, made once the routes are complete."""
        table: dict[str, set[str]] = {}
        for route in self._flat_routes:
            if route.path is not None:
                table.setdefault(route.path, set()).update(route.methods or {"ANY"})
        return RouteTable(table)


def create_app(
    *routers: APIRouter,
    settings: Settings | None = None,
    lifespan: Callable[[Any], Any] | None = None,
    extra_routes: Sequence[BaseRoute] = (),
    cors: bool = True,
    service: str = "tenantgate",
    route_rules: ApiRules | None = None,
) -> TenantgateApp:
    """An ASGI application of these routers.

    `route_rules` where no API Gateway asks the authorizer before: every request is held to them. `cors=False` where
    API Gateway answers cross-origin requests. `settings` defaults to the process's. Configures the process's logging.
    Bodies over 64 KiB are refused with VAL_003 as soon as a route reads them.
    """
    settings = settings or get_settings()
    configure_logging(level=settings.effective_log_level, service=service)
    app = TenantgateApp(
        settings=settings,
        cors=cors,
        route_rules=route_rules,
        title="Tenantgate",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        max_body_size=None,  # bounded by our own middleware, in our own shape
        # It would record bodies and messages as they came, past our redaction.
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
    )
    for router in routers:
        app.include_router(router)
    app.router.routes.extend(extra_routes)
    return app
