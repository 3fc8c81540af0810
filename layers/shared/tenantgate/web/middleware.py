"""What surrounds every route, as pure ASGI, from the outside in: request id and logging → errors → headers and CORS.

What the errors layer answers by itself gets the same headers as what a route answers.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tenantgate.context import RequestContext, begin_request, choose_request_id
from tenantgate.errors import BodyTooLarge, InternalError, TenantgateError
from tenantgate.observability.redaction import CarriedSecrets, carry_secrets, sanitize_query
from tenantgate.web.failures import failure_of
from tenantgate.web.headers import SECURE_HEADERS, preflight_headers, response_headers
from tenantgate.web.responses import error_response
from tenantgate.web.route_table import RouteTable

LONGEST_BODY = 64 * 1024

_log = logging.getLogger("tenantgate.requests")
_SECURE = [(name.encode(), value.encode()) for name, value in SECURE_HEADERS.items()]


def header(scope: Scope, name: bytes) -> str | None:
    """The first header of this lower-case name."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value).decode("latin-1")
    return None


class RequestLogging:
    """Gives the request its id and context, and logs its start (DEBUG) and its end (INFO)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter_ns()
        event = scope.get("aws.event")
        gateway_id = event["requestContext"].get("requestId") if event else None
        offered = header(scope, b"x-request-id")
        if offered is not None and offered.startswith("eyJ"):
            offered = None  # a token in the wrong header must not become the id that every line repeats
        context = RequestContext(
            request_id=choose_request_id(offered, gateway_request_id=gateway_id), gateway_request_id=gateway_id
        )
        begin_request(context)
        carried = CarriedSecrets(scope["headers"], scope["query_string"])
        carry_secrets(carried)
        request_id = (b"x-request-id", context.request_id.encode())
        status = 0
        unread = LONGEST_BODY

        async def receive_bounded() -> Message:
            nonlocal unread
            if unread == LONGEST_BODY and _declared_length(scope) > LONGEST_BODY:
                raise BodyTooLarge
            message = await receive()
            if message["type"] == "http.request" and (chunk := message.get("body")):
                unread -= len(chunk)
                if unread < 0:
                    raise BodyTooLarge
                carried.add_body(chunk)
            return message

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), request_id]
            await send(message)

        if _log.isEnabledFor(logging.DEBUG):
            query = sanitize_query(scope["query_string"].decode("latin-1")) if scope["query_string"] else ""
            _log.debug(
                "request started",
                extra={"context": {"method": scope["method"], "path": scope["path"], "query": query}},
            )
        try:
            await self._app(scope, receive_bounded, send_marked)
        finally:
            _log.info(
                "request completed",
                extra={
                    "context": {
                        "method": scope["method"],
                        "path": scope["path"],
                        "status": status or None,
                        "duration_ms": round((time.perf_counter_ns() - started) / 1e6, 3),
                        **({"gateway_request_id": gateway_id} if gateway_id else {}),
                    }
                },
            )


def _declared_length(scope: Scope) -> int:
    declared = header(scope, b"content-length")
    return int(declared) if declared is not None and declared.isascii() and declared.isdigit() else 0


type Finish = Callable[[Scope, Message], None]


class ErrorRendering:
    """Turns every exception into the one error shape; logs it once, with its private side."""

    def __init__(self, app: ASGIApp, *, debug: bool, routes: Callable[[], RouteTable], finish: Finish) -> None:
        self._app = app
        self._debug = debug
        self._routes = routes
        self._finish = finish

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answering = False

        async def watch(message: Message) -> None:
            nonlocal answering
            answering = answering or message["type"] == "http.response.start"
            await send(message)

        async def send_finished(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._finish(scope, message)
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:
            failure, allow = failure_of(error, scope), None
            if failure.http_status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
                # The router's own 405 names the methods of one route; a path may have several.
                failure, allow = self._routes().refusal(scope["path"]) if failure is not error else (failure, None)
            log_failure(failure)
            if answering:
                raise
            if scope.get(PAGES_KEY) and _wants_page(scope):
                from tenantgate.web.pages import failure_page  # noqa: PLC0415  (Jinja2 is for browsers alone)

                await failure_page(failure, debug=self._debug)(scope, receive, send_finished)
                return
            await error_response(failure, debug=self._debug, allow=allow)(scope, receive, send_finished)


# Set in a request's scope by `show_pages`: this route's failures are pages when a browser asks.
PAGES_KEY = "tenantgate.pages"


def _wants_page(scope: Scope) -> bool:
    from tenantgate.web.accept import prefers_html  # noqa: PLC0415

    return prefers_html(header(scope, b"accept"))


def log_failure(failure: TenantgateError) -> None:
    """One line per refused or failed request: a refusal at INFO, our own trouble at ERROR."""
    context: dict[str, object] = {"code": failure.error.code, "kind": type(failure).__name__}
    if failure.reason:
        context["reason"] = failure.reason
    if failure.private:
        context["private"] = failure.private
    if failure.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        cause = failure.__cause__ if isinstance(failure, InternalError) else failure
        _log.error("request failed", exc_info=cause or failure, extra={"context": context})
    else:
        _log.info("request refused", extra={"context": context})


class Headers:
    """Puts the secure headers on every response and, where no gateway does it, answers CORS (Fetch standard §3.2)."""

    def __init__(self, app: ASGIApp, *, allowed_origins: Collection[str] | None) -> None:
        """`allowed_origins` None: API Gateway owns CORS."""
        self._app = app
        self._allowed = None if allowed_origins is None else frozenset(allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_finished(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.finish(scope, message)
            await send(message)

        if self._allowed is not None and scope["method"] == "OPTIONS":
            origin = header(scope, b"origin")
            if origin is not None and header(scope, b"access-control-request-method") is not None:
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
        if self._allowed is not None:
            # Always, with or without an Origin: a shared cache must not hand one origin's answer to another.
            headers.append((b"vary", b"Origin"))
            origin = header(scope, b"origin")
            if origin is not None and not preflight:
                headers += [(n.encode(), v.encode()) for n, v in response_headers(origin, self._allowed).items()]
        message["headers"] = headers
