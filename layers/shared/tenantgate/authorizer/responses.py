"""What an authorizer answers, in the form that each integration reads.

    shape                                        allowed                    401                 403
    REST TOKEN and REQUEST, HTTP API 1.0 and     the principal's complete   the exception       a policy that doesn't
    2.0 with policies                            policy for the API         `Unauthorized`      allow the route
    WebSocket $connect                           a policy for $connect      the exception       a policy that denies it
    HTTP API 2.0 simple                          `isAuthorized` true        the exception       `isAuthorized` false
    AppSync                                      `isAuthorized` true        `isAuthorized` false, a 401 either way

Context values are strings, numbers and booleans everywhere: a REST API answers 500 to anything else, AppSync takes no
nested ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tenantgate.authorizer.events import APPSYNC, HTTP_2, UNKNOWN, Kind

type ContextValue = str | int | bool
type Context = Mapping[str, ContextValue]

# What stands for the principal where nobody was recognized.
NOBODY = "unauthenticated"


# For the type checker alone: making the class would cost a cold start more than the rest of this module.
if TYPE_CHECKING:
    from typing import NotRequired, TypedDict

    class Answer(TypedDict):
        """Every member that any integration knows; which of them are there is the shape's."""

        isAuthorized: NotRequired[bool]
        context: NotRequired[Context]
        principalId: NotRequired[str]
        policyDocument: NotRequired[Mapping[str, object]]
        resolverContext: NotRequired[Context]
        ttlOverride: NotRequired[int]


def answer(
    kind: Kind, allowed: bool, *, principal_id: str, policy: Mapping[str, object] | None, context: Context
) -> Answer:
    """The shape's answer. `policy` is None only where the shape takes none."""
    if kind == HTTP_2:
        return {"isAuthorized": allowed, "context": context}
    if kind == APPSYNC:
        # Else cached by the token for as long as the API says: past the token's end, and past its revocation.
        return {"isAuthorized": allowed, "resolverContext": context, "ttlOverride": 0}
    if policy is None:
        policy = statement("Deny", "*")
    if kind == UNKNOWN:
        return {"isAuthorized": False, "principalId": principal_id, "policyDocument": policy, "context": context}
    return {"principalId": principal_id, "policyDocument": policy, "context": context}


def statement(effect: str, resource: str) -> dict[str, object]:
    """A policy of one statement."""
    return {
        "Version": "2012-10-17",
        "Statement": [{"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}],
    }


def deny_all(arn: str) -> dict[str, object]:
    """Deny everything on the API's stage: this credential is good for none of its routes."""
    api, stage, _ = arn.split("/", 2)
    return statement("Deny", f"{api}/{stage}/*")
