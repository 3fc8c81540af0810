"""`tenantgate explain`: make every check of a token offline, and show expected and actual values.

The checks are the verifier's own, from the same table (`ACCESS_TOKEN_STEPS`). The verifier stops at the first failure;
this makes every check whose inputs could be read, so that one run shows all faults. After a failed signature, the
claims may be forged.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import cached_property
from inspect import signature
from typing import Any, NamedTuple

from tenantgate.authorizer.decision_log import check_of, reason_code
from tenantgate.errors.base import ErrorCode, TenantgateError
from tenantgate.errors.tokens import UnknownKey
from tenantgate.identity.bearer import bearer_token
from tenantgate.identity.principal import Principal
from tenantgate.masking import mask
from tenantgate.route_rules.engine import RuleSet
from tenantgate.tokens.access_token import ACCESS_TOKEN_STEPS
from tenantgate.tokens.claims import Claims, shown
from tenantgate.tokens.issuers import IssuerPolicy
from tenantgate.tokens.jwks import Bundle
from tenantgate.tokens.keys import Found, HeldKeys, KeySet
from tenantgate.tokens.policy import TokenPolicy
from tenantgate.tokens.roles import RoleReader
from tenantgate.tokens.signatures import Step, TrustedIssuer
from tenantgate.tokens.wiring import tenant_extractor
from tenantgate_cli.denials.facts import facts_of, shown_expected
from tenantgate_cli.denials.values import as_text, duration, pattern_text

type FindBundle = Callable[[IssuerPolicy], Bundle | None]
"""The key set of an issuer on this machine, None without one."""


class Line(NamedTuple):
    """One check. `passed` is None when its input could not be read."""

    check: str
    passed: bool | None
    expected: str = ""
    actual: str = ""
    reason: str = ""
    facts: Mapping[str, str] = {}
    """Of a check that failed: cause, expected, actual, remedy and others, see `denials.facts`."""


class Explanation(NamedTuple):
    lines: list[Line]
    error: ErrorCode | None
    """The code of the first check that failed, None when all passed."""

    @property
    def allowed(self) -> bool:
        return all(line.passed for line in self.lines)


class Route(NamedTuple):
    """The request that is made with the token, and the rules that decide on it. `api_id` is API Gateway's, or `*`."""

    method: str
    path: str
    rules: RuleSet
    api_id: str = "*"


def explain_token(
    authorization: str,
    policy: TokenPolicy,
    bundle_of: FindBundle,
    *,
    route: Route | None = None,
    now: float | None = None,
) -> Explanation:
    """Check a token, or a whole `Authorization` value, and the route when there is one."""
    at = time.time() if now is None else now
    checks = _Checks(
        authorization=authorization if authorization.lower().startswith("bearer ") else f"Bearer {authorization}",
        issuers={issuer.issuer: TrustedIssuer(issuer, _BundledKeys(issuer, bundle_of)) for issuer in policy.issuers},
        headers={},
        fetch=False,
        now=at,
        leeway=policy.leeway_seconds,
        longest=policy.max_lifetime_seconds,
        policy=policy,
    )
    for step in _steps(policy):
        checks.make(step)
    if route is not None:
        _check_route(checks, route, at)
    return Explanation(checks.lines, checks.error)


def _steps(policy: TokenPolicy) -> tuple[Step, ...]:
    """Return the checks between an `Authorization` value and a principal."""

    def read_roles(claims: Claims, issuer: TrustedIssuer, tenant_id: str) -> tuple[frozenset[str], Claims]:
        reader = RoleReader(policy.role_claim_names, (issuer.policy,))
        return reader.read(claims, issuer=issuer.issuer, tenant_id=tenant_id)

    return (
        ("credential", bearer_token, ("token",)),
        *ACCESS_TOKEN_STEPS,
        ("tenant", tenant_extractor(policy).tenant_of, ("tenant_id",)),
        ("roles", read_roles, ("roles", "visible_claims")),
    )


class _BundledKeys:
    """An issuer's keys from a key set on this machine, which is read when a key is first needed."""

    # None: `find` is always called.
    held = HeldKeys(KeySet([], skipped=0), 0, 0.0, 0.0, 0.0)

    def __init__(self, issuer: IssuerPolicy, bundle_of: FindBundle) -> None:
        self._issuer = issuer
        self._bundle_of = bundle_of

    @cached_property
    def bundle(self) -> Bundle | None:
        return self._bundle_of(self._issuer)

    def find(self, kid: str | None, alg: str, *, fetch: bool) -> Found:
        if self.bundle is None:
            raise UnknownKey("no key set is available", expected="--jwks FILE, or a bundled key set")
        found = self.bundle.keys.find(kid, alg) if alg in self._issuer.algorithms else None
        if found is None:
            raise UnknownKey("no key fits", expected=f"a key for {alg}", actual=shown(kid))
        return found, 0


