"""The requirements of an API's rules, and which of them a caller meets."""

from __future__ import annotations

from tenantgate.identity.principal import Principal
from tenantgate.route_rules.engine import ApiRules, unmet
from tenantgate.route_rules.matching import Segments, walk
from tenantgate.route_rules.model import Requirement, RouteRule


class RequirementIndex:
    """The different requirements of the rules, each with the routes that have it."""

    def __init__(self, rules: ApiRules) -> None:
        self._routes: dict[Requirement, list[tuple[Segments, RouteRule]]] = {}
        for shape, by_method in walk(rules.trie.root):
            for rule in by_method.values():
                self._routes.setdefault(rule.requirement, []).append((shape, rule))
        # A caller meets a requirement only with one of these scopes or roles, so `met` looks up those that it has.
        self._by_scope: dict[str, list[Requirement]] = {}
        self._by_role: dict[str, list[Requirement]] = {}
        self._by_neither: list[Requirement] = []
        for requirement in self._routes:
            rule = self._example(requirement)
            index = self._by_scope if rule.scopes or rule.any_scope else self._by_role
            keys = [min(rule.scopes)] if rule.scopes else rule.any_scope or rule.roles
            for key in keys:
                index.setdefault(key, []).append(requirement)
            if not keys:
                self._by_neither.append(requirement)

    def _example(self, requirement: Requirement) -> RouteRule:
        return self._routes[requirement][0][1]

    def public(self) -> list[Requirement]:
        """Return the requirements that a request without a credential meets."""
        return [requirement for requirement in self._by_neither if self._example(requirement).public]

    def not_public(self) -> list[Requirement]:
        return [requirement for requirement in self._routes if not self._example(requirement).public]

    def met(self, principal: Principal | None, now: float) -> frozenset[Requirement]:
        """Return the requirements that `principal` meets. `now` is in epoch seconds."""
        if principal is None:
            return frozenset(self.public())
        candidates = [*self._by_neither]
        for held, index in ((principal.scopes, self._by_scope), (self._by_role and principal.roles, self._by_role)):
            for key in held:
                candidates += index.get(key, ())
        return frozenset(found for found in candidates if unmet(self._example(found), principal, now) is None)

    def allowed(self, met: frozenset[Requirement]) -> list[tuple[Segments, str]]:
        """Return the shape and the method of each route whose requirement is in `met`."""
        return [(shape, rule.method) for requirement in met for shape, rule in self._routes[requirement]]

    def denied(self, met: frozenset[Requirement]) -> list[tuple[Segments, str]]:
        """Return the shape and the method of each route whose requirement is not in `met`."""
        missing = (requirement for requirement in self._routes if requirement not in met)
        return [(shape, rule.method) for requirement in missing for shape, rule in self._routes[requirement]]
