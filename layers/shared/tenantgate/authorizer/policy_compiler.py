"""The routes that a caller's policy allows and denies, proven exact or given up.

What can't be expressed: IAM has no "anything but" and no "without a slash", so the two routes `/orders/{id}` and
`/orders/{id}/items` can't both be allowed without `/orders/1/anything`, which no rule allows. Where the rules' owner
promises `every_route_listed`, API Gateway itself answers for `/orders/1/anything` and never asks this policy; then only
the listed routes count.
"""

from __future__ import annotations

from collections.abc import Mapping

from tenantgate.identity.principal import Principal
from tenantgate.route_rules.engine import ApiRules, unmet
from tenantgate.route_rules.matching import GREEDY, PARAMETER, Segments, walk
from tenantgate.route_rules.model import ANY, CONNECT, METHODS, Requirement, RouteRule
from tenantgate.route_rules.overlap import beyond, is_exact, more_specific, overrun, sharing, wildcard
from tenantgate.tokens.records import Record

# No more of them fit, however short: a resource begins with 60 characters of ARN.
_MOST_RESOURCES = 140
# What a policy denies beside routes as soon as a wildcard is in it, on whatever stage: paths that the engine refuses or
# that a router may fold (route_match.py). The engine is less strict: it asks what the path is folded into.
#
# Empty, blank and dot segments; matrix parameters, backslashes (`\` is one), and what ends a path.
_ODD = ("*//*", "*/.", "*/./*", "*/..*", "*/ *", "*/. *", "*;*", "*\\*", "*#*")
# The same in disguise, and broken escapes that make another when they are decoded. Of encoded characters only these
# count as long as a wildcard has no exceptions.
_DISGUISED = (
    *("*%2F*", "*%2f*", "*%2E*", "*%2e*", "*%25*", "*%%*", "*%?%*", "*%u*", "*%U*", "*%5C*", "*%5c*", "*%3B*", "*%3b*"),
    *("*%3F*", "*%3f*", "*%23*", "*%0*", "*%1*", "*%7F*", "*%7f*", "*/%20*", "*/.%20*"),
)
# A wildcard's exceptions must not be escaped by another spelling of them: any escape, dots and blanks at the end.
_SPELLINGS = ("*%*", "*.", "*./*", "* ", "* /*")
_MEMO_SIZE = 256

TOO_LARGE = "too_large"
NOT_EXPRESSIBLE = "not_expressible"


class Resources(Record):
    """Allow and Deny by `METHOD/path` behind the stage, or `problem` and the routes that make it.

    `spellings` are denied on every stage.
    """

    __slots__ = ()

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    spellings: tuple[str, ...] = ()
    problem: str = ""
    routes: tuple[str, ...] = ()


class _NotExpressible(Exception):
    """Its arguments are the routes that make it so."""


class _TooLarge(Exception):
    """Stops the work as soon as the policy can't fit."""


type _Shape = tuple[Segments, dict[str, RouteRule]]