class _Checks:
    """Makes checks one after another. Holds their results by name, the lines, and the code of the first failure."""

    def __init__(self, **inputs: object) -> None:
        self.values: dict[str, Any] = inputs
        self.lines: list[Line] = []
        self.error: ErrorCode | None = None

    def make(self, step: Step) -> None:
        name, check, results = step
        needed = signature(check).parameters
        if not needed.keys() <= self.values.keys():
            self.lines.append(Line(name, None))
            return
        found: Any
        try:
            found = check(**{parameter: self.values[parameter] for parameter in needed})
        except TenantgateError as rejection:
            self._failed(name, rejection)
            return
        if results:
            self.values.update(zip(results, found if len(results) > 1 else (found,), strict=True))
        shown_of = _SHOWN.get(name)
        self.lines.append(Line(name, True, *(shown_of(self.values) if shown_of is not None else ())))

    def _failed(self, name: str, rejection: TenantgateError) -> None:
        expected, actual = rejection.private.get("expected"), rejection.private.get("actual")
        self.error = self.error or rejection.error
        failed = check_of(rejection)
        reason = reason_code(type(rejection))
        self.lines.append(
            Line(
                f"{name}: {failed}" if failed.startswith("claim ") and name not in failed else name,
                False,
                as_text(shown_expected(reason, expected)),
                rejection.reason if actual is None else f"{rejection.reason}: {as_text(actual)}",
                reason,
                facts_of(reason, {"finding": rejection.reason, **rejection.private}),
            )
        )

    def principal(self) -> Principal | None:
        """Return the caller, if all values of a principal could be read."""
        value = self.values
        if not value.keys() >= {"user_id", "tenant_id", "scopes", "expires_at"}:
            return None
        return Principal(
            value["user_id"],
            value["tenant_id"],
            value["issuer"].issuer,
            value["scopes"],
            value["expires_at"],
            "bearer",
            value["visible_claims"],
            value["roles"],
        )


def _check_route(checks: _Checks, route: Route, now: float) -> None:
    principal = checks.principal()
    if principal is None and not route.rules.is_public(route.api_id, route.method, route.path):
        checks.lines.append(Line("route rule", None))
        return
    decision = route.rules.decide(route.api_id, route.method, route.path, principal, now=now)
    rule = decision.rule.route if decision.rule is not None else "no rule"
    if decision.allowed:
        checks.lines.append(Line("route rule", True, rule, f"{route.method} {route.path}"))
        return
    checks.error = checks.error or (decision.error.error if decision.error is not None else None)
    expected = f"{rule}: {as_text(decision.expected)}" if decision.expected is not None else rule
    facts = facts_of(
        decision.reason,
        {
            "rule": decision.rule.route if decision.rule is not None else None,
            "expected": decision.expected,
            "actual": decision.actual,
        },
    )
    checks.lines.append(Line("route rule", False, expected, as_text(decision.actual), decision.reason, facts))


def _kept(allowed: frozenset[str] | None, found: frozenset[str]) -> tuple[str, str]:
    """Return the names that the issuer may grant, and those of the token that remain."""
    return "any" if allowed is None else f"only {as_text(allowed)}" if allowed else "none", " ".join(sorted(found))


def _key_shown(value: Mapping[str, Any]) -> tuple[str, str]:
    header, age = value["header"], duration(value["now"] - value["issuer"].keys.bundle.fetched_at)
    return f"a key for {header.alg}", f"{header.kid or 'the only one'}, of a key set {age} old"


def _audience_shown(value: Mapping[str, Any]) -> tuple[str, str]:
    policy, claims = value["issuer"].policy, value["claims"]
    return as_text(policy.audiences), as_text(next(filter(None, map(claims.get, policy.audience_claims))))


# The texts for expected and actual of a check that passed. Optional.
_SHOWN: Mapping[str, Callable[[Mapping[str, Any]], tuple[str, str]]] = {
    "credential": lambda value: ("a bearer token", f"{len(value['token'])} characters"),
    "form": lambda _: ("a compact JWS", "header, claims, signature"),
    "issuer": lambda value: ("a trusted issuer", value["issuer"].issuer),
    "algorithm": lambda value: (as_text(value["issuer"].algorithms), value["header"].alg),
    "key": _key_shown,
    "signature": lambda _: ("by that key", "verifies"),
    "type": lambda value: ("an access token", value["header"].typ or "no typ"),
    "times": lambda value: (
        f"lives at most {duration(value['longest'])}",
        f"issued {duration(value['now'] - value['issued_at'])} ago",
    ),
    "audience": _audience_shown,
    # A support view: people paste it into tickets.
    "subject": lambda value: (value["issuer"].user_claim, mask("identifier", value["user_id"])),
    "scopes": lambda value: _kept(value["issuer"].scopes, value["scopes"]),
    "expiry": lambda value: (
        f"not past, {value['leeway']} s leeway",
        f"in {duration(value['expires_at'] - value['now'])}",
    ),
    "tenant": lambda value: (pattern_text(value["policy"].tenant_id_pattern.pattern), value["tenant_id"]),
    "roles": lambda value: _kept(value["issuer"].policy.roles, value["roles"]),
}
