"""A REST API: one stage, resources and methods, authorizers, gateway responses, functions by proxy integration."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from urllib.parse import unquote

from lambda_gateway.apis.backend import AnswerFailed, AnswerLate, Backend
from lambda_gateway.apis.routing import ResourceRouter
from lambda_gateway.authorizers.gate import AuthorizerGate, Refused, Why
from lambda_gateway.events.http_api import Request
from lambda_gateway.events.rest_api import flat_context, is_binary, proxy_event
from lambda_gateway.model import Api, Route
from lambda_gateway.responses import gateway_responses as answers
from lambda_gateway.responses.gateway_responses import respond
from lambda_gateway.responses.http_api import Response
from lambda_gateway.responses.rest_api import from_proxy_answer
from lambda_gateway.runtime.functions import MAX_LAMBDA_PAYLOAD

_REFUSALS = {
    Why.UNAUTHORIZED: answers.UNAUTHORIZED,
    Why.EXPLICIT_DENY: answers.EXPLICIT_DENY,
    Why.IMPLICIT_DENY: answers.IMPLICIT_DENY,
    Why.BAD_ANSWER: answers.AUTHORIZER_CONFIGURATION_ERROR,
    Why.FAILED: answers.AUTHORIZER_CONFIGURATION_ERROR,
}


class RestApi:
    def __init__(self, api: Api, backend: Backend) -> None:
        self.api = api
        self._backend = backend
        self._router = ResourceRouter(api.routes)
        self._gates = {
            name: AuthorizerGate(api, authorizer, backend.authorize, complain=backend.complain)
            for name, authorizer in api.authorizers.items()
        }

    async def handle(self, request: Request) -> tuple[Response, Route | None]:
        """The response, and the route that took the request, whose path is left without its stage.

        Unlike an HTTP API, a REST API chooses the resource by the decoded path, and has it as it was sent in events and
        ARNs.
        """
        request.request_id = str(uuid.uuid4())
        sent = request.encoded_path if request.encoded_path is not None else request.path
        stage, slash, rest = sent.removeprefix("/").partition("/")
        if stage != self.api.stage:
            return respond(answers.NO_STAGE, self.api, request), None
        request.path = f"{slash}{rest}" or "/"
        found = self._router.find(request.method, unquote(request.path, errors="replace"))
        if found is None:
            return respond(answers.MISSING_TOKEN, self.api, request), None
        route, path_parameters = found
        authorizer: Mapping[str, object] | None = None
        if route.authorizer is not None:
            began = time.perf_counter()
            decision = await self._gates[route.authorizer].decide(request, route, path_parameters)
            if isinstance(decision, Refused):
                return respond(_REFUSALS[decision.why], self.api, request, route, decision.context), route
            latency = int((time.perf_counter() - began) * 1000)
            authorizer = flat_context(decision.principal, decision.context, latency)
        if route.mock_headers is not None:
            return Response(200, b"{}\n", [("content-type", "application/json"), *route.mock_headers]), route
        return await self._integrate(request, route, path_parameters, authorizer), route

    def too_large(self, request: Request) -> Response:
        return respond(answers.TOO_LARGE, self.api, request)

    def headers_too_large(self, request: Request) -> Response:
        return respond(answers.TOO_LARGE, self.api, request)

    def failed(self, request: Request) -> Response:
        return respond(answers.FAILED, self.api, request)

    def finish(self, request: Request, response: Response) -> None:
        """Add what every response has."""
        response.headers.append(("x-amzn-requestid", request.request_id))

    async def _integrate(
        self,
        request: Request,
        route: Route,
        path_parameters: Mapping[str, str],
        authorizer: Mapping[str, object] | None,
    ) -> Response:
        payload = json.dumps(proxy_event(self.api, request, route, path_parameters, authorizer)).encode()
        if len(payload) > MAX_LAMBDA_PAYLOAD:
            return respond(answers.TOO_LARGE, self.api, request, route)
        wants_binary = is_binary(self.api, request.header("accept"))
        try:
            return await self._backend.integrate(
                route, payload, request.trace_id, lambda answer: from_proxy_answer(answer, binary=wants_binary)
            )
        except AnswerLate:
            return respond(answers.INTEGRATION_TIMEOUT, self.api, request, route)
        except AnswerFailed:
            return respond(answers.BAD_INTEGRATION, self.api, request, route)
