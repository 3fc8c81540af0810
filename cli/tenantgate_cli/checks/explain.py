"""`tenantgate explain`: why a token passes or doesn't, check by check, offline; or what an error code means.

The checks are the verifier's own functions in the verifier's order. It stops at the first that fails; this goes on as
far as what was read allows, so that one look shows everything that is wrong. What follows a failed signature is said
of claims that nobody vouches for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature as BadSignature

from tenantgate.authorizer.decision_log import check_of, reason_code
from tenantgate.errors.base import ErrorCode, TenantgateError
from tenantgate.errors.tokens import AlgorithmNotAllowed, InvalidSignature, MissingClaim, UnknownKey, WrongIssuer
from tenantgate.identity.bearer import bearer_token
from tenantgate.identity.principal import Principal
from tenantgate.route_rules.engine import RuleSet
from tenantgate.route_rules.model import CONNECT
from tenantgate.tokens import claims as check
from tenantgate.tokens.access_token import check_audience, check_kind
from tenantgate.tokens.issuers import IssuerPolicy
from tenantgate.tokens.jwks import Bundle
from tenantgate.tokens.jws import Header, decode, json_object, parse_header, take_apart
from tenantgate.tokens.keys import KeySet
from tenantgate.tokens.policy import TokenPolicy
from tenantgate.tokens.roles import RoleReader
from tenantgate.tokens.wiring import read_bundle, tenant_extractor
from tenantgate_cli.checks.registry import explained
from tenantgate_cli.console import Failure

type FindBundle = Callable[[IssuerPolicy], Bundle | None]


class Line(NamedTuple):
    """One check. `passed` is None when what it needs could not be read."""

    check: str
    passed: bool | None
    expected: str = ""
    actual: str = ""
    reason: str = ""


class Explanation(NamedTuple):
    lines: list[Line]
    error: ErrorCode | None
    """The code of the first check that failed, None when all passed."""

    @property
    def allowed(self) -> bool:
        return all(line.passed for line in self.lines)


class Route(NamedTuple):
    """What is asked for, and the rules that decide. `api_id` is API Gateway's, or `*`."""

    method: str
    path: str
    rules: RuleSet
    api_id: str = "*"


