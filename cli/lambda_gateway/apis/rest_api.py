"""A REST API: one stage, resources and methods, authorizers, gateway responses, functions by proxy integration."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Collection, Mapping

from lambda_gateway.apis.backend import Backend, IntegrationFailed, IntegrationTimeout
from lambda_gateway.apis.outcome import Outcome
from lambda_gateway.apis.routing import ResourceRouter
from lambda_gateway.authorizers.results import Authorization, Denied, Reason
from lambda_gateway.aws import MAX_LAMBDA_PAYLOAD
from lambda_gateway.events.request import Request
from lambda_gateway.events.rest_api import flat_context, is_binary, proxy_event
from lambda_gateway.model import Api, Route
from lambda_gateway.responses import gateway_responses as types
from lambda_gateway.responses.gateway_responses import respond
from lambda_gateway.responses.response import Response
from lambda_gateway.responses.rest_api import from_function

_DENIALS: Mapping[Reason, types.Type] = {
    Reason.UNAUTHORIZED: types.UNAUTHORIZED,
    Reason.EXPLICIT_DENY: types.EXPLICIT_DENY,
    Reason.IMPLICIT_DENY: types.IMPLICIT_DENY,
    Reason.INVALID_RESULT: types.AUTHORIZER_CONFIGURATION_ERROR,
    Reason.FAILED: types.AUTHORIZER_CONFIGURATION_ERROR,
    Reason.INSUFFICIENT_SCOPE: types.IMPLICIT_DENY,
}


class RestApi:
    def __init__(self, api: Api, backend: Backend) -> None:
        self.api = api
        self._backend = backend
        self._router = ResourceRouter(api.routes)
        self._gates = backend.gates(api)

    async def handle(self, request: Request) -> Outcome:
        """Return the outcome. Removes the stage from the request's path.

        A REST API matches resources by the decoded path, but puts the path and its variables into events and ARNs as
        they were sent.
        """
        request.request_id = str(uuid.uuid4())
        sent = request.encoded_path if request.encoded_path is not None else request.path
        stage, slash, rest = sent.removeprefix("/").partition("/")
        if stage != self.api.stage:
            return Outcome(respond(types.NO_STAGE, self.api, request))
        request.path = f"{slash}{rest}" or "/"
        found = self._router.find(request.method, request.path)
        if found is None:
            return Outcome(respond(types.MISSING_TOKEN, self.api, request))
        route, path_parameters = found
        context: Mapping[str, object] | None = None
        authorization: Authorization | None = None
        if route.authorizer is not None:
            began = time.perf_counter()
            decision = await self._gates[route.authorizer].decide(request, route, path_parameters)
            authorization = decision.authorization
            if isinstance(decision, Denied):
                denial = respond(_DENIALS[decision.reason], self.api, request, route, decision.context)
                return Outcome(denial, route, authorization)
            if route.authorizer in self.api.jwt_authorizers:
                context = decision.context
            else:
                latency = int((time.perf_counter() - began) * 1000)
                context = flat_context(decision.principal, decision.context, latency)
        if route.mock_headers is not None:
            mocked = Response(200, b"{}\n", [("content-type", "application/json"), *route.mock_headers])
            return Outcome(mocked, route, authorization)
        payload = json.dumps(proxy_event(self.api, request, route, path_parameters, context)).encode()
        if len(payload) > MAX_LAMBDA_PAYLOAD:
            return Outcome(respond(types.TOO_LARGE, self.api, request, route), route, authorization)
        return Outcome(await self._integrate(request, route, payload), route, authorization, route.function)

    def forget(self, functions: Collection[str]) -> None:
        """Drop what the authorizers among these functions returned before."""
        for gate in self._gates.values():
            gate.forget(functions)

    def error(self, request: Request, status: int) -> Response:
        """Build the response to a request that no route handled: 413, 431 (for REST APIs also a 413) or 500."""
        return respond(types.FAILED if status == 500 else types.TOO_LARGE, self.api, request)

    def finish(self, request: Request, response: Response) -> None:
        """Add the headers that every response has. They replace those of a function."""
        own = {"x-amzn-requestid": request.request_id, "x-amzn-trace-id": request.trace_id}
        response.headers[:] = [header for header in response.headers if header[0] not in own] + [*own.items()]

    async def _integrate(self, request: Request, route: Route, payload: bytes) -> Response:
        wants_binary = is_binary(self.api, request.header("accept"))
        try:
            return await self._backend.integrate(
                route, payload, request.trace_id, lambda raw: from_function(raw, binary=wants_binary)
            )
        except IntegrationTimeout:
            return respond(types.INTEGRATION_TIMEOUT, self.api, request, route)
        except IntegrationFailed:
            return respond(types.BAD_INTEGRATION, self.api, request, route)
