"""IAM policies as an authorizer answers them, and whether one allows a method.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html

What API Gateway would evaluate and this module can't (conditions, NotAction, NotResource) is refused, never skipped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from lambda_gateway.responses.http_api import MalformedAnswer

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
    """One policy document, read once and evaluated for many methods."""

    def __init__(self, document: object) -> None:
        """Raises MalformedAnswer."""
        if not isinstance(document, Mapping):
            raise MalformedAnswer("`policyDocument` must be an object")
        given = document.get("Statement", [])
        statements = given if isinstance(given, list) else [given]
        self._statements = [read for statement in statements if (read := _read(statement)) is not None]

    def effect_on(self, arn: str) -> Effect:
        """What the policy says of invoking this method: an explicit Deny wins, and silence is a denial, too."""
        effect = Effect.NONE
        for statement in self._statements:
            if any(_matches(resource, arn) for resource in statement.resources):
                if not statement.allows:
                    return Effect.DENY
                effect = Effect.ALLOW
        return effect


def _read(statement: object) -> _Statement | None:
    """None for a statement about other actions."""
    if not isinstance(statement, Mapping):
        raise MalformedAnswer("`policyDocument.Statement` must hold objects")
    if foreign := sorted(set(statement) - _ELEMENTS):
        raise MalformedAnswer(f"`policyDocument.Statement`: {', '.join(foreign)} can't be evaluated here")
    effect = statement.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise MalformedAnswer(f"`policyDocument.Statement`: Effect must be Allow or Deny, not {effect!r}")
    actions = _strings(statement.get("Action"), "Action")
    resources = _strings(statement.get("Resource"), "Resource")
    if not any(_pattern(action.lower()).fullmatch(_ACTION.lower()) for action in actions):
        return None
    return _Statement(effect == "Allow", resources)


def _strings(value: object, element: str) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    if not items or not all(isinstance(item, str) and item for item in items):
        raise MalformedAnswer(f"`policyDocument.Statement`: {element} must be a string or a list of strings")
    return tuple(items)


def _matches(pattern: str, arn: str) -> bool:
    """A wildcard goes across `/`, but not across the colons that part an ARN; a lone `*` is every resource."""
    if pattern == "*":
        return True
    wanted, given = pattern.split(":", _ARN_PARTS - 1), arn.split(":", _ARN_PARTS - 1)
    return len(wanted) == _ARN_PARTS and all(
        _pattern(part).fullmatch(value) is not None for part, value in zip(wanted, given, strict=True)
    )


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    """The pattern with IAM's wildcards as a regular expression that never backtracks over more than one `*`.

    The first place where the text between two `*` fits is as good as any later one, so that each is tried once.
    """
    parts = re.sub(r"\*+", "*", text).split("*")
    first, *rest = ("".join("." if character == "?" else re.escape(character) for character in part) for part in parts)
    if not rest:
        return re.compile(first, re.DOTALL)
    *between, last = rest
    return re.compile(first + "".join(f"(?>.*?{part})" for part in between) + f".*{last}", re.DOTALL)
