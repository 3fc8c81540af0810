"""The resources that a caller's policy allows and denies: exactly what the rules allow, or an explicit failure.

IAM can express neither "anything except" nor "no slash". The routes `/orders/{id}` and `/orders/{id}/items`, both
allowed, therefore need a pattern that also matches `/orders/1/anything`, which no rule allows. If the rules' owner
promises `every_route_listed`, API Gateway responds to `/orders/1/anything` itself, without looking at the policy; then
only the listed routes count.
"""

from __future__ import annotations

from collections.abc import Mapping

from tenantgate.authorizer.requirements import RequirementIndex
from tenantgate.route_rules.engine import ApiRules
from tenantgate.route_rules.matching import GREEDY, PARAMETER, Segments, names_a_slash, walk
from tenantgate.route_rules.model import ANY, CONNECT, METHODS, Requirement, RouteRule
from tenantgate.route_rules.overlap import beyond, is_exact, more_specific, overrun, sharing, wildcard
from tenantgate.tokens.records import Record

# More resources never fit into a policy: each begins with 60 characters of ARN.
_MOST_RESOURCES = 140
# A policy with a wildcard also denies, on every stage, the spellings that the engine rejects or that a router may fold
# (`route_rules/matching.py`). The engine is less strict: it decides on the folded path.
#
# Empty, blank and dot segments; matrix parameters, backslashes (`\` is one), and a character that ends a path.
_ODD = ("*//*", "*/.", "*/./*", "*/..*", "*/ *", "*/. *", "*;*", "*\\*", "*#*")
# The same characters as escapes, and broken escapes that become escapes when they are decoded. A wildcard without
# exceptions needs no other escapes denied.
_ESCAPED = (
    *("*%2F*", "*%2f*", "*%2E*", "*%2e*", "*%25*", "*%%*", "*%?%*", "*%u*", "*%U*", "*%5C*", "*%5c*", "*%3B*", "*%3b*"),
    *("*%3F*", "*%3f*", "*%23*", "*%0*", "*%1*", "*%7F*", "*%7f*", "*/%20*", "*/.%20*"),
)
# Another spelling must not bypass the exceptions of a wildcard: deny every escape, and dots and spaces at the end.
_SPELLINGS = ("*%*", "*.", "*./*", "* ", "* /*")
_MEMO_SIZE = 256

TOO_LARGE = "too_large"
NOT_EXPRESSIBLE = "not_expressible"


class Resources(Record):
    """Allowed and denied resources as `METHOD/path` after the stage, or `problem` and the routes that cause it.

    `spellings` are denied on every stage.
    """

    __slots__ = ()

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    spellings: tuple[str, ...] = ()
    problem: str = ""
    routes: tuple[str, ...] = ()


class _NotExpressible(Exception):
    """Rules that no policy expresses. The arguments are the routes that cause it."""


class _TooLarge(Exception):
    """Stops the compilation as soon as the policy can't fit."""


type _Shape = tuple[Segments, dict[str, RouteRule]]


class PolicyCompiler:
    """Compiles the policies of one API. Principals that meet the same requirements share one, which is cached."""

    def __init__(self, rules: ApiRules) -> None:
        self.rules = rules
        self.requirements = RequirementIndex(rules)
        # Patterns with a slash at the end. A path that they deny is also denied without the slash, and vice versa.
        self.slashed = [(shape, rules) for shape, rules in walk(rules.trie.root) if names_a_slash(shape)]
        self._memo: dict[frozenset[Requirement], Resources] = {}
        self._specific: dict[Segments, list[_Shape]] = {}
        self._overrun: dict[Segments, list[_Shape]] = {}

    def resources(self, met: frozenset[Requirement]) -> Resources:
        """Return the resources for callers that meet exactly these requirements."""
        found = self._memo.get(met)
        if found is None:
            if len(self._memo) >= _MEMO_SIZE:
                self._memo.clear()
            found = self._memo[met] = self._compile(met)
        return found

    def _compile(self, met: frozenset[Requirement]) -> Resources:
        try:
            return _Compilation(self, met).listing(sorted(self.requirements.allowed(met)))
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

    def specific(self, shape: Segments) -> list[_Shape]:
        found = self._specific.get(shape)
        if found is None:
            found = self._specific[shape] = more_specific(self.rules.trie, shape)
        return found

    def sharing(self, shape: Segments) -> list[_Shape]:
        """Return the shapes that share a path with `shape`, or with the paths that only its wildcard matches."""
        return [*sharing(self.rules.trie, shape), *self.overrun(shape)]

    def overrun(self, shape: Segments) -> list[_Shape]:
        found = self._overrun.get(shape)
        if found is None:
            found = self._overrun[shape] = overrun(self.rules.trie, shape)
        return found


