"""A principal's rules as an IAM policy, for the integrations of API Gateway that want one as the answer."""

from __future__ import annotations

from typing import NamedTuple

from tenantgate.access.principal import Principal
from tenantgate.access.rules import ApiRules


class MethodArn(NamedTuple):
    """`arn:aws:execute-api:region:account:apiId/stage/METHOD/path`; a WebSocket's ends with `/stage/$connect`."""

    partition: str
    region: str
    account: str
    api_id: str
    stage: str
    method: str
    path: str

    @classmethod
    def parse(cls, arn: str) -> MethodArn:
        """Raises ValueError when it is no such ARN."""
        raise NotImplementedError


class CompiledPolicy(NamedTuple):
    """`complete`: good for every route of the API, so that it may be cached; else for the request's own path alone.
    `reason` says why it isn't complete."""

    document: dict[str, object]
    complete: bool
    reason: str = ""


def compile_policy(rules: ApiRules, principal: Principal | None, *, arn: MethodArn, now: float) -> CompiledPolicy:
    raise NotImplementedError


def policy_for(rules: ApiRules, principal: Principal | None, *, arn: MethodArn, now: float) -> dict[str, object]:
    """The policy document alone."""
    return compile_policy(rules, principal, arn=arn, now=now).document
