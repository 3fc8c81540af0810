"""Run Lambda authorizers before requests reach their functions, and cache the results.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from typing import NamedTuple

from lambda_gateway.authorizers.identity import identity_of
from lambda_gateway.authorizers.results import (
    Authorization,
    Decision,
    Denied,
    MissingIdentity,
    Reason,
    Result,
    read_result,
)
from lambda_gateway.events.authorizer import authorizer_event, method_arn
from lambda_gateway.events.request import Request
from lambda_gateway.model import Api, Authorizer, Route
from lambda_gateway.responses.response import MalformedResponse
from lambda_gateway.runtime.failures import FunctionError

_CACHE_LIMIT = 10_000

type Invoke = Callable[[str, bytes, str], Awaitable[bytes]]


class _Cached(NamedTuple):
    """A result, until when it is valid, and the trace id of the request for which it was made."""

    until: float
    result: Result
    trace_id: str


class AuthorizerGate:
    """One authorizer of `api`.

    invoke     called with function, payload and trace id; returns the function's result
    on_invalid called with the function and the problem when a result is invalid

    Results are cached by the values of the identity sources, for all routes, as on AWS.
    """

    def __init__(
        self,
        api: Api,
        authorizer: Authorizer,
        invoke: Invoke,
        *,
        on_invalid: Callable[[str, MalformedResponse], None] = lambda _name, _problem: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._authorizer = authorizer
        self._invoke = invoke
        self._on_invalid = on_invalid
        self._clock = clock
        self._cache: dict[tuple[str, ...], _Cached] = {}
        self._generation = 0

    async def decide(self, request: Request, route: Route, path_parameters: Mapping[str, str]) -> Decision:
        """Decide by a cached result, or invoke the authorizer. The decision has the `authorization` for observers."""
        seen = Authorization(
            self._authorizer.function, trace_id=request.trace_id, by_policy=not self._authorizer.simple
        )
        identity = identity_of(self._authorizer, self._api, request, route)
        if isinstance(identity, MissingIdentity):
            return _with(Denied(Reason.UNAUTHORIZED), replace(seen, missing=identity))
        cached = self._cached(identity)
        if cached is not None:
            result = cached.result
            seen = replace(seen, seconds_left=cached.until - self._clock(), trace_id=cached.trace_id)
        else:
            generation = self._generation
            invoked = await self._run(request, route, path_parameters, identity)
            if isinstance(invoked, Denied):
                return _with(invoked, seen)
            result = invoked
            # A result of the code or rules before a restart must not outlive it.
            if generation == self._generation:
                self._keep(identity, result, request.trace_id)
        return _with(result.decide(method_arn(self._api, request)), seen)

    def forget(self, functions: Collection[str]) -> None:
        """Drop the cached results if the authorizer is one of these functions, which restart."""
        if self._authorizer.function in functions:
            self._cache.clear()
            self._generation += 1

    async def _run(
        self, request: Request, route: Route, path_parameters: Mapping[str, str], identity: tuple[str, ...]
    ) -> Result | Denied:
        event = authorizer_event(self._api, self._authorizer, request, route, path_parameters, identity=identity)
        function = self._authorizer.function
        try:
            raw = await self._invoke(function, json.dumps(event).encode(), request.trace_id)
            return read_result(self._authorizer, raw)
        except FunctionError as error:
            # An authorizer requests a 401 by raising an exception with exactly this text. It is never cached.
            return Denied(Reason.UNAUTHORIZED if error.message == "Unauthorized" else Reason.FAILED)
        except TimeoutError:
            return Denied(Reason.FAILED)
        except MalformedResponse as problem:
            self._on_invalid(function, problem)
            return Denied(Reason.INVALID_RESULT)

    def _cached(self, identity: tuple[str, ...]) -> _Cached | None:
        if not self._authorizer.ttl:
            return None
        cached = self._cache.get(identity)
        return cached if cached is not None and cached.until > self._clock() else None

    def _keep(self, identity: tuple[str, ...], result: Result, trace_id: str) -> None:
        if not self._authorizer.ttl:
            return
        if len(self._cache) >= _CACHE_LIMIT:
            self._cache.clear()
        self._cache[identity] = _Cached(self._clock() + self._authorizer.ttl, result, trace_id)


def _with(decision: Decision, seen: Authorization) -> Decision:
    denied = decision.reason if isinstance(decision, Denied) else None
    return replace(decision, authorization=replace(seen, denied=denied))
