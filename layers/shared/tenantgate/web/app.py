"""Build an HTTP application from routers: the same way for a function, the container and the tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, override

from fastapi import APIRouter, FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi.routing import RouteContext, iter_route_contexts
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Scope

from tenantgate import __version__
from tenantgate.observability.logging import configure_logging
from tenantgate.route_rules.engine import ApiRules
from tenantgate.settings.environment import get_settings, read_variables
from tenantgate.settings.model import Settings
from tenantgate.settings.notes import log_notes
from tenantgate.web.ambiguous_requests import RejectAmbiguousRequests
from tenantgate.web.cookies import Cookies
from tenantgate.web.middleware import ErrorRendering, Headers, RequestLogging
from tenantgate.web.openapi import DESCRIPTION, TAGS, complete
from tenantgate.web.pages.show_pages import ShowPages
from tenantgate.web.refused_origins import RefusedOrigins
from tenantgate.web.route_table import RouteTable

if TYPE_CHECKING:
    from tenantgate.web.dependencies import RevocationSource, SessionCredential


class TenantgateApp(FastAPI):
    """FastAPI with the product's middleware instead of its built-in one: no route, error or header bypasses it."""

    def __init__(
        self,
        *,
        settings: Settings,
        cors: bool,
        route_rules: ApiRules | None,
        session: SessionCredential | None,
        revocations: RevocationSource | None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.settings = settings
        self._cors = cors
        self._route_rules = route_rules
        self._session = session
        self._revocations = revocations

    @override
    def build_middleware_stack(self) -> ASGIApp:
        app: ASGIApp = AsyncExitStackMiddleware(self.router)
        if self._route_rules is not None:
            from tenantgate.web.route_rules import RouteRules  # noqa: PLC0415  (no function behind API Gateway needs it)

            app = RouteRules(
                app,
                rules=self._route_rules,
                route_of=self._route_of,
                session=self._session,
                revocations=self._revocations,
            )
        if limits := self.settings.request_limits:
            from tenantgate.rate_limits.wiring import rate_limiter  # noqa: PLC0415  (not where limits are off)
            from tenantgate.web.rate_limiting import CountRequests  # noqa: PLC0415

            app = CountRequests(
                app,
                limits=limits,
                limiter=rate_limiter(self.settings),
                trusted_proxies=self.settings.trusted_proxies,
                route_of=self._route_of,
            )
        # A proxy that terminates TLS for `https://localhost` serves only the name in its certificate.
        if self._cors and self.settings.is_local_development and self.settings.public_base_url.startswith("http://"):
            from tenantgate.web.canonical_host import CanonicalHost  # noqa: PLC0415  (only where no gateway does it)

            app = CanonicalHost(app, self.settings.public_base_url)
        origins = self.settings.allowed_origins
        refused = RefusedOrigins(allowed=origins, base_url=self.settings.public_base_url)
        headers = Headers(app, allowed_origins=origins if self._cors else None, refused=refused)
        errors = ErrorRendering(
            RejectAmbiguousRequests(headers),
            debug=self.settings.is_development,
            routes=lambda: self.route_table,
            finish=headers.finish,
        )
        return RequestLogging(Cookies(errors), is_own=lambda text: text in self._own_texts)

    def _route_of(self, scope: Scope) -> str | None:
        """Return the pattern of the route that the router will run, or None if it will run none.

        The router itself decides that, since a second reading of the path might differ.
        """
        if not any(route.matches(scope)[0] is Match.FULL for route in self.router.routes):
            return None
        for route in self._flat_routes:
            if route.path is not None and route.matches(scope)[0] is Match.FULL:
                return route.path
        return ""

    @cached_property
    def route_names(self) -> frozenset[str]:
        """Every route as `GET /path`, and as `ANY /path`; a parameter of several parts is `{name+}`."""
        return frozenset(
            f"{method} {route.path.replace(':path}', '+}')}"
            for route in self._flat_routes
            if route.path is not None
            for method in (*(route.methods or ()), "ANY")
        )

    @cached_property
    def _flat_routes(self) -> list[RouteContext]:
        return list(iter_route_contexts(self.routes))

    @override
    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is not None:
            return self.openapi_schema
        pages = {
            f"{method} {route.path}"
            for route in self._flat_routes
            if ShowPages in getattr(route, "dependencies", ())
            for method in route.methods or ()
        }
        return complete(super().openapi(), self.settings, pages=pages)

    @cached_property
    def _own_texts(self) -> frozenset[str]:
        """Paths and settings that callers also send: a provider's redirect names its issuer (RFC 9207)."""
        paths = {route.path for route in iter_route_contexts(self.routes) if route.path is not None}
        return frozenset(paths | {self.settings.oidc_issuer_url, self.settings.oidc_client_id})

    @cached_property
    def route_table(self) -> RouteTable:
        """Every path with its methods. Built at first use, when the routes are complete."""
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
    session: SessionCredential | None = None,
    revocations: RevocationSource | None = None,
) -> TenantgateApp:
    """Build an ASGI application from these routers, and configure the process's logging.

    `route_rules`: checked for every request, where no API Gateway asks the authorizer first, for callers with a bearer
    token or, by `session`, a session cookie; `revocations`: for these bearer tokens. `cors=False`: API Gateway handles
    cross-origin requests. `settings` defaults to the process's, whose notes are logged. A body over 64 KiB is refused
    with VAL_003 as soon as a route reads it.
    """
    is_process = settings is None
    settings = settings or get_settings()
    configure_logging(level=settings.effective_log_level, service=service)
    if is_process:
        log_notes(settings, read_variables())
    app = TenantgateApp(
        settings=settings,
        cors=cors,
        route_rules=route_rules,
        session=session,
        revocations=revocations,
        title="Tenantgate",
        summary="Sign-in, token validation and sessions for multi-tenant APIs",
        description=DESCRIPTION,
        openapi_tags=TAGS,
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        max_body_size=None,  # our own middleware limits it, and responds with our error shape
        # It would record bodies and messages without our redaction.
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
