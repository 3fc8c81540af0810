"""An HTTP API: CORS, routes, authorizers, functions, and its own `{"message": …}` answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from lambda_gateway.apis import cors as cors_rules
from lambda_gateway.apis.backend import AnswerFailed, AnswerLate, Backend
from lambda_gateway.apis.routing import Router
from lambda_gateway.authorizers.gate import AuthorizerGate, Refused, Why
from lambda_gateway.events.http_api import Request, integration_event
from lambda_gateway.model import Api, Route
from lambda_gateway.responses import http_api as responses
from lambda_gateway.responses.http_api import Response
from lambda_gateway.runtime.functions import MAX_LAMBDA_PAYLOAD

_REFUSALS: Mapping[Why, Callable[[], Response]] = {
    Why.UNAUTHORIZED: responses.unauthorized,
    Why.EXPLICIT_DENY: responses.forbidden,
    Why.IMPLICIT_DENY: responses.forbidden,
    Why.BAD_ANSWER: responses.internal_error,
    Why.FAILED: responses.internal_error,
}


class HttpApi:
    def __init__(self, api: Api, backend: Backend) -> None:
        self.api = api
        self._backend = backend
        self._router = Router(api.routes)
        self._gates = {
            name: AuthorizerGate(api, authorizer, backend.authorize, complain=backend.complain)
            for name, authorizer in api.authorizers.items()
        }

    async def handle(self, request: Request) -> tuple[Response, Route | None]:
        """The response, and the route that took the request."""
        if self.api.cors is not None and cors_rules.is_preflight(request):
            return cors_rules.preflight(self.api.cors, request), None
        found = self._router.find(request.method, request.path)
        if found is None:
            return responses.not_found(), None
        route, path_parameters = found
        context: object = None
        if route.authorizer is not None:
            decision = await self._gates[route.authorizer].decide(request, route, path_parameters)
            if isinstance(decision, Refused):
                return _REFUSALS[decision.why](), route
            context = decision.context
        return await self._integrate(request, route, path_parameters, context), route

    def too_large(self, request: Request) -> Response:
        del request
        return responses.too_large()

    def headers_too_large(self, request: Request) -> Response:
        del request
        return responses.headers_too_large()

    def failed(self, request: Request) -> Response:
        del request
        return responses.internal_error()

    def finish(self, request: Request, response: Response) -> None:
        """Add what every response has."""
        if self.api.cors is not None and not cors_rules.is_preflight(request):
            cors_rules.decorate(self.api.cors, request, response)
        response.headers.append(("apigw-requestid", request.request_id))

    async def _integrate(
        self, request: Request, route: Route, path_parameters: Mapping[str, str], context: object
    ) -> Response:
        payload = json.dumps(integration_event(self.api, request, route, path_parameters, context)).encode()
        if len(payload) > MAX_LAMBDA_PAYLOAD:
            return responses.too_large()
        try:
            return await self._backend.integrate(route, payload, request.trace_id, responses.from_answer)
        except AnswerLate:
            return responses.unavailable()
        except AnswerFailed:
            return responses.internal_error()
