"""A principal's rules as an IAM policy, for the integrations of API Gateway that want one as the answer.

API Gateway may cache the answer and use it for the API's other routes, so it is the principal's complete policy for the
API: Allow for what the rules allow, with explicit Denies (which win) for what the wildcards would take beyond that.
IAM's `*` crosses `/`: `/orders/{id}` is Allow `/orders/?*` without Deny `/orders/*/*`.

What can't be expressed: IAM has no "anything but" and no "without a slash", so the two routes `/orders/{id}` and
`/orders/{id}/items` can't both be allowed without `/orders/1/anything`, which no rule allows. Where the rules' owner
promises `every_route_listed`, API Gateway itself answers for `/orders/1/anything` and never asks this policy; then only
the listed routes count. What can't be expressed even so, or is too large for API Gateway, becomes a policy for the
request's own path alone, marked as not complete: right where nothing is cached or the path is in the cache's key,
and never opening anything elsewhere. `tenantgate rules check --template` finds the others before they are deployed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tenantgate.access.principal import Principal
from tenantgate.access.route_match import GREEDY, PARAMETER, Segments, walk
from tenantgate.access.route_overlap import beyond, is_exact, more_specific, overrun, wildcard
from tenantgate.access.rules import ANY, CONNECT, METHODS, ApiRules, Requirement, RouteRule, unmet
from tenantgate.tokens.records import Record

# Characters of the document without white space: API Gateway takes 8 KB of answer, of which 2 KB are left to principal
# and context. And of one resource (API Gateway's developer guide, "Output from an API Gateway Lambda authorizer").
LARGEST_POLICY = 6144
LONGEST_RESOURCE = 512
# No more of them fit, however short: a resource begins with 60 characters of ARN.
_MOST_RESOURCES = 140
# Paths that the engine refuses, whatever the rules: empty and dot segments; slashes, dots and percent signs in
# disguise, and broken escapes that make another when they are decoded. Of encoded characters these alone count as long
# as a wildcard has no exceptions.
_NOT_PLAIN = ("*//*", "*/.", "*/..", "*/./*", "*/../*")
_DISGUISED = ("*%2F*", "*%2f*", "*%2E*", "*%2e*", "*%25*", "*%%*", "*%?%*")
_ENCODED = ("*%*",)
_MEMO_SIZE = 256
_MOST_COMBINED = 8

TOO_LARGE = "too_large"
NOT_EXPRESSIBLE = "not_expressible"


class MethodArn(Record):
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
        parts = arn.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn" or parts[2] != "execute-api":
            raise ValueError("not the ARN of an API Gateway method")
        api_id, _, rest = parts[5].partition("/")
        stage, _, rest = rest.partition("/")
        method, slash, path = rest.partition("/")
        # A wildcard here would become one in the policy.
        if not (api_id and stage and method) or any(c in "*?{}" for c in api_id + stage + method):
            raise ValueError("the ARN names no API, stage and method")
        return cls(parts[1], parts[3], parts[4], api_id, stage, method, slash + path)

    @property
    def stage_arn(self) -> str:
        """What the ARNs of all of the stage's methods begin with; ends with `/`."""
        return f"arn:{self.partition}:execute-api:{self.region}:{self.account}:{self.api_id}/{self.stage}/"


class CompiledPolicy(Record):
    """`complete`: good for every route of the API, so that it may be cached; else for the request's own path alone,
    and `reason` and `routes` say why."""

    document: dict[str, object]
    complete: bool
    reason: str = ""
    routes: tuple[str, ...] = ()