class _Checks:
    """Makes the lines; remembers the first failure."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.error: ErrorCode | None = None

    def make[T](self, name: str, work: Callable[[], T], told: Callable[[T], tuple[str, str]]) -> T | None:
        try:
            found = work()
        except TenantgateError as refusal:
            self.failed(name, refusal)
            return None
        self.lines.append(Line(name, True, *told(found)))
        return found

    def failed(self, name: str, refusal: TenantgateError) -> None:
        expected, actual = refusal.private.get("expected"), refusal.private.get("actual")
        self.error = self.error or refusal.error
        named = check_of(refusal)
        self.lines.append(
            Line(
                f"{name}: {named}" if named.startswith("claim ") and name not in named else name,
                False,
                _text(expected),
                refusal.reason if actual is None else f"{refusal.reason}: {_text(actual)}",
                reason_code(type(refusal)),
            )
        )

    def skipped(self, *names: str) -> None:
        self.lines += [Line(name, None) for name in names]


_AFTER_FORM = ("issuer", "algorithm", "key", "signature", "type", "times", "audience", "subject", "expiry", "tenant")
_AFTER_ISSUER = _AFTER_FORM[1:]


def explain_token(
    authorization: str,
    policy: TokenPolicy,
    bundle_of: FindBundle,
    *,
    route: Route | None = None,
    now: float | None = None,
) -> Explanation:
    """Every check of a token, or of a whole `Authorization` value, and of the route when there is one."""
    at = time.time() if now is None else now
    checks = _Checks()
    principal = _token_checks(checks, authorization, policy, bundle_of, at)
    if route is not None:
        _route_check(checks, route, principal, at)
    return Explanation(checks.lines, checks.error)


def _token_checks(
    checks: _Checks, authorization: str, policy: TokenPolicy, bundle_of: FindBundle, now: float
) -> Principal | None:
    whole = authorization if authorization.lower().startswith("bearer ") else f"Bearer {authorization}"
    token = checks.make(
        "credential",
        lambda: bearer_token(whole),
        lambda found: ("a bearer token", f"{len(found)} characters"),
    )
    read = (
        checks.make("form", lambda: _read(token), lambda _: ("a compact JWS", "header, claims, signature"))
        if token
        else None
    )
    if read is None:
        checks.skipped(*(() if token else ("form",)), *_AFTER_FORM)
        return None
    header, claims, signature, signed = read
    trusted = {issuer.issuer: issuer for issuer in policy.issuers}
    issuer = checks.make("issuer", lambda: _issuer(claims, trusted), lambda found: ("a trusted issuer", found.issuer))
    if issuer is None:
        checks.skipped(*_AFTER_ISSUER)
        return None
    checks.make("algorithm", lambda: _algorithm(header, issuer), lambda alg: (_text(sorted(issuer.algorithms)), alg))
    _signature_checks(checks, header, issuer, bundle_of(issuer), parts=(signature, signed), now=now)
    return _claim_checks(checks, header, claims, issuer, policy=policy, now=now)


def _read(token: str) -> tuple[Header, dict[str, object], bytes, bytes]:
    header_segment, payload, signature, signed = take_apart(token)
    header = parse_header(header_segment)
    return header, json_object(decode(payload, "payload"), "payload"), decode(signature, "signature"), signed


def _issuer(claims: Mapping[str, object], trusted: Mapping[str, IssuerPolicy]) -> IssuerPolicy:
    issuer = claims.get("iss")
    if isinstance(issuer, str) and issuer in trusted:
        return trusted[issuer]
    if "iss" not in claims:
        raise MissingClaim("iss is missing", claim="iss", expected=sorted(trusted))
    raise WrongIssuer("iss is not trusted", expected=sorted(trusted), actual=check.shown(issuer))


def _algorithm(header: Header, issuer: IssuerPolicy) -> str:
    if header.alg not in issuer.algorithms:
        raise AlgorithmNotAllowed(
            "alg is not allowed", expected=sorted(issuer.algorithms), actual=check.shown(header.alg)
        )
    return header.alg


def _signature_checks(
    checks: _Checks,
    header: Header,
    issuer: IssuerPolicy,
    bundle: Bundle | None,
    *,
    parts: tuple[bytes, bytes],
    now: float,
) -> None:
    def find() -> tuple[KeySet, str]:
        if bundle is None:
            raise UnknownKey("no key set at hand", expected="--jwks FILE, or a bundled key set")
        if header.alg not in issuer.algorithms or bundle.keys.find(header.kid, header.alg) is None:
            raise UnknownKey("no key fits", expected=f"a key for {header.alg}", actual=check.shown(header.kid))
        return bundle.keys, f"{header.kid or 'the only one'}, of a key set {_span(now - bundle.fetched_at)} old"

    keys = checks.make("key", find, lambda found: (f"a key for {header.alg}", found[1]))
    if keys is None:
        checks.skipped("signature")
        return

    def verify() -> None:
        key = keys[0].find(header.kid, header.alg)
        try:
            assert key is not None  # noqa: S101 - found a moment ago
            key(*parts)
        except BadSignature:
            raise InvalidSignature("signature doesn't verify") from None

    checks.make("signature", verify, lambda _: ("by that key", "verifies"))


def _claim_checks(
    checks: _Checks,
    header: Header,
    claims: Mapping[str, object],
    issuer: IssuerPolicy,
    *,
    policy: TokenPolicy,
    now: float,
) -> Principal | None:
    leeway, longest = policy.leeway_seconds, policy.max_lifetime_seconds
    checks.make(
        "type",
        lambda: check_kind(claims, header, issuer),
        lambda _: ("an access token", header.typ or "no typ"),
    )
    times = checks.make(
        "times",
        lambda: check.check_times(claims, now, leeway, longest),
        lambda found: (f"lives at most {_span(longest)}", f"issued {_span(now - found[0])} ago"),
    )
    checks.make(
        "audience",
        lambda: check_audience(claims, issuer),
        lambda _: (_text(issuer.audiences), _text(next(filter(None, map(claims.get, issuer.audience_claims))))),
    )
    user = checks.make("subject", lambda: _user(claims, issuer), lambda found: (issuer.user_claim, found))
    scopes = checks.make("scopes", lambda: _scopes(claims, issuer), lambda found: _dropping(issuer.scopes, found))
    if times is None:
        checks.skipped("expiry")
    else:
        checks.make(
            "expiry",
            lambda: check.check_expiry(times[1], now, leeway),
            lambda _: (f"not past, {leeway} s leeway", f"in {_span(times[1] - now)}"),
        )
    tenant = checks.make(
        "tenant",
        lambda: tenant_extractor(policy).tenant_of(claims),
        lambda found: (policy.tenant_id_pattern.pattern, found),
    )
    if tenant is None:
        return None
    roles, visible = RoleReader(policy.role_claim_names, (issuer,)).read(claims, issuer=issuer.issuer, tenant_id=tenant)
    checks.lines.append(Line("roles", True, *_dropping(issuer.roles, roles)))
    if user is None or times is None or scopes is None:
        return None
    return Principal(user, tenant, issuer.issuer, scopes, times[1], "bearer", visible, roles)


def _scopes(claims: Mapping[str, object], issuer: IssuerPolicy) -> frozenset[str]:
    found = check.scopes_of(claims, issuer.scope_claims)
    return found if issuer.scopes is None else found & issuer.scopes


def _dropping(allowed: frozenset[str] | None, found: frozenset[str]) -> tuple[str, str]:
    """What the issuer may give, and what is left of the token's."""
    return "any" if allowed is None else f"only {_text(allowed)}" if allowed else "none", " ".join(sorted(found))


