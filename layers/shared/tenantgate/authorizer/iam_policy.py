"""The route rules for one principal as an IAM policy, for the integrations that require one as the response.

API Gateway may cache the response and reuse it for the API's other routes. It is therefore the principal's complete
policy for the API: it allows the routes that the rules allow, and denies explicitly (a Deny overrides every Allow) the
other paths that the wildcards match. IAM's `*` also matches slashes: `/orders/{id}` becomes Allow `/orders/?*` and Deny
`/orders/*/*`.

Some rules can't be written as a policy (see `policy_compiler.py`), or only as one that is too large for API Gateway.
They become a policy for the path of the request, marked as not complete. That policy is correct if responses are not
cached or the path is in the cache key, and it allows no other path. `tenantgate rules check --template` finds such APIs
before they are deployed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tenantgate.authorizer.method_arn import MethodArn, has_wildcard
from tenantgate.authorizer.policy_compiler import TOO_LARGE, PolicyCompiler, Resources
from tenantgate.authorizer.responses import deny_all, policy_document, statement
from tenantgate.identity.principal import Principal
from tenantgate.route_rules.engine import ApiRules
from tenantgate.route_rules.matching import has_control_characters
from tenantgate.route_rules.model import Requirement
from tenantgate.tokens.records import Record

if TYPE_CHECKING:
    from tenantgate.authorizer.responses import Policy

# Characters of the document without white space: API Gateway accepts responses of 8 KB, of which principal and context
# get 2 KB. Characters of one resource: the developer guide, "Output from an API Gateway Lambda authorizer".
LARGEST_POLICY = 6144
LONGEST_RESOURCE = 512
# HTTP APIs decode the paths of their ARNs. URL parsers drop these characters anywhere, and IAM allows no others below
# U+0020 in a policy (https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html).
_LINE_BREAKS_AND_TABS = ("*\t*", "*\n*", "*\r*")
_MOST_COMBINED = 8


class CompiledPolicy(Record):
    """A policy, and whether it covers every route of the API (`complete`), so that it may be cached.

    A policy that isn't complete covers only the path of the request; `reason` and `routes` explain it.
    """

    __slots__ = ()

    document: Policy
    complete: bool
    reason: str = ""
    routes: tuple[str, ...] = ()


def compile_policy(
    rules: ApiRules,
    principal: Principal | None,
    *,
    arn: MethodArn,
    now: float,
    decoded: bool = False,
    route: str | None = None,
) -> CompiledPolicy:
    """Return the policy of `principal` for the API and stage of `arn`; without a principal, for the public routes.

    `now` is in epoch seconds. `decoded`: the API's ARNs contain decoded paths, like those of HTTP APIs. `route` is the
    pattern that the API matched, which counts if the policy covers only the path of the request.
    """
    compiler = rules.memo.get("compiler")
    if not isinstance(compiler, PolicyCompiler):
        compiler = rules.memo["compiler"] = PolicyCompiler(rules)
    resources = compiler.resources(compiler.requirements.met(principal, now))
    if not resources.problem:
        policy = _document(arn.stage_arn, resources, decoded=decoded)
        if policy is not None:
            return CompiledPolicy(policy, complete=True)
        resources = Resources(problem=TOO_LARGE)
    policy = _for_this_path(rules, principal, arn, now, route)
    return CompiledPolicy(policy, complete=False, reason=resources.problem, routes=resources.routes)


def without_own_path(policy: Policy, arn: MethodArn) -> Policy | None:
    """Add a Deny for the path of the request, which was denied for a reason that the policy can't express.

    Return None if no resource can name the path. A path with IAM's wildcards would deny other paths too, and the policy
    may be cached; API Gateway accepts no control characters and no resource that is too long.
    """
    own = str(arn)
    if len(own) > LONGEST_RESOURCE or has_wildcard(arn.path) or has_control_characters(arn.path):
        return None
    return policy_document(*policy["Statement"], statement("Deny", [own]))


def policy_for_one_path(arn: MethodArn) -> Policy | None:
    """Return the policy that allows the path of the request; None if no resource can name only this path."""
    if has_wildcard(arn.path):
        return None
    return _document(arn.stage_arn, Resources((arn.method + arn.path,)), decoded=False)


def _for_this_path(
    rules: ApiRules, principal: Principal | None, arn: MethodArn, now: float, route: str | None
) -> Policy:
    allowed = rules.decide(arn.method, arn.path, principal, now=now, route=route).allowed
    policy = policy_for_one_path(arn) if allowed else None
    return deny_all(arn.stage_arn) if policy is None else policy


def _document(stage_arn: str, resources: Resources, *, decoded: bool) -> Policy | None:
    """The policy, or None if API Gateway wouldn't accept it."""
    allow, deny, spellings = resources.allow, resources.deny, resources.spellings
    if not allow:
        return deny_all(stage_arn)
    # Shorter than the stage's ARN, and policies have little space. No API needs these spellings.
    any_stage = stage_arn.partition(":execute-api:")[0] + ":execute-api:*:*:"
    controls = _LINE_BREAKS_AND_TABS if decoded and spellings else ()
    statements = [statement("Allow", [stage_arn + resource for resource in allow])]
    if deny or spellings:
        denied = [stage_arn + resource for resource in deny]
        denied += [any_stage + spelling for spelling in spellings + controls]
        statements.append(statement("Deny", denied))
    longest = max(map(len, allow + deny)) + len(stage_arn)
    # Each resource adds quotes and a comma. In JSON a backslash and each of `controls` are two characters. The rest of
    # the document has less than 200 characters.
    size = 200 + sum(map(len, allow + deny)) + (len(allow) + len(deny)) * (len(stage_arn) + 3)
    size += sum(map(len, spellings)) + len(spellings) * (len(any_stage) + 3) + 1
    size += len(controls) * (len(any_stage) + 3 + 4)
    if longest > LONGEST_RESOURCE or size > LARGEST_POLICY:
        return None
    return policy_document(*statements)


def first_incomplete(rules: ApiRules, *, decoded: bool, stage_arn_length: int = 100) -> Resources | None:
    """Return the problem of a caller's policy that isn't complete; None if every caller's is, so that it may be cached.

    With at most eight requirements, try every combination that a caller may meet. With more, try all of them, no
    requirement, each single one, and all except each one. `decoded` as for `compile_policy`.
    """
    compiler = PolicyCompiler(rules)
    public = compiler.requirements.public()
    stage_arn = "arn:aws:execute-api:".ljust(stage_arn_length, "/")
    for met in _combinations(compiler.requirements.not_public()):
        found = compiler.resources(frozenset((*public, *met)))
        if found.problem:
            return found
        if _document(stage_arn, found, decoded=decoded) is None:
            return Resources(problem=TOO_LARGE)
    return None


def _combinations(items: list[Requirement]) -> Iterator[Iterable[Requirement]]:
    if len(items) > _MOST_COMBINED:
        yield from (items, ())
        yield from ([item] for item in items)
        yield from ([item for item in items if item is not missing] for missing in items)
        return
    for chosen in range(1 << len(items)):
        yield [item for place, item in enumerate(items) if chosen >> place & 1]