class Resources(Record):
    """Allow and Deny by `METHOD/path` behind the stage, or `problem` and the routes that make it."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    problem: str = ""
    routes: tuple[str, ...] = ()


def compile_policy(rules: ApiRules, principal: Principal | None, *, arn: MethodArn, now: float) -> CompiledPolicy:
    """The policy of `principal` (None: what is public) for the API and stage of `arn`. `now` is in epoch seconds."""
    compiler = rules.memo.get("compiler")
    if not isinstance(compiler, PolicyCompiler):
        compiler = rules.memo["compiler"] = PolicyCompiler(rules)
    resources = compiler.resources(compiler.met(principal, now))
    if not resources.problem:
        policy = _document(arn.stage_arn, resources.allow, resources.deny)
        if policy is not None:
            return CompiledPolicy(policy, complete=True)
        resources = Resources(problem=TOO_LARGE)
    policy = _for_this_path(rules, principal, arn, now)
    return CompiledPolicy(policy, complete=False, reason=resources.problem, routes=resources.routes)


def _for_this_path(rules: ApiRules, principal: Principal | None, arn: MethodArn, now: float) -> dict[str, object]:
    if rules.decide(arn.method, arn.path, principal, now=now).allowed and not any(c in "*?{}" for c in arn.path):
        policy = _document(arn.stage_arn, (arn.method + arn.path,), ())
        if policy is not None:
            return policy
    return _deny_all(arn.stage_arn)


def _deny_all(stage_arn: str) -> dict[str, object]:
    return {"Version": "2012-10-17", "Statement": [_statement("Deny", [stage_arn + "*"])]}


def _document(stage_arn: str, allow: tuple[str, ...], deny: tuple[str, ...]) -> dict[str, object] | None:
    """The policy, None if API Gateway wouldn't take it."""
    if not allow:
        return _deny_all(stage_arn)
    statements = [_statement("Allow", [stage_arn + resource for resource in allow])]
    if deny:
        statements.append(_statement("Deny", [stage_arn + resource for resource in deny]))
    longest = max(map(len, allow + deny)) + len(stage_arn)
    # Each resource has quotes and a comma; the rest of the document is under 200 characters.
    size = 200 + sum(map(len, allow + deny)) + (len(allow) + len(deny)) * (len(stage_arn) + 3)
    if longest > LONGEST_RESOURCE or size > LARGEST_POLICY:
        return None
    return {"Version": "2012-10-17", "Statement": statements}


def _statement(effect: str, resources: list[str]) -> dict[str, object]:
    return {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resources}


class _NotExpressible(Exception):
    def __init__(self, *routes: str) -> None:
        super().__init__(*routes)
        self.routes = routes


class _TooLarge(Exception):
    """Stops the work as soon as the policy can't fit."""


type _Shape = tuple[Segments, dict[str, RouteRule]]