def _user(claims: Mapping[str, object], issuer: IssuerPolicy) -> str:
    subject = check.required_text(claims, "sub")
    check.token_id_of(claims)
    return subject if issuer.user_claim == "sub" else check.user_of(claims, issuer.user_claim)


def _route_check(checks: _Checks, route: Route, principal: Principal | None, now: float) -> None:
    if principal is None and not route.rules.is_public(route.api_id, route.method, route.path):
        checks.skipped("route rule")
        return
    decision = route.rules.decide(route.api_id, route.method, route.path, principal, now=now)
    rule = decision.rule.route if decision.rule is not None else "no rule"
    if decision.allowed:
        checks.lines.append(Line("route rule", True, rule, f"{route.method} {route.path}"))
        return
    checks.error = checks.error or (decision.error.error if decision.error is not None else None)
    expected = f"{rule}: {_text(decision.expected)}" if decision.expected is not None else rule
    checks.lines.append(Line("route rule", False, expected, _text(decision.actual), decision.reason))


def bundle_finder(jwks: Path | None, *, layer: Path) -> FindBundle:
    """Key sets from one file for all issuers, or from each issuer's own bundled file."""
    if jwks is not None:
        bundle = read_bundle(str(jwks))
        if bundle is None:
            raise Failure(f"{jwks} is no usable key set", "give --jwks the JSON that the issuer's jwks_uri answers")
        return lambda _: bundle

    def find(issuer: IssuerPolicy) -> Bundle | None:
        if issuer.jwks_file is None:
            return None
        named = Path(issuer.jwks_file)
        built = layer / named.relative_to("/opt") if named.is_relative_to("/opt") else named
        return next((read_bundle(str(file)) for file in (named, built) if file.is_file()), None)

    return find


def parse_route(text: str) -> tuple[str, str]:
    """`GET /orders/42` → method and path; raises `Failure`."""
    method, _, path = text.strip().partition(" ")
    if method == CONNECT and not path:
        return CONNECT, ""
    if not method.isalpha() or not path.strip().startswith("/"):
        raise Failure(f"{text!r} is no route", "write it as --route 'GET /orders/42'")
    return method.upper(), path.strip()


def code_page(name: str) -> str:
    """What an error code or a reason code means; raises `Failure` for an unknown one."""
    found = explained(name)
    if found is None:
        raise Failure(f"there is no code {name!r}", "docs/ERROR_CODES.md lists them")
    code, reasons = found
    lines = [
        f"{code.code}  {code.message} ({code.status} {HTTPStatus(code.status).phrase})",
        f"  cause   {code.cause}",
        f"  remedy  {code.remedy}",
    ]
    return "\n".join([*lines, f"  reasons {', '.join(reasons)}"] if reasons else lines)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(sorted(map(str, value)))
    return str(value)


def _span(seconds: float) -> str:
    whole = int(seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if abs(whole) >= 2 * size:
            return f"{whole // size} {unit}"
    return f"{whole} s"
