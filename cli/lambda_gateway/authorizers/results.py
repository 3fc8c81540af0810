"""The results of Lambda authorizers, and the decisions that follow from them.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from lambda_gateway.authorizers.policies import Effect, Policy
from lambda_gateway.model import Authorizer, Payload
from lambda_gateway.responses.response import MalformedResponse, load

# Bytes: the service quota "AWS Lambda authorizer result size".
MAX_RESULT = 8 * 1024


@dataclass(frozen=True, slots=True)
class MissingIdentity:
    """An identity source without a usable value. `mismatched`: it has one, which the validation doesn't accept."""

    source: str
    mismatched: bool = False


class Reason(Enum):
    """The reason for which a request is denied."""

    UNAUTHORIZED = "no identity, or the function raised Unauthorized"
    EXPLICIT_DENY = "explicitly denied"
    IMPLICIT_DENY = "not allowed"
    INVALID_RESULT = "the authorizer's result is invalid"
    FAILED = "the authorizer failed"
    INSUFFICIENT_SCOPE = "the token has none of the route's scopes"


@dataclass(frozen=True, slots=True)
class Authorization:
    """The part of an authorizer in one request, for observers.

    function      the authorizer's function, empty for a JWT authorizer
    denied        None for an allowed request
    missing       not None: the gateway itself denied the request, and no result was used
    seconds_left  the remaining lifetime of the cached result, None if the function ran for this request
    trace_id      the trace id of the request for which the function ran
    by_policy     the result is a policy for all routes, evaluated for this one
    jwt           the name of the JWT authorizer, which no function takes part in
    problem       the check of a JWT authorizer that failed
    """

    function: str
    denied: Reason | None = None
    missing: MissingIdentity | None = None
    seconds_left: float | None = None
    trace_id: str = ""
    by_policy: bool = False
    jwt: str = ""
    problem: str = ""

    @property
    def ran(self) -> bool:
        """The origin of the result: the function, invoked for this request."""
        return self.missing is None and self.seconds_left is None and not self.jwt


@dataclass(frozen=True, slots=True)
class Allowed:
    """An allowed request. `principal` is the result's `principalId`, empty in a simple result."""

    context: Mapping[str, object] = field(default_factory=dict)
    principal: str = ""
    authorization: Authorization | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Denied:
    """A denied request. `challenge` is the value of `www-authenticate`, which a JWT authorizer of an HTTP API sends."""

    reason: Reason
    context: Mapping[str, object] = field(default_factory=dict)
    challenge: str = ""
    authorization: Authorization | None = field(default=None, compare=False)


type Decision = Allowed | Denied


class Result(Protocol):
    """A valid result, as it is cached. A policy is evaluated again for each request, because it lists methods."""

    def decide(self, arn: str) -> Decision: ...


@dataclass(frozen=True, slots=True)
class _SimpleResult:
    allowed: bool
    context: Mapping[str, object]

    def decide(self, arn: str) -> Decision:
        del arn  # The same decision for every route: that is why it is unsafe to cache it by the token only.
        return Allowed(self.context) if self.allowed else Denied(Reason.EXPLICIT_DENY, self.context)


@dataclass(frozen=True, slots=True)
class _PolicyResult:
    principal: str
    policy: Policy
    context: Mapping[str, object]

    def decide(self, arn: str) -> Decision:
        effect = self.policy.effect_on(arn)
        if effect is Effect.ALLOW:
            return Allowed(self.context, self.principal)
        return Denied(Reason.EXPLICIT_DENY if effect is Effect.DENY else Reason.IMPLICIT_DENY, self.context)


def read_result(authorizer: Authorizer, raw: bytes) -> Result:
    """Parse the function's result (JSON). Raises MalformedResponse, which is a 500 on AWS."""
    if len(raw) > MAX_RESULT:
        raise MalformedResponse(f"the result has {len(raw)} bytes; API Gateway's limit is {MAX_RESULT}")
    given = load(raw)
    if not isinstance(given, dict):
        raise MalformedResponse("the result isn't an object")
    context = given.get("context")
    if context is not None and not isinstance(context, dict):
        raise MalformedResponse("`context` must be an object")
    if authorizer.simple:
        allowed = given.get("isAuthorized")
        if not isinstance(allowed, bool):
            raise MalformedResponse("`isAuthorized` must be true or false (EnableSimpleResponses is on)")
        return _SimpleResult(allowed, context or {})
    if authorizer.payload is not Payload.V2:
        _check_scalars(context or {})
    principal = given.get("principalId")
    if not isinstance(principal, str) or not principal:
        raise MalformedResponse("`principalId` must be a string")
    return _PolicyResult(principal, Policy(given.get("policyDocument")), context or {})


def _check_scalars(context: Mapping[str, object]) -> None:
    for name, value in context.items():
        if not isinstance(value, str | int | float):
            raise MalformedResponse(
                f"`context.{name}` must be a string, a number or a boolean, not {type(value).__name__}"
            )
