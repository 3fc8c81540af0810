"""The middleware around every route, as pure ASGI. From the outside in: request id and logging, errors, headers, CORS.

The response to an error has the same headers as the response of a route.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tenantgate.errors.base import TenantgateError
from tenantgate.errors.tokens import Overloaded
from tenantgate.observability.redaction import CarriedSecrets, carry_secrets
from tenantgate.web.accept import navigates, prefers_html
from tenantgate.web.cookies import clear_cookies
from tenantgate.web.counted import rate_limit_headers
from tenantgate.web.errors import BodyTooLarge, HeadersTooLarge, RequestTooSlow
from tenantgate.web.failures import failure_of
from tenantgate.web.headers import SECURE_HEADERS, preflight_headers, response_headers
from tenantgate.web.pages.show_pages import PAGES_KEY
from tenantgate.web.refused_origins import RefusedOrigins
from tenantgate.web.request_body import bounded, header
from tenantgate.web.request_log import RequestLog, log_failure
from tenantgate.web.responses import error_response
from tenantgate.web.route_table import RouteTable

# Set in a request's scope by the container's server: the error to respond with instead of serving the request.
REJECTION_KEY = "tenantgate.rejection"

_SECURE = [(name.encode(), value.encode()) for name, value in SECURE_HEADERS.items()]


class RequestLogging:
    """Gives the request its id and context, logs it, limits its body, and masks its secrets in every log line."""

    def __init__(self, app: ASGIApp, *, is_own: Callable[[str], bool]) -> None:
        """Log requests to `app`.

        `is_own` is True for a text of the application itself, such as a path. Log lines repeat such a text even when a
        caller sent it, too.
        """
        self._app = app
        self._is_own = is_own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        event = scope.get("aws.event")
        carried = CarriedSecrets(scope["headers"], scope["query_string"], public=self._is_own)
        carry_secrets(carried)
        request = RequestLog(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            offered_id=header(scope, b"x-request-id"),
            gateway_request_id=event["requestContext"].get("requestId") if event else None,
        )
        request_id = (b"x-request-id", request.request_id.encode())
        status: int | None = None

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), request_id]
            await send(message)

        try:
            await self._app(scope, bounded(scope, receive, carried), send_marked)
        finally:
            request.completed(status)


_NO_ROUTE = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)
# A limit is checked before the route, which would say that it is for people.
_BEFORE_ROUTES = (*_NO_ROUTE, HTTPStatus.TOO_MANY_REQUESTS)
_LEAVE_THE_BODY_UNREAD = (BodyTooLarge, HeadersTooLarge, RequestTooSlow)

type Finish = Callable[[Scope, Message], None]


def _leaves_a_body(failure: TenantgateError | None, scope: Scope) -> bool:
    if isinstance(failure, Overloaded):
        # Without a body (RFC 9112 §6), the connection is kept: a new one would be more work than the response.
        return header(scope, b"content-length") not in {None, "0"} or header(scope, b"transfer-encoding") is not None
    return isinstance(failure, _LEAVE_THE_BODY_UNREAD)


def _raise_rejection(scope: Scope) -> None:
    if (rejection := scope.get(REJECTION_KEY)) is not None:
        raise rejection


class ErrorRendering:
    """Turns every exception into the one error shape, and logs it once, with its private details."""

    def __init__(self, app: ASGIApp, *, debug: bool, routes: Callable[[], RouteTable], finish: Finish) -> None:
        self._app = app
        self._debug = debug
        self._routes = routes
        self._finish = finish

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        async def send_finished(message: Message) -> None:
            if message["type"] == "http.response.start":
                if _leaves_a_body(failure, scope) and "aws.event" not in scope:
                    # The rest of the body stays unread, so the connection can't be used again (RFC 9112 §9.3).
                    message["headers"].append((b"connection", b"close"))
                self._finish(scope, message)
            await send(message)

        failure: TenantgateError | None = None
        try:
            _raise_rejection(scope)
            await self._app(scope, receive, watch)
        except Exception as error:
            failure, allow = failure_of(error, scope), None
            if failure.http_status in _NO_ROUTE:
                # The router's own 405 names the methods of one route, but a path may have several.
                failure, allow = self._routes().error_for(scope["path"]) if failure is not error else (failure, None)
            log_failure(failure)
            if started:
                raise
            clear_cookies(scope, failure.clears_cookies)
            if self._is_page(failure, scope):
                from tenantgate.web.pages.rendering import error_page  # noqa: PLC0415  (Jinja2 is only for browsers)

                shown = error_page(failure, debug=self._debug, path=scope["path"], allow=allow)
                await shown(scope, receive, send_finished)
                return
            await error_response(failure, debug=self._debug, allow=allow)(scope, receive, send_finished)

    @staticmethod
    def _is_page(failure: TenantgateError, scope: Scope) -> bool:
        # Of a route for people, or where a browser reached no route.
        accept = header(scope, b"accept")
        if failure.http_status in _BEFORE_ROUTES and navigates(scope["method"], accept):
            return True
        return bool(scope.get(PAGES_KEY)) and prefers_html(accept)


class Headers:
    """Adds the secure headers to every response and, without a gateway, handles CORS (Fetch standard §3.2)."""

    def __init__(self, app: ASGIApp, *, allowed_origins: Collection[str] | None, refused: RefusedOrigins) -> None:
        """Add headers to the responses of `app`. `allowed_origins` None: API Gateway handles CORS."""
        self._app = app
        self._refused = refused
        self._allowed = None if allowed_origins is None else frozenset(allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_finished(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.finish(scope, message)
            await send(message)

        self._refused.log(scope["headers"])
        origin = header(scope, b"origin")
        is_asking = scope["method"] == "OPTIONS" and header(scope, b"access-control-request-method") is not None
        if self._allowed is not None and origin is not None and is_asking:
            headers = [(n.encode(), v.encode()) for n, v in preflight_headers(origin, self._allowed).items()]
            start: Message = {"type": "http.response.start", "status": 204, "headers": headers}
            self.finish(scope, start, preflight=True)
            await send(start)
            await send({"type": "http.response.body", "body": b""})
            return
        await self._app(scope, receive, send_finished)

    def finish(self, scope: Scope, message: Message, *, preflight: bool = False) -> None:
        """Complete the headers of a `http.response.start`."""
        headers = list(message.get("headers", ()))
        present = {bytes(name).lower() for name, _ in headers}
        headers += [item for item in _SECURE if item[0] not in present]
        headers += rate_limit_headers(scope, message["status"])
        if self._allowed is not None:
            # Even without an Origin: a shared cache must not give one origin's response to another.
            headers.append((b"vary", b"Origin"))
            origin = header(scope, b"origin")
            if origin is not None and not preflight:
                headers += [(n.encode(), v.encode()) for n, v in response_headers(origin, self._allowed).items()]
        message["headers"] = headers
