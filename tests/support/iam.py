"""IAM's evaluation of a policy, as small as an authorizer's answers allow; written from IAM's documentation alone.

A request is allowed if an Allow takes its ARN and no Deny does. In a resource `*` is any run of characters, `/`
included, and `?` is one character; everything else stands for itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any


@cache
def _pattern(resource: str) -> re.Pattern[str]:
    wildcards = {"*": ".*", "?": "."}
    return re.compile("".join(wildcards.get(c, re.escape(c)) for c in resource), re.DOTALL)


def takes(resource: str, arn: str) -> bool:
    """Whether the resource of a statement takes this ARN."""
    return _pattern(resource).fullmatch(arn) is not None


def allows(policy: Mapping[str, Any], arn: str, *, action: str = "execute-api:Invoke") -> bool:
    """Whether the policy lets its principal do `action` on the resource that `arn` names."""
    assert policy["Version"] == "2012-10-17"
    effects = set()
    for statement in policy["Statement"]:
        assert statement.keys() == {"Effect", "Action", "Resource"}
        assert statement["Effect"] in ("Allow", "Deny")
        resources = statement["Resource"]
        if statement["Action"] == action and any(
            takes(resource, arn) for resource in ([resources] if isinstance(resources, str) else resources)
        ):
            effects.add(statement["Effect"])
    return effects == {"Allow"}
