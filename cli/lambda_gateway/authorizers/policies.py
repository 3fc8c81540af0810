"""Evaluate the IAM policies that authorizers return.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html

Elements that API Gateway evaluates and this module doesn't (Condition, NotAction, NotResource) are errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from lambda_gateway.responses.response import MalformedResponse

_ACTION = "execute-api:Invoke"
_ELEMENTS = {"Sid", "Effect", "Action", "Resource"}
# arn:partition:service:region:account:resource
_ARN_PARTS = 6


class Effect(Enum):
    ALLOW = "Allow"
    DENY = "Deny"
    NONE = "no statement"


@dataclass(frozen=True, slots=True)
class _Statement:
    allows: bool
    resources: tuple[str, ...]


class Policy:
    """One policy document, parsed once and evaluated for many methods. The constructor raises MalformedResponse."""

    def __init__(self, document: object) -> None:
        if not isinstance(document, Mapping):
            raise MalformedResponse("`policyDocument` must be an object")
        given = document.get("Statement", [])
        statements = given if isinstance(given, list) else [given]
        self._statements = [read for statement in statements if (read := _read(statement)) is not None]

    def effect_on(self, arn: str) -> Effect:
        """Evaluate the policy for a method. A Deny wins over an Allow; NONE means that no statement applies."""
        effect = Effect.NONE
        for statement in self._statements:
            if any(_matches(resource, arn) for resource in statement.resources):
                if not statement.allows:
                    return Effect.DENY
                effect = Effect.ALLOW
        return effect


def _read(statement: object) -> _Statement | None:
    """Parse a statement. Return None if it is about other actions."""
    if not isinstance(statement, Mapping):
        raise MalformedResponse("`policyDocument.Statement` must contain objects")
    if unsupported := sorted(set(statement) - _ELEMENTS):
        raise MalformedResponse(f"`policyDocument.Statement`: {', '.join(unsupported)} is not supported here")
    effect = statement.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise MalformedResponse(f"`policyDocument.Statement`: Effect must be Allow or Deny, not {effect!r}")
    actions = _strings(statement.get("Action"), "Action")
    resources = _strings(statement.get("Resource"), "Resource")
    if not any(_pattern(action.lower()).fullmatch(_ACTION.lower()) for action in actions):
        return None
    return _Statement(effect == "Allow", resources)


def _strings(value: object, element: str) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    if not items or not all(isinstance(item, str) and item for item in items):
        raise MalformedResponse(f"`policyDocument.Statement`: {element} must be a string or a list of strings")
    return tuple(items)


def _matches(pattern: str, arn: str) -> bool:
    """Match an ARN. Wildcards match `/`, but not the colons between the parts of an ARN. Only a single `*` does."""
    if pattern == "*":
        return True
    wanted, given = pattern.split(":", _ARN_PARTS - 1), arn.split(":", _ARN_PARTS - 1)
    return len(wanted) == _ARN_PARTS and all(
        _pattern(part).fullmatch(value) is not None for part, value in zip(wanted, given, strict=True)
    )


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    """Compile a pattern with IAM's wildcards, without backtracking over more than one `*`.

    Text between two `*` is matched at its first occurrence only: a later one adds no match.
    """
    parts = re.sub(r"\*+", "*", text).split("*")
    first, *rest = ("".join("." if character == "?" else re.escape(character) for character in part) for part in parts)
    if not rest:
        return re.compile(first, re.DOTALL)
    *between, last = rest
    return re.compile(first + "".join(f"(?>.*?{part})" for part in between) + f".*{last}", re.DOTALL)