class _Compilation:
    """One run of the compiler, for callers that meet `met`."""

    def __init__(self, compiler: PolicyCompiler, met: frozenset[Requirement]) -> None:
        self._compiler = compiler
        self._met = met
        self._listed = compiler.rules.every_route_listed
        self._root = compiler.rules.trie.root
        self._allow: dict[str, None] = {}
        self._deny: dict[str, None] = {}
        self._exceptions = False

    def listing(self, allowed: list[tuple[Segments, str]]) -> Resources:
        """Allow each route, and deny the paths that only the wildcards match."""
        self._require_head_like_get()
        for shape, method in allowed:
            for concrete in self._methods(shape, method):
                if self._allows(self._at(shape), concrete) and not self._covered(shape, concrete):
                    self._add(self._allow, concrete, wildcard(shape))
                    self._except(shape, concrete)
        return self._result()

    def excepting(self) -> Resources:
        """Allow everything except the denied routes: shorter for callers that may use most routes."""
        self._require_head_like_get()
        self._allow = dict.fromkeys(("*/?*",))
        for concrete in METHODS:
            rule = self._root.literals[""].rules if "" in self._root.literals else {}
            if self._allows(rule, concrete):
                self._add(self._allow, concrete, "/")
        for shape, method in self._compiler.requirements.denied(self._met):
            also = ("HEAD",) if method == "GET" and "HEAD" not in self._at(shape) else ()
            for concrete in (*self._methods(shape, method), *also):
                if concrete != CONNECT and shape != ("",):
                    self._deny_shape(shape, concrete)
        return self._result()

    def _result(self) -> Resources:
        allow = self._allow
        everything = [f"{method}/?*" for method in METHODS]
        if all(resource in allow for resource in everything):
            # Every method, and a path of at least one character: the first slash after the stage ends the method.
            allow = dict.fromkeys(["*/?*", *(resource for resource in allow if resource not in everything)])
        spellings: tuple[str, ...] = ()
        if any("*" in resource for resource in allow):
            spellings = _ODD + (_SPELLINGS if self._exceptions else _ESCAPED)
        return Resources(tuple(allow), tuple(self._deny), spellings)

    def _except(self, shape: Segments, method: str) -> None:
        """Deny the paths that an allowed route's wildcard matches and the rules deny, also once they are folded."""
        self._deny_denied(self._compiler.slashed, method)
        if names_a_slash(shape):
            self._deny_denied(self._compiler.sharing(shape[:-1]), method)
        self._deny_denied(self._compiler.specific(shape), method)
        overrun = self._compiler.overrun(shape)
        if self._listed:
            self._deny_denied(overrun, method)
            return
        if not is_exact(shape):
            raise _NotExpressible(self._route_of(shape, method))
        self._require_none_allowed(overrun, shape, method)
        for pattern in beyond(shape):
            self._add(self._deny, method, pattern)

    def _deny_denied(self, shapes: list[_Shape], method: str) -> None:
        for shape, rules in shapes:
            if self._denies(rules, method):
                self._deny_shape(shape, method)

    def _require_none_allowed(self, shapes: list[_Shape], denied: Segments, method: str) -> None:
        """Give up if a Deny would match paths of a route that is allowed."""
        for shape, rules in shapes:
            if self._allows(rules, method):
                raise _NotExpressible(self._route_of(denied, method), self._route_of(shape, method))

    def _require_head_like_get(self) -> None:
        """Give up if HEAD is allowed on a route only by another pattern, and a third one denies GET on a wider one.

        HEAD without a rule must meet the GET of the most specific pattern. The Deny of a wider pattern's HEAD would
        match these paths, too.
        """
        allowing = [
            shape
            for shape, rules in walk(self._root)
            if (own := rules.get("HEAD", rules.get(ANY))) is not None and own.requirement in self._met
        ]
        only_get = {
            shape: rules["GET"].route
            for allowed in allowing
            for shape, rules in self._compiler.specific(allowed)
            if rules.keys().isdisjoint(("HEAD", ANY)) and "GET" in rules and rules["GET"].requirement in self._met
        }
        if not only_get:
            return
        for shape, rules in walk(self._root):
            if "GET" in rules and "HEAD" not in rules and rules["GET"].requirement not in self._met:
                for narrower, _ in self._compiler.specific(shape):
                    if narrower in only_get:
                        raise _NotExpressible(rules["GET"].route, only_get[narrower])

    def _deny_shape(self, shape: Segments, method: str) -> None:
        self._require_none_allowed([*self._compiler.specific(shape), *self._compiler.overrun(shape)], shape, method)
        self._exceptions = True
        self._add(self._deny, method, wildcard(shape))
        if names_a_slash(shape):
            bare = shape[:-1]
            self._require_none_allowed(self._compiler.overrun(bare), shape, method)
            self._add(self._deny, method, wildcard(bare))
        elif shape[-1] not in (PARAMETER, GREEDY, ""):
            # A `?*` at the end already matches the slash.
            self._add(self._deny, method, wildcard(shape) + "/")

    def _add(self, resources: dict[str, None], method: str, path: str) -> None:
        resources[method + path] = None
        if len(self._allow) + len(self._deny) > _MOST_RESOURCES:
            raise _TooLarge

    def _covered(self, shape: Segments, method: str) -> bool:
        """Tell whether the wildcard of another allowed route matches all paths of this one."""
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

    def _route_of(self, shape: Segments, method: str) -> str:
        rules = self._at(shape)
        return (rules.get(method) or rules.get(ANY) or rules["GET"]).route


def deciding(rules: Mapping[str, RouteRule], method: str) -> list[RouteRule]:
    """Return the rules of one pattern that must all allow the method. HEAD without its own rule must meet GET's."""
    if method in rules or method == CONNECT:
        return [rules[method]] if method in rules else []
    names = (ANY, "GET") if method == "HEAD" else (ANY,)
    return [rules[name] for name in names if name in rules]
