"""Authorizer responses, in the form that each integration reads.

    shape                                        allowed                    401                 403
    REST TOKEN and REQUEST, HTTP API 1.0 and     the principal's complete   the exception       a policy that doesn't
    2.0 with policies                            policy for the API         `Unauthorized`      allow the route
    WebSocket $connect                           a policy for $connect      the exception       a policy that denies it
    HTTP API 2.0 simple                          `isAuthorized` true        the exception       `isAuthorized` false
    AppSync                                      `isAuthorized` true        `isAuthorized` false, a 401 either way

Context values are strings, numbers and booleans: a REST API responds 500 to anything else, and AppSync takes no nested
values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tenantgate.authorizer.events import APPSYNC, HTTP_2, UNKNOWN, Kind
from tenantgate.identity.principal import Principal

type ContextValue = str | int | bool
type Context = Mapping[str, ContextValue]

# `principalId` of a request without an authenticated caller.
_UNAUTHENTICATED = "unauthenticated"


# Only for the type checker: making the classes would cost a cold start more than the rest of this module.
if TYPE_CHECKING:
    from typing import Literal, NotRequired, TypedDict

    class PolicyStatement(TypedDict):
        Action: str
        Effect: Literal["Allow", "Deny"]
        Resource: str | list[str]

    class Policy(TypedDict):
        """An IAM policy document."""

        Version: str
        Statement: list[PolicyStatement]

    class AuthorizerResponse(TypedDict):
        """The members that any integration knows. The shape decides which of them a response has."""

        isAuthorized: NotRequired[bool]
        context: NotRequired[Context]
        principalId: NotRequired[str]
        policyDocument: NotRequired[Policy]
        resolverContext: NotRequired[Context]
        ttlOverride: NotRequired[int]


def response(
    kind: Kind,
    allowed: bool,
    *,
    context: Context,
    policy: Policy | None = None,
    principal: Principal | None = None,
) -> AuthorizerResponse:
    """Return the response in the form of the shape. Without `policy`, a form that contains one denies everything."""
    if kind == HTTP_2:
        return {"isAuthorized": allowed, "context": context}
    if kind == APPSYNC:
        # Otherwise AppSync would cache it by the token for as long as the API says, past the token's end and its
        # revocation.
        return {"isAuthorized": allowed, "resolverContext": context, "ttlOverride": 0}
    if policy is None:
        policy = policy_document(statement("Deny", "*"))
    principal_id = principal.global_id if principal is not None else _UNAUTHENTICATED
    if kind == UNKNOWN:
        return {"isAuthorized": False, "principalId": principal_id, "policyDocument": policy, "context": context}
    return {"principalId": principal_id, "policyDocument": policy, "context": context}


def policy_document(*statements: PolicyStatement) -> Policy:
    return {"Version": "2012-10-17", "Statement": [*statements]}


def statement(effect: Literal["Allow", "Deny"], resource: str | list[str]) -> PolicyStatement:
    return {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}


def deny_all(stage_arn: str) -> Policy:
    """Return the policy that denies every method of the stage."""
    return policy_document(statement("Deny", f"{stage_arn}*"))
