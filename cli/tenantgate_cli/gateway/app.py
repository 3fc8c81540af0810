"""The gateway as an ASGI application: an HTTP request in, an API Gateway event to a function, its answer back.

What isn't a route's, authorizer's or function's is as API Gateway has it for every HTTP API: request ids, limits, CORS,
and its own `{"message": …}` answers.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from traceback import format_exception
from typing import Any
from urllib.parse import unquote_to_bytes

from tenantgate_cli.gateway import cors as cors_rules
from tenantgate_cli.gateway import responses
from tenantgate_cli.gateway.authorizers import AUTHORIZER_TIMEOUT, Allowed, AuthorizerGate
from tenantgate_cli.gateway.environments import Function
from tenantgate_cli.gateway.events import Request, integration_event
from tenantgate_cli.gateway.failures import FunctionError
from tenantgate_cli.gateway.model import FunctionSpec, Route, Template
from tenantgate_cli.gateway.responses import MalformedAnswer, Response
from tenantgate_cli.gateway.routing import Router

type Scope = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
type Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
type AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY = 10 * 1024 * 1024
# Request line and header values together.
MAX_HEADERS = 10240
# Lambda's own limit for the event and for the answer.
MAX_LAMBDA_PAYLOAD = 6 * 1024 * 1024


class ClientGone(Exception):
    """The client left before its request was whole."""


@dataclass(frozen=True, slots=True)
class Handled:
    """One request as it was answered. `function` and `route_key` are empty if the gateway answered by itself."""

    method: str
    path: str
    status: int
    seconds: float
    request_id: str
    route_key: str = ""
    function: str = ""


@dataclass(slots=True)
class Observer:
    """Who wants to know. `failed` is told the function's name and what went wrong in it."""

    handled: Callable[[Handled], None] = lambda _handled: None
    failed: Callable[[str, FunctionError | MalformedAnswer], None] = lambda _name, _error: None
    output: Callable[[str, str], None] = lambda _name, _line: None
    started: Callable[[str, float], None] = lambda _name, _seconds: None


