"""Lambda authorizers: asked before a request reaches its function, their answers read as API Gateway reads them.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from lambda_gateway.authorizers.identity import identity_of
from lambda_gateway.authorizers.policies import Effect, Policy
from lambda_gateway.events.authorizer import authorizer_event, method_arn
from lambda_gateway.events.http_api import Request
from lambda_gateway.model import Api, Authorizer, Payload, Route
from lambda_gateway.responses.http_api import MalformedAnswer
from lambda_gateway.runtime.failures import FunctionError

# API Gateway waits this long for an authorizer.
AUTHORIZER_TIMEOUT = 10.0
# Service quota "AWS Lambda authorizer result size".
MAX_RESULT = 8 * 1024
_CACHE_LIMIT = 10_000


class Why(Enum):
    """Why a request goes no further."""

    UNAUTHORIZED = "no identity, or the function said so"
    EXPLICIT_DENY = "denied by name"
    IMPLICIT_DENY = "not allowed"
    BAD_ANSWER = "the answer can't be used"
    FAILED = "the function failed"


@dataclass(frozen=True, slots=True)
class Allowed:
    """`context` is what the authorizer handed on; `principal` is its `principalId`, empty in simple responses."""

    context: Mapping[str, object] = field(default_factory=dict)
    principal: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    why: Why
    context: Mapping[str, object] = field(default_factory=dict)


type Decision = Allowed | Refused
type Invoke = Callable[[str, bytes, str], Awaitable[bytes]]


class Answer(Protocol):
    """What is cached: it decides each request anew, since a policy says something different of each method."""

    def decide(self, arn: str) -> Decision: ...


class AuthorizerGate:
    """Runs one authorizer of `api`.

    `invoke(function, payload, trace_id)` runs the function; `complain(function, problem)` is told why an answer can't
    be used. Answers are cached by the values of the identity sources, whatever the route, as API Gateway does.
    """

    def __init__(
        self,
        api: Api,
        authorizer: Authorizer,
        invoke: Invoke,
        *,
        complain: Callable[[str, MalformedAnswer], None] = lambda _name, _problem: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._authorizer = authorizer
        self._invoke = invoke
        self._complain = complain
        self._clock = clock
        self._cache: dict[tuple[str, ...], tuple[float, Answer]] = {}

    async def decide(self, request: Request, route: Route, path_parameters: Mapping[str, str]) -> Decision:
        """Whether the request may go on to its function, and what that function is told."""
        identity = identity_of(self._authorizer, self._api, request, route)
        if identity is None:
            return Refused(Why.UNAUTHORIZED)
        answer = self._cached(identity)
        if answer is None:
            asked = await self._ask(request, route, path_parameters, identity)
            if isinstance(asked, Refused):
                return asked
            answer = asked
            self._keep(identity, answer)
        return answer.decide(method_arn(self._api, request))

    async def _ask(
        self, request: Request, route: Route, path_parameters: Mapping[str, str], identity: tuple[str, ...]
    ) -> Answer | Refused:
        event = authorizer_event(self._api, self._authorizer, request, route, path_parameters, identity=identity)
        function = self._authorizer.function
        try:
            raw = await self._invoke(function, json.dumps(event).encode(), request.trace_id)
            return read_answer(self._authorizer, raw)
        except FunctionError as error:
            # This very text is how an authorizer asks for a 401; it is an answer like any other, but never cached.
            return Refused(Why.UNAUTHORIZED if error.message == "Unauthorized" else Why.FAILED)
        except TimeoutError:
            return Refused(Why.FAILED)
        except MalformedAnswer as problem:
            self._complain(function, problem)
            return Refused(Why.BAD_ANSWER)

    def _cached(self, identity: tuple[str, ...]) -> Answer | None:
        if not self._authorizer.ttl:
            return None
        until, answer = self._cache.get(identity, (0.0, None))
        return answer if until > self._clock() else None

    def _keep(self, identity: tuple[str, ...], answer: Answer) -> None:
        if not self._authorizer.ttl:
            return
        if len(self._cache) >= _CACHE_LIMIT:
            self._cache.clear()
        self._cache[identity] = (self._clock() + self._authorizer.ttl, answer)


@dataclass(frozen=True, slots=True)
class _Simple:
    allowed: bool
    context: Mapping[str, object]

    def decide(self, arn: str) -> Decision:
        del arn  # It says the same of every route, which is why caching it by the token alone is unsafe.
        return Allowed(self.context) if self.allowed else Refused(Why.EXPLICIT_DENY, self.context)


@dataclass(frozen=True, slots=True)
class _ByPolicy:
    principal: str
    policy: Policy
    context: Mapping[str, object]

    def decide(self, arn: str) -> Decision:
        effect = self.policy.effect_on(arn)
        if effect is Effect.ALLOW:
            return Allowed(self.context, self.principal)
        return Refused(Why.EXPLICIT_DENY if effect is Effect.DENY else Why.IMPLICIT_DENY, self.context)


def read_answer(authorizer: Authorizer, raw: bytes) -> Answer:
    """What the function answered. Raises MalformedAnswer, which is a 500 on AWS."""
    if len(raw) > MAX_RESULT:
        raise MalformedAnswer(f"the answer has {len(raw)} bytes; API Gateway takes {MAX_RESULT} from an authorizer")
    try:
        said = json.loads(raw)
    except ValueError as error:
        raise MalformedAnswer("the answer isn't JSON") from error
    if not isinstance(said, dict):
        raise MalformedAnswer("the answer isn't an object")
    context = said.get("context")
    if context is not None and not isinstance(context, dict):
        raise MalformedAnswer("`context` must be an object")
    if authorizer.simple:
        allowed = said.get("isAuthorized")
        if not isinstance(allowed, bool):
            raise MalformedAnswer("`isAuthorized` must be true or false (EnableSimpleResponses is on)")
        return _Simple(allowed, context or {})
    if authorizer.payload is not Payload.V2:
        _check_scalars(context or {})
    principal = said.get("principalId")
    if not isinstance(principal, str) or not principal:
        raise MalformedAnswer("`principalId` must be a string")
    return _ByPolicy(principal, Policy(said.get("policyDocument")), context or {})


def _check_scalars(context: Mapping[str, object]) -> None:
    for name, value in context.items():
        if not isinstance(value, str | int | float):
            raise MalformedAnswer(
                f"`context.{name}` must be a string, a number or a boolean, not {type(value).__name__}"
            )
