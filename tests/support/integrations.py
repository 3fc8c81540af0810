"""What each integration makes of an authorizer's answer, as AWS documents it. Written apart from our own gateway.

An answer that doesn't have the documented schema is a 500 there, and so here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tests.support.iam import allows

_POLICY_SHAPES = ("rest-token", "rest-request", "http-1.0", "http-2.0-policy", "websocket")
# API Gateway's limits on the answer of an authorizer.
_LONGEST_POLICY = 8192


def status_told(shape: str, event: Mapping[str, Any], decide: Callable[[], Any]) -> int:
    """The status that the client gets: 200 when the request reaches the backend."""
    try:
        answer = decide()
    except Exception as failure:  # noqa: BLE001 - any exception is an answer here
        # The exact text is the contract of REST, HTTP and WebSocket APIs; AppSync has no such thing.
        return 401 if str(failure) == "Unauthorized" and shape != "appsync" else 500
    if problem := schema_problem(shape, answer):
        raise AssertionError(f"API Gateway would answer 500: {problem}: {answer}")
    if shape == "appsync":
        return 200 if answer["isAuthorized"] else 401
    if shape == "http-2.0":
        return 200 if answer["isAuthorized"] else 403
    arn = event.get("methodArn") or event["routeArn"]
    return 200 if allows(answer["policyDocument"], arn) else 403


class _Schema(NamedTuple):
    required: frozenset[str]
    optional: frozenset[str]
    context: str


_POLICY = _Schema(frozenset({"principalId", "policyDocument"}), frozenset({"context", "usageIdentifierKey"}), "context")
_SCHEMAS = {
    **dict.fromkeys(_POLICY_SHAPES, _POLICY),
    "http-2.0": _Schema(frozenset({"isAuthorized"}), frozenset({"context"}), "context"),
    "appsync": _Schema(
        frozenset({"isAuthorized"}), frozenset({"resolverContext", "deniedFields", "ttlOverride"}), "resolverContext"
    ),
}


def schema_problem(shape: str, answer: Any) -> str | None:
    """What the integration's documented schema has against this answer."""
    schema = _SCHEMAS[shape]
    if not isinstance(answer, dict) or not schema.required <= set(answer) <= schema.required | schema.optional:
        return f"members other than {sorted(schema.required | schema.optional)}"
    for name, value in answer.get(schema.context, {}).items():
        if not isinstance(name, str) or not isinstance(value, str | int | float | bool):
            return f"context member {name} is no string, number or boolean"
    if not isinstance(answer.get("isAuthorized", False), bool):
        return "isAuthorized is no boolean"
    if not isinstance(ttl := answer.get("ttlOverride", 0), int) or not 0 <= ttl <= 3600:
        return "ttlOverride is no number of seconds"
    return _policy_problem(answer["principalId"], answer["policyDocument"]) if schema is _POLICY else None


def _policy_problem(principal_id: Any, policy: Any) -> str | None:
    if not isinstance(principal_id, str) or not principal_id:
        return "principalId is no text"
    if set(policy) != {"Version", "Statement"} or policy["Version"] != "2012-10-17" or not policy["Statement"]:
        return "not a policy document with statements"
    if len(str(policy)) > _LONGEST_POLICY:
        return "policy is too long"
    for statement in policy["Statement"]:
        if not {"Action", "Effect", "Resource"} <= set(statement) or statement["Effect"] not in ("Allow", "Deny"):
            return f"statement {statement}"
        if any(len(resource) > 512 for resource in _listed(statement["Resource"])):
            return "a resource is longer than 512 characters"
    return None


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
