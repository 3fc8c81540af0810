"""Lambda authorizers of an HTTP API: payload 2.0, simple responses.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from tenantgate_cli.gateway.events import STAGE, Request, authorizer_event
from tenantgate_cli.gateway.failures import FunctionError
from tenantgate_cli.gateway.model import Authorizer, Route
from tenantgate_cli.gateway.responses import Response, forbidden, internal_error, unauthorized

# API Gateway waits this long for an authorizer.
AUTHORIZER_TIMEOUT = 10.0
_CACHE_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class Allowed:
    """`context` is what the authorizer handed on."""

    context: object


type Decision = Allowed | Response
type Invoke = Callable[[str, bytes, str], Awaitable[bytes]]


class AuthorizerGate:
    """Runs one authorizer before a request reaches its function.

    `invoke(function, payload, trace_id)` runs the function. Answers are cached by the values of the identity sources,
    whatever the route, as API Gateway does.
    """

    def __init__(self, authorizer: Authorizer, invoke: Invoke, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._authorizer = authorizer
        self._invoke = invoke
        self._clock = clock
        self._cache: dict[tuple[str, ...], tuple[float, Decision]] = {}

    async def decide(self, request: Request, route: Route, path_parameters: Mapping[str, str]) -> Decision:
        """Allowed, or the response that the client gets instead."""
        identity = [self._identity(source, request, route) for source in self._authorizer.identity_sources]
        present = [value for value in identity if value]
        if len(present) < len(identity):
            return unauthorized()
        key = tuple(present)
        if self._authorizer.ttl and (cached := self._cache.get(key)) is not None and cached[0] > self._clock():
            return cached[1]
        event = authorizer_event(request, route, path_parameters, present)
        try:
            answer = await self._invoke(self._authorizer.function, json.dumps(event).encode(), request.trace_id)
        except FunctionError as error:
            # This very text is how an authorizer asks for a 401; it is an answer like any other, but never cached.
            return unauthorized() if error.message == "Unauthorized" else internal_error()
        except TimeoutError:
            return internal_error()
        decision = read_simple_response(answer)
        if self._authorizer.ttl and (isinstance(decision, Allowed) or decision.status == 403):
            if len(self._cache) >= _CACHE_LIMIT:
                self._cache.clear()
            self._cache[key] = (self._clock() + self._authorizer.ttl, decision)
        return decision

    @staticmethod
    def _identity(source: str, request: Request, route: Route) -> str | None:
        kind, _, name = source.removeprefix("$").rpartition(".")
        if kind == "request.header":
            return request.header(name.lower())
        if kind == "request.querystring":
            values = parse_qs(request.query).get(name)
            return ",".join(values) if values else None
        context = {
            "routeKey": route.key,
            "httpMethod": request.method,
            "path": request.path,
            "stage": STAGE,
            "requestId": request.request_id,
        }
        return context.get(name) if kind == "context" else None


def read_simple_response(answer: bytes) -> Decision:
    """`{"isAuthorized": bool, "context": {…}}`; anything else is a 500, as on AWS."""
    try:
        said = json.loads(answer)
    except ValueError:
        return internal_error()
    if not isinstance(said, dict) or not isinstance(said.get("isAuthorized"), bool):
        return internal_error()
    context = said.get("context")
    if context is not None and not isinstance(context, dict):
        return internal_error()
    return Allowed(context or {}) if said["isAuthorized"] else forbidden()
