"""A principal's rules as an IAM policy, for the integrations of API Gateway that want one as the answer.

API Gateway may cache the answer and use it for the API's other routes, so it is the principal's complete policy for the
API: Allow for what the rules allow, with explicit Denies (which win) for what the wildcards would take beyond that.
IAM's `*` crosses `/`: `/orders/{id}` is Allow `/orders/?*` without Deny `/orders/*/*`.

What can't be written (`policy_compiler.py` says what), or is too large for API Gateway, becomes a policy for the
request's own path, marked as not complete: right where nothing is cached or the path is in the cache's key, and never
opening anything elsewhere. `tenantgate rules check --template` finds such APIs before they are deployed.
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

# Characters of the document without white space: API Gateway takes 8 KB of answer, of which 2 KB are left to principal
# and context. And of one resource (API Gateway's developer guide, "Output from an API Gateway Lambda authorizer").
LARGEST_POLICY = 6144
LONGEST_RESOURCE = 512
# HTTP APIs decode the paths of their ARNs. These are the only characters below U+0020 that IAM documents for a policy
# (https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html); what URL parsers drop anywhere.
_LINE_BREAKS_AND_TABS = ("*\t*", "*\n*", "*\r*")
_MOST_COMBINED = 8


class CompiledPolicy(Record):
    """`complete`: good for every route of the API, so that it may be cached; else for the request's own path alone,
    and `reason` and `routes` say why."""

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
    """The policy of `principal` (None: what is public) for the API and stage of `arn`. `now` is in epoch seconds.

    `decoded`: the API's ARNs have decoded paths, as those of HTTP APIs. `route` is the pattern that the API has chosen
    for the request, which counts where the policy is for the request's own path only.
    """
    compiler = rules.memo.get("compiler")
    if not isinstance(compiler, PolicyCompiler):
        compiler = rules.memo["compiler"] = PolicyCompiler(rules)
    resources = compiler.resources(compiler.met(principal, now))
    if not resources.problem:
        policy = _document(arn.stage_arn, resources, decoded=decoded)
        if policy is not None:
            return CompiledPolicy(policy, complete=True)
        resources = Resources(problem=TOO_LARGE)
    policy = _for_this_path(rules, principal, arn, now, route)
    return CompiledPolicy(policy, complete=False, reason=resources.problem, routes=resources.routes)


def without_own_path(policy: Policy, arn: MethodArn) -> Policy | None:
    """The policy with a Deny for the path of the request, which was denied for what no policy can say.

    None where no resource can name the path: not one with IAM's wildcards, because the policy may be cached and must
    close no other route, nor one with control characters or one that is too long, which API Gateway wouldn't take.
    """
    own = str(arn)
    if len(own) > LONGEST_RESOURCE or has_wildcard(arn.path) or has_control_characters(arn.path):
        return None
    return policy_document(*policy["Statement"], statement("Deny", [own]))


def _for_this_path(
    rules: ApiRules, principal: Principal | None, arn: MethodArn, now: float, route: str | None
) -> Policy:
    allowed = rules.decide(arn.method, arn.path, principal, now=now, route=route).allowed
    if allowed and not has_wildcard(arn.path):
        policy = _document(arn.stage_arn, Resources((arn.method + arn.path,)), decoded=False)
        if policy is not None:
            return policy
    return deny_all(arn.stage_arn)


def _document(stage_arn: str, resources: Resources, *, decoded: bool) -> Policy | None:
    """The policy, None if API Gateway wouldn't take it."""
    allow, deny, spellings = resources.allow, resources.deny, resources.spellings
    if not allow:
        return deny_all(stage_arn)
    # A policy's resources are short of space, and these hold for any API.
    any_stage = stage_arn.partition(":execute-api:")[0] + ":execute-api:*:*:"
    controls = _LINE_BREAKS_AND_TABS if decoded and spellings else ()
    statements = [statement("Allow", [stage_arn + resource for resource in allow])]
    if deny or spellings:
        denied = [stage_arn + resource for resource in deny]
        denied += [any_stage + spelling for spelling in spellings + controls]
        statements.append(statement("Deny", denied))
    longest = max(map(len, allow + deny)) + len(stage_arn)
    # Each resource has quotes and a comma; JSON writes a backslash, and each of `controls`, as two characters. The rest
    # of the document is under 200 characters.
    size = 200 + sum(map(len, allow + deny)) + (len(allow) + len(deny)) * (len(stage_arn) + 3)
    size += sum(map(len, spellings)) + len(spellings) * (len(any_stage) + 3) + 1
    size += len(controls) * (len(any_stage) + 3 + 4)
    if longest > LONGEST_RESOURCE or size > LARGEST_POLICY:
        return None
    return policy_document(*statements)


def first_incomplete(rules: ApiRules, *, decoded: bool, stage_arn_length: int = 100) -> Resources | None:
    """The problem of a caller's policy that isn't complete, None if all are: what is checked before a cache is trusted.

    Tries every combination of met requirements up to eight; of more, all, none, each alone and each missing. `decoded`
    as for `compile_policy`.
    """
    compiler = PolicyCompiler(rules)
    public = [asked for asked, rule in compiler.requirements.items() if rule.public]
    others = [asked for asked in compiler.requirements if asked not in public]
    stage_arn = "arn:aws:execute-api:".ljust(stage_arn_length, "/")
    for met in _combinations(others):
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