class Gateway:
    """One HTTP API and its functions. `environments` is how many processes a function may have at once."""

    def __init__(self, template: Template, *, observer: Observer | None = None, environments: int = 8) -> None:
        self._observer = observer or Observer()
        self._environments = environments
        self.functions: dict[str, Function] = {}
        self._unanswered: set[asyncio.Task[bytes]] = set()
        self._warming: asyncio.Task[None] | None = None
        self.load(template)

    def load(self, template: Template) -> None:
        """Serve `template` from now on. Functions that it describes differently start anew."""
        for name in [name for name in self.functions if name not in template.functions]:
            self._retire(self.functions.pop(name))
        for name, spec in template.functions.items():
            known = self.functions.get(name)
            if known is None:
                self.functions[name] = self._function(spec)
            elif known.spec != spec:
                known.restart(spec)
        self._template = template
        self._router = Router(template.api.routes)
        self._gates = {
            name: AuthorizerGate(authorizer, self._authorize) for name, authorizer in template.api.authorizers.items()
        }

    @property
    def template(self) -> Template:
        return self._template

    def restart(self, names: Iterable[str]) -> list[str]:
        """Serve from changed code; returns which of `names` were running. These start anew, the last used first."""
        running = [name for name in names if self.functions[name].restart()]
        running.sort(key=lambda name: self.functions[name].last_used, reverse=True)
        if self._warming is not None:
            self._warming.cancel()
        self._warming = asyncio.create_task(self._warm(running))
        return running

    async def _warm(self, names: Iterable[str]) -> None:
        # One after the other: whoever is asked for meanwhile starts at once by itself.
        for name in names:
            if name in self.functions:
                await self.functions[name].warm()

    async def retire_idle(self, *, every: float = 15.0) -> None:
        """Run for ever: end environments that were needed for a burst of requests only."""
        while True:
            await asyncio.sleep(every)
            for function in self.functions.values():
                function.retire_idle()

    async def stop(self) -> None:
        """End every function's processes."""
        if self._warming is not None:
            self._warming.cancel()
        await asyncio.gather(*(function.stop() for function in self.functions.values()))
        await asyncio.gather(*self._unanswered, return_exceptions=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError("an HTTP API speaks HTTP alone")
        began = time.perf_counter()
        request = read_request(scope)
        route: Route | None = None
        try:
            if header_size(scope) > MAX_HEADERS:
                response = responses.headers_too_large()
            elif not await _read_body(request, receive):
                response = responses.too_large()
            else:
                response, route = await self._handle(request)
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - the gateway's own mistakes, too, are a 500 of its kind
            self._observer.failed("gateway", FunctionError(type(error).__name__, str(error), format_exception(error)))
            response = responses.internal_error()
        if self._template.api.cors is not None and not cors_rules.is_preflight(request):
            cors_rules.decorate(self._template.api.cors, request, response)
        await _send(send, request, response)
        self._observer.handled(
            Handled(
                method=request.method,
                path=request.path,
                status=response.status,
                seconds=time.perf_counter() - began,
                request_id=request.request_id,
                route_key=route.key if route else "",
                function=route.function if route else "",
            )
        )

    async def _handle(self, request: Request) -> tuple[Response, Route | None]:
        if self._template.api.cors is not None and cors_rules.is_preflight(request):
            return cors_rules.preflight(self._template.api.cors, request), None
        found = self._router.find(request.method, request.path)
        if found is None:
            return responses.not_found(), None
        route, path_parameters = found
        context: object = None
        if route.authorizer is not None:
            decision = await self._gates[route.authorizer].decide(request, route, path_parameters)
            if not isinstance(decision, Allowed):
                return decision, route
            context = decision.context
        return await self._integrate(request, route, path_parameters, context), route

    async def _integrate(
        self, request: Request, route: Route, path_parameters: Mapping[str, str], context: object
    ) -> Response:
        payload = json.dumps(integration_event(request, route, path_parameters, context)).encode()
        if len(payload) > MAX_LAMBDA_PAYLOAD:
            return responses.too_large()
        try:
            answer = await self._invoke(route.function, payload, request.trace_id, route.timeout)
            if len(answer) > MAX_LAMBDA_PAYLOAD:
                raise MalformedAnswer(f"the answer is longer than Lambda's limit of {MAX_LAMBDA_PAYLOAD} bytes")
            return responses.from_answer(answer)
        except TimeoutError:
            self._observer.failed(
                route.function, FunctionError("Timeout", f"no answer within {route.timeout:g} s, API Gateway's limit")
            )
            return responses.unavailable()
        except (FunctionError, MalformedAnswer) as error:
            self._observer.failed(route.function, error)
            return responses.internal_error()

    async def _authorize(self, function: str, payload: bytes, trace_id: str) -> bytes:
        try:
            return await self._invoke(function, payload, trace_id, AUTHORIZER_TIMEOUT)
        except FunctionError as error:
            if error.message != "Unauthorized":
                self._observer.failed(function, error)
            raise

    async def _invoke(self, function: str, payload: bytes, trace_id: str, limit: float) -> bytes:
        """Raises FunctionError, or TimeoutError when the gateway stops waiting; the invocation itself goes on then."""
        task = asyncio.create_task(self.functions[function].invoke(payload, trace_id=trace_id))
        done, _ = await asyncio.wait({task}, timeout=limit)
        if done:
            return task.result()
        self._unanswered.add(task)
        task.add_done_callback(self._forget)
        raise TimeoutError

    def _forget(self, task: asyncio.Task[bytes]) -> None:
        self._unanswered.discard(task)
        if not task.cancelled():
            # Nobody waits for it any more; unread, it would be reported as lost.
            task.exception()

    def _function(self, spec: FunctionSpec) -> Function:
        return Function(
            spec, limit=self._environments, on_output=self._observer.output, on_start=self._observer.started
        )

    def _retire(self, function: Function) -> None:
        task = asyncio.ensure_future(_nothing(function.stop()))
        self._unanswered.add(task)
        task.add_done_callback(self._forget)


async def _nothing(work: Awaitable[None]) -> bytes:
    await work
    return b""


def read_request(scope: Scope) -> Request:
    """The request without its body."""
    raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
    # API Gateway decodes the path before it routes, and what follows a `?` that comes to light then is lost.
    path = unquote_to_bytes(raw_path.split(b"?", 1)[0]).decode("utf-8", "replace").split("?", 1)[0]
    headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
    client = scope.get("client")
    return Request(
        method=scope["method"],
        path=path,
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        source_ip=client[0] if client else "127.0.0.1",
        protocol=f"HTTP/{scope.get('http_version', '1.1')}",
        scheme=scope.get("scheme", "http"),
    )


def header_size(scope: Scope) -> int:
    """Bytes of request line and headers."""
    line = len(scope["method"]) + len(scope.get("raw_path") or b"") + len(scope["query_string"]) + 12
    return line + sum(len(name) + len(value) for name, value in scope["headers"])


async def _read_body(request: Request, receive: Receive) -> bool:
    """False if it is too long; what was read until then is dropped."""
    declared = request.header("content-length")
    if declared is not None and declared.isdecimal() and int(declared) > MAX_BODY:
        return False
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY:
            return False
        chunks.append(chunk)
        if not message.get("more_body", False):
            break
    request.body = b"".join(chunks)
    return True


async def _send(send: Send, request: Request, response: Response) -> None:
    headers = [
        (name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in response.headers
    ]
    if response.status not in (204, 304):
        headers.append((b"content-length", str(len(response.body)).encode()))
    headers.append((b"apigw-requestid", request.request_id.encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    body = b"" if request.method == "HEAD" or response.status in (204, 304) else response.body
    await send({"type": "http.response.body", "body": body})