class PolicyCompiler:
    """Compiles the policies of one API. Principals who meet the same requirements share one, kept for the next."""

    def __init__(self, rules: ApiRules) -> None:
        self._rules = rules
        self._by_requirement: dict[Requirement, list[tuple[Segments, RouteRule]]] = {}
        for shape, by_method in walk(rules.trie.root):
            for rule in by_method.values():
                self._by_requirement.setdefault(rule.requirement, []).append((shape, rule))
        self.requirements = {asked: rules[0][1] for asked, rules in self._by_requirement.items()}
        # A requirement is met by nobody without one of these; so only those of what the caller has are looked at.
        self._by_scope: dict[str, list[Requirement]] = {}
        self._by_role: dict[str, list[Requirement]] = {}
        self._by_neither: list[Requirement] = []
        for asked, rule in self.requirements.items():
            index = self._by_scope if rule.scopes or rule.any_scope else self._by_role
            keys = [min(rule.scopes)] if rule.scopes else rule.any_scope or rule.roles
            for key in keys:
                index.setdefault(key, []).append(asked)
            if not keys:
                self._by_neither.append(asked)
        self._memo: dict[frozenset[Requirement], Resources] = {}
        self._specific: dict[Segments, list[_Shape]] = {}
        self._overrun: dict[Segments, list[_Shape]] = {}

    def met(self, principal: Principal | None, now: float) -> frozenset[Requirement]:
        """The requirements that `principal` meets."""
        if principal is None:
            return frozenset(asked for asked in self._by_neither if self.requirements[asked].public)
        near = [*self._by_neither]
        for held, index in ((principal.scopes, self._by_scope), (self._by_role and principal.roles, self._by_role)):
            for key in held:
                near += index.get(key, ())
        return frozenset(asked for asked in near if unmet(self.requirements[asked], principal, now) is None)

    def resources(self, met: frozenset[Requirement]) -> Resources:
        """What whoever meets these requirements, and no others, may call."""
        found = self._memo.get(met)
        if found is None:
            if len(self._memo) >= _MEMO_SIZE:
                self._memo.clear()
            found = self._memo[met] = self._compile(met)
        return found

    def _compile(self, met: frozenset[Requirement]) -> Resources:
        allowed = [(shape, rule.method) for asked in met for shape, rule in self._by_requirement[asked]]
        try:
            return _Compilation(self, met).listing(sorted(allowed))
        except _TooLarge:
            problem = Resources(problem=TOO_LARGE)
        except _NotExpressible as error:
            problem = Resources(problem=NOT_EXPRESSIBLE, routes=error.routes)
        if self._rules.every_route_listed:
            try:
                return _Compilation(self, met).excepting()
            except (_TooLarge, _NotExpressible):
                pass
        return problem

    def first_incomplete(self, *, stage_arn_length: int = 100) -> Resources | None:
        """A principal's policy that isn't complete, None if everybody's is: what is checked before a cache is trusted.

        Tries every combination of met requirements up to eight; of more, all, none, each alone and each missing.
        """
        public = [asked for asked, rule in self.requirements.items() if rule.public]
        others = [asked for asked in self.requirements if asked not in public]
        for met in _combinations(others):
            found = self.resources(frozenset((*public, *met)))
            if found.problem:
                return found
            if _document("/" * stage_arn_length, found.allow, found.deny) is None:
                return Resources(problem=TOO_LARGE)
        return None

    def denied(self, met: frozenset[Requirement]) -> list[tuple[Segments, str]]:
        return [
            (shape, rule.method)
            for asked in self.requirements
            if asked not in met
            for shape, rule in self._by_requirement[asked]
        ]

    @property
    def rules(self) -> ApiRules:
        return self._rules

    def specific(self, shape: Segments) -> list[_Shape]:
        found = self._specific.get(shape)
        if found is None:
            found = self._specific[shape] = more_specific(self._rules.trie, shape)
        return found

    def overrun(self, shape: Segments) -> list[_Shape]:
        found = self._overrun.get(shape)
        if found is None:
            found = self._overrun[shape] = overrun(self._rules.trie, shape)
        return found


def _combinations(items: list[Requirement]) -> Iterator[Iterable[Requirement]]:
    if len(items) > _MOST_COMBINED:
        yield from (items, ())
        yield from ([item] for item in items)
        yield from ([item for item in items if item is not missing] for missing in items)
        return
    for chosen in range(1 << len(items)):
        yield [item for place, item in enumerate(items) if chosen >> place & 1]


