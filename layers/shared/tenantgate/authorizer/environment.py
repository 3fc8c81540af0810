"""The authorizer's environment, read by plain functions: importing the settings model would slow a cold start.

The settings model reads the same variables in the same form: both call `token_policy`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tenantgate.identity.bearer import BearerCredential
from tenantgate.identity.credential import Credentials
from tenantgate.route_rules.engine import RuleSet
from tenantgate.tokens.policy import PolicyError, TokenPolicy, token_policy
from tenantgate.tokens.wiring import token_verifier

if TYPE_CHECKING:
    from tenantgate.authorizer.cookie_callers import CookieCallers
    from tenantgate.authorizer.events import AuthorizerCall
    from tenantgate.authorizer.valkey import Valkey
    from tenantgate.identity.principal import Principal

type LateValkey = Callable[[], Valkey]

_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class InvalidEnvironment(Exception):
    """An environment that can't be used. The text names every invalid variable, its value and the allowed form."""


def verification_policy(environ: Mapping[str, str] | None = None) -> TokenPolicy:
    """Return the environment's requirements for tokens. Raises `InvalidEnvironment`."""
    values = os.environ if environ is None else environ
    try:
        return token_policy(values)
    except PolicyError as error:
        from tenantgate.observability.setting_text import shown_setting  # noqa: PLC0415  (a failed start)

        lines = [
            f"{name}={shown_setting(name, values.get(name, ''), longest=200)}: must be {form}"
            for name, form in error.problems
        ]
        raise InvalidEnvironment("; ".join(lines)) from None


def late_valkey(environ: Mapping[str, str] | None = None) -> LateValkey | None:
    """Return the function that returns the connection to `REDIS_URL`; None without that variable.

    It imports and makes it at the first call, that is with the first credential that is otherwise good.
    """
    values = os.environ if environ is None else environ
    if not values.get("REDIS_URL", "").strip():
        return None
    made: list[Valkey] = []

    def get() -> Valkey:
        if not made:
            from tenantgate.authorizer.valkey import valkey  # noqa: PLC0415

            made.append(valkey(values))
        return made[0]

    return get


def credentials(environ: Mapping[str, str] | None = None, *, valkey: LateValkey | None = None) -> Credentials:
    """Return the credentials that the authorizer accepts, as `bearer_credential`. Raises `InvalidEnvironment`."""
    return Credentials(bearer_credential(environ, valkey=valkey))


def bearer_credential(
    environ: Mapping[str, str] | None = None, *, valkey: LateValkey | None = None
) -> BearerCredential:
    """Return the credential for bearer tokens of the trusted issuers. Raises `InvalidEnvironment`.

    Without `valkey`, nothing counts as revoked.
    """
    policy = verification_policy(environ)
    revocations = None if valkey is None else lambda: valkey().revocations()
    return BearerCredential(token_verifier(policy), policy, revocations=revocations)


def cookie_caller(
    environ: Mapping[str, str] | None = None, *, valkey: LateValkey | None = None
) -> Callable[[AuthorizerCall], Principal | None]:
    """Return the function that finds the caller behind a request's session cookie, or None without one.

    It imports what it needs with the first cookie. Without `valkey` it rejects every session cookie: nothing else
    tells the authorizer that a session is live.
    """
    values = os.environ if environ is None else environ
    callers: list[CookieCallers] = []

    def find(call: AuthorizerCall) -> Principal | None:
        from tenantgate.authorizer.cookies import secret_of  # noqa: PLC0415

        secret = secret_of(call)
        if secret is None:
            return None
        if not callers:
            from tenantgate.authorizer.cookie_environment import cookie_callers  # noqa: PLC0415

            callers.append(cookie_callers(values, None if valkey is None else valkey()))
        return callers[0].principal(call, secret)

    return find


def route_rules(shipped: str, environ: Mapping[str, str] | None = None) -> RuleSet:
    """Return the rules of the file that `ROUTE_RULES_FILE` names, with those of the file `shipped` as the fallback.

    The build checks `shipped`, a path such as `x.toml`, and writes its rules to `x.checked.json`. If that file exists,
    it is read instead. Raises `InvalidEnvironment` for a file with mistakes: a start without rules would deny every
    request without an explanation.
    """
    named = (os.environ if environ is None else environ).get("ROUTE_RULES_FILE", "").strip()
    rules = _checked_rules(shipped)
    if rules is not None and not named:
        return rules
    if rules is None:
        rules = _read_rules(shipped)
    return _read_rules(named).with_fallback(rules) if named else rules


def _read_rules(path: str) -> RuleSet:
    from tenantgate.route_rules.file import RulesError, read_rules  # noqa: PLC0415  (slows a cold start)

    try:
        return read_rules(path)
    except RulesError as error:
        from tenantgate.observability.setting_text import shown_setting, shown_text  # noqa: PLC0415  (a failed start)

        shown = shown_setting("ROUTE_RULES_FILE", path, longest=200)
        problems = error.located(shown_text(path))
        raise InvalidEnvironment(f"ROUTE_RULES_FILE={shown}: must be a rules file\n{problems}") from None


def _checked_rules(shipped: str) -> RuleSet | None:
    try:
        with open(f"{shipped.removesuffix('.toml')}.checked.json", encoding="utf-8") as file:  # noqa: PTH123
            return RuleSet.from_checked(json.load(file))
    except FileNotFoundError:
        return None


def log_level(environ: Mapping[str, str] | None = None) -> str:
    """Return `LOG_LEVEL`, or INFO when it is not one of the five levels."""
    level = (os.environ if environ is None else environ).get("LOG_LEVEL", "").strip().upper()
    return level if level in _LOG_LEVELS else "INFO"


def service_name(environ: Mapping[str, str] | None = None) -> str:
    """Return `POWERTOOLS_SERVICE_NAME`, by default `authorizer`."""
    return (os.environ if environ is None else environ).get("POWERTOOLS_SERVICE_NAME", "").strip() or "authorizer"


def trace_id() -> str | None:
    """Return `Root=…` of the invocation's trace, which a REST API sends to its client in `X-Amzn-Trace-Id`."""
    return next((part for part in os.environ.get("_X_AMZN_TRACE_ID", "").split(";") if part.startswith("Root=")), None)