class PolicyCompiler:
    """Compiles the policies of one API. Principals who meet the same requirements share one, kept for the next."""

    def __init__(self, rules: ApiRules) -> None:
        self.rules = rules
        self._by_requirement: dict[Requirement, list[tuple[Segments, RouteRule]]] = {}
        for shape, by_method in walk(rules.trie.root):
            for rule in by_method.values():
                self._by_requirement.setdefault(rule.requirement, []).append((shape, rule))
        self.requirements = {asked: rules[0][1] for asked, rules in self._by_requirement.items()}
        # No caller meets a requirement without one of these; so only those of what the caller has are looked at.
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
        # Patterns that name a slash at the end: what they deny is also denied without it, and the other way round.
        self.slashed = [(shape, rules) for shape, rules in walk(rules.trie.root) if _names_a_slash(shape)]
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
        """What callers that meet these requirements, and no others, may call."""
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
            problem = Resources(problem=NOT_EXPRESSIBLE, routes=error.args)
        if self.rules.every_route_listed:
            try:
                return _Compilation(self, met).excepting()
            except (_TooLarge, _NotExpressible):
                pass
        return problem

    def denied(self, met: frozenset[Requirement]) -> list[tuple[Segments, str]]:
        return [
            (shape, rule.method)
            for asked in self.requirements
            if asked not in met
            for shape, rule in self._by_requirement[asked]
        ]

    def specific(self, shape: Segments) -> list[_Shape]:
        found = self._specific.get(shape)
        if found is None:
            found = self._specific[shape] = more_specific(self.rules.trie, shape)
        return found

    def sharing(self, shape: Segments) -> list[_Shape]:
        """The shapes that share a path with `shape`, or with what its wildcard takes beyond it."""
        return [*sharing(self.rules.trie, shape), *self.overrun(shape)]

    def overrun(self, shape: Segments) -> list[_Shape]:
        found = self._overrun.get(shape)
        if found is None:
            found = self._overrun[shape] = overrun(self.rules.trie, shape)
        return found


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
                if self._allows(self._at(shape), concrete) and not self._covered(shape, concrete):
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
            also = ("HEAD",) if method == "GET" and "HEAD" not in self._at(shape) else ()
            for concrete in (*self._methods(shape, method), *also):
                if concrete != CONNECT and shape != ("",):
                    self._deny_shape(shape, concrete)
        return self._result()

    def _result(self) -> Resources:
        allow = self._allow
        everything = [f"{method}/?*" for method in METHODS]
        if all(resource in allow for resource in everything):
            # Every method and a path of a character or more: the first slash behind the stage ends the method.
            allow = dict.fromkeys(["*/?*", *(resource for resource in allow if resource not in everything)])
        spellings: tuple[str, ...] = ()
        if any("*" in resource for resource in allow):
            spellings = _ODD + (_SPELLINGS if self._exceptions else _DISGUISED)
        return Resources(tuple(allow), tuple(self._deny), spellings)

    def _except(self, shape: Segments, method: str) -> None:
        """Deny what the wildcard of an allowed route takes and the rules don't allow, and what is folded into that."""
        self._deny_denied(self._compiler.slashed, method)
        if _names_a_slash(shape):
            self._deny_denied(self._compiler.sharing(shape[:-1]), method)
        self._deny_denied(self._compiler.specific(shape), method)
        overrun = self._compiler.overrun(shape)
        if self._listed:
            self._deny_denied(overrun, method)
            return
        if not is_exact(shape):
            raise _NotExpressible(self._told(shape, method))
        self._refuse_allowed(overrun, shape, method)
        for pattern in beyond(shape):
            self._add(self._deny, method, pattern)

    def _deny_denied(self, shapes: list[_Shape], method: str) -> None:
        for shape, rules in shapes:
            if self._denies(rules, method):
                self._deny_shape(shape, method)

    def _refuse_allowed(self, shapes: list[_Shape], denied: Segments, method: str) -> None:
        """Give up where a Deny would take paths of a route that is allowed."""
        for shape, rules in shapes:
            if self._allows(rules, method):
                raise _NotExpressible(self._told(denied, method), self._told(shape, method))

    def _deny_shape(self, shape: Segments, method: str) -> None:
        self._refuse_allowed([*self._compiler.specific(shape), *self._compiler.overrun(shape)], shape, method)
        self._exceptions = True
        self._add(self._deny, method, wildcard(shape))
        if _names_a_slash(shape):
            bare = shape[:-1]
            self._refuse_allowed(self._compiler.overrun(bare), shape, method)
            self._add(self._deny, method, wildcard(bare))
        elif shape[-1] not in (PARAMETER, GREEDY, ""):
            # A `?*` at the end takes the slash already.
            self._add(self._deny, method, wildcard(shape) + "/")

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
        return bool(deciding(rules, method)) and not self._denies(rules, method) and (method in rules or ANY in rules)

    def _denies(self, rules: dict[str, RouteRule], method: str) -> bool:
        return any(rule.requirement not in self._met for rule in deciding(rules, method))

    def _told(self, shape: Segments, method: str) -> str:
        rules = self._at(shape)
        return (rules.get(method) or rules.get(ANY) or rules["GET"]).route


def deciding(rules: Mapping[str, RouteRule], method: str) -> list[RouteRule]:
    """The rules of one pattern that must all allow the method. HEAD without a rule of its own is held to GET's."""
    if method in rules or method == CONNECT:
        return [rules[method]] if method in rules else []
    names = (ANY, "GET") if method == "HEAD" else (ANY,)
    return [rules[name] for name in names if name in rules]


def _names_a_slash(shape: Segments) -> bool:
    return shape[-1:] == ("",) and len(shape) > 1