class _Compilation:
    """One run of the compiler: for those who meet `met`."""

    def __init__(self, compiler: PolicyCompiler, met: frozenset[Requirement]) -> None:
        self._compiler = compiler
        self._met = met
        self._listed = compiler.rules.every_route_listed
        self._root = compiler.rules.trie.root
        self._allow: dict[str, None] = {}
        self._deny: dict[str, None] = {}
        self._exceptions = False

    def listing(self, allowed: list[tuple[Segments, str]]) -> Resources:
        """Allow each route, and deny what the wildcards take beyond."""
        for shape, method in allowed:
            for concrete in self._methods(shape, method):
                if not self._covered(shape, concrete):
                    self._add(self._allow, concrete, wildcard(shape))
                    self._except(shape, concrete)
        return self._result()

    def excepting(self) -> Resources:
        """Allow everything, and deny the listed routes that are denied: for who may call most of them."""
        self._allow = dict.fromkeys(("*/?*",))
        for concrete in METHODS:
            rule = self._root.literals[""].rules if "" in self._root.literals else {}
            if self._allows(rule, concrete):
                self._add(self._allow, concrete, "/")
        for shape, method in self._compiler.denied(self._met):
            for concrete in self._methods(shape, method):
                if concrete == CONNECT or shape == ("",):
                    continue
                self._deny_shape(shape, concrete)
        return self._result()

    def _result(self) -> Resources:
        allow = self._allow
        everything = [f"{method}/?*" for method in METHODS]
        if all(resource in allow for resource in everything):
            # Every method and a path of a character or more: the first slash behind the stage ends the method.
            allow = dict.fromkeys(["*/?*", *(resource for resource in allow if resource not in everything)])
        deny = dict(self._deny)
        if any("*" in resource for resource in allow):
            deny |= dict.fromkeys(_NOT_PLAIN + (_ENCODED if self._exceptions else _DISGUISED))
        return Resources(tuple(allow), tuple(deny))

    def _except(self, shape: Segments, method: str) -> None:
        """Deny what the wildcard of an allowed route takes and the rules don't allow."""
        for other, rules in self._compiler.specific(shape):
            if self._denies(rules, method):
                self._deny_shape(other, method)
        if self._listed:
            for other, rules in self._compiler.overrun(shape):
                if self._denies(rules, method):
                    self._deny_shape(other, method)
            return
        if not is_exact(shape):
            raise _NotExpressible(self._told(shape, method))
        for other, rules in self._compiler.overrun(shape):
            if self._allows(rules, method):
                raise _NotExpressible(self._told(shape, method), self._told(other, method))
        for pattern in beyond(shape):
            self._add(self._deny, method, pattern)

    def _deny_shape(self, shape: Segments, method: str) -> None:
        for other, rules in (*self._compiler.specific(shape), *self._compiler.overrun(shape)):
            if self._allows(rules, method):
                raise _NotExpressible(self._told(shape, method), self._told(other, method))
        self._exceptions = True
        self._add(self._deny, method, wildcard(shape))

    def _add(self, resources: dict[str, None], method: str, path: str) -> None:
        resources[method + path] = None
        if len(self._allow) + len(self._deny) > _MOST_RESOURCES:
            raise _TooLarge

    def _covered(self, shape: Segments, method: str) -> bool:
        """Whether the wildcard of another allowed route takes all paths of this one."""
        node = self._root
        for depth, segment in enumerate(shape):
            left = shape[depth:]
            if left == ("",):
                return False
            if left != (GREEDY,) and self._allows(node.greedy, method):
                return True
            parameter = node.parameter
            if (
                parameter is not None
                and left != (PARAMETER,)
                and segment != GREEDY
                and (self._listed or len(left) == 1)
                and self._allows(parameter.rules, method)
            ):
                return True
            following = parameter if segment == PARAMETER else node.literals.get(segment)
            if following is None:
                return False
            node = following
        return False

    def _methods(self, shape: Segments, method: str) -> tuple[str, ...]:
        if method != ANY:
            return (method,)
        own = self._at(shape)
        return tuple(concrete for concrete in METHODS if concrete not in own)

    def _at(self, shape: Segments) -> dict[str, RouteRule]:
        node = self._root
        for segment in shape:
            if segment == GREEDY:
                return node.greedy
            following = node.parameter if segment == PARAMETER else node.literals[segment]
            if following is None:
                return {}
            node = following
        return node.rules

    def _allows(self, rules: dict[str, RouteRule], method: str) -> bool:
        rule = rules.get(method) or (rules.get(ANY) if method != CONNECT else None)
        return rule is not None and rule.requirement in self._met

    def _denies(self, rules: dict[str, RouteRule], method: str) -> bool:
        rule = rules.get(method) or (rules.get(ANY) if method != CONNECT else None)
        return rule is not None and rule.requirement not in self._met

    def _told(self, shape: Segments, method: str) -> str:
        rule = self._at(shape).get(method) or self._at(shape)[ANY]
        return rule.route
