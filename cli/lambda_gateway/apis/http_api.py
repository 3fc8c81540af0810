"""An HTTP API: CORS, routes, authorizers, functions, and its own `{"message": …}` responses."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from lambda_gateway.apis import cors
from lambda_gateway.apis.backend import Backend, IntegrationFailed, IntegrationTimeout
from lambda_gateway.apis.outcome import Outcome
from lambda_gateway.apis.routing import Router
from lambda_gateway.authorizers.results import Authorization, Denied, Reason
from lambda_gateway.aws import MAX_LAMBDA_PAYLOAD
from lambda_gateway.events.http_api import integration_event
from lambda_gateway.events.request import Request
from lambda_gateway.model import Api, Route
from lambda_gateway.responses.http_api import from_function, gateway_response
from lambda_gateway.responses.response import Response

_DENIALS: Mapping[Reason, int] = {
    Reason.UNAUTHORIZED: 401,
    Reason.EXPLICIT_DENY: 403,
    Reason.IMPLICIT_DENY: 403,
    Reason.INVALID_RESULT: 500,
    Reason.FAILED: 500,
    Reason.INSUFFICIENT_SCOPE: 403,
}


class HttpApi:
    def __init__(self, api: Api, backend: Backend) -> None:
        self.api = api
        self._backend = backend
        self._router = Router(api.routes)
        self._gates = backend.gates(api)

    async def handle(self, request: Request) -> Outcome:
        if self.api.cors is not None and cors.is_preflight(request):
            return Outcome(cors.preflight(self.api.cors, request))
        found = self._router.find(request.method, request.path)
        if found is None:
            return Outcome(gateway_response(404))
        route, path_parameters = found
        context: object = None
        authorization: Authorization | None = None
        if route.authorizer is not None:
            decision = await self._gates[route.authorizer].decide(request, route, path_parameters)
            authorization = decision.authorization
            if isinstance(decision, Denied):
                denial = gateway_response(_DENIALS[decision.reason])
                if decision.challenge:
                    denial.headers.append(("www-authenticate", decision.challenge))
                return Outcome(denial, route, authorization)
            is_jwt = route.authorizer in self.api.jwt_authorizers
            context = {"jwt" if is_jwt else "lambda": decision.context}
        payload = json.dumps(integration_event(self.api, request, route, path_parameters, context)).encode()
        if len(payload) > MAX_LAMBDA_PAYLOAD:
            return Outcome(gateway_response(413), route, authorization)
        return Outcome(await self._integrate(request, route, payload), route, authorization, route.function)

    def forget(self, functions: Collection[str]) -> None:
        """Drop what the authorizers among these functions returned before."""
        for gate in self._gates.values():
            gate.forget(functions)

    def error(self, request: Request, status: int) -> Response:
        """Build the response to a request that no route handled: 413, 431 or 500."""
        del request
        return gateway_response(status)

    def finish(self, request: Request, response: Response) -> None:
        """Add the headers that every response has."""
        if self.api.cors is not None and not cors.is_preflight(request):
            cors.decorate(self.api.cors, request, response)
        response.headers.append(("apigw-requestid", request.request_id))

    async def _integrate(self, request: Request, route: Route, payload: bytes) -> Response:
        try:
            return await self._backend.integrate(route, payload, request.trace_id, from_function)
        except IntegrationTimeout:
            return gateway_response(503)
        except IntegrationFailed:
            return gateway_response(500)
