"""The environment as the authorizer reads it: plain functions instead of the settings model, which costs a cold start.

The variables and their forms are those of the settings model: both call `token_policy`.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping

from tenantgate.identity.bearer import BearerCredential
from tenantgate.identity.credential import Credentials
from tenantgate.route_rules.engine import RuleSet
from tenantgate.tokens.policy import VARIABLES, PolicyError, TokenPolicy, token_policy
from tenantgate.tokens.wiring import token_verifier

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class EnvironmentRefused(Exception):
    """The environment can't be used; the text names every bad variable, its value and the allowed form."""


def verification_policy(environ: Mapping[str, str] | None = None) -> TokenPolicy:
    """What the environment demands of tokens; raises `EnvironmentRefused`."""
    values = os.environ if environ is None else environ
    try:
        return token_policy({name: values[name] for name in VARIABLES if name in values})
    except PolicyError as error:
        from tenantgate.observability.setting_text import shown_setting  # noqa: PLC0415  (a start that fails)

        lines = [
            f"{name}={shown_setting(name, values.get(name, ''), longest=200)}: must be {form}"
            for name, form in error.problems
        ]
        raise EnvironmentRefused("; ".join(lines)) from None


def credentials(environ: Mapping[str, str] | None = None) -> Credentials:
    """The credentials that the authorizer accepts; raises `EnvironmentRefused`."""
    return Credentials(bearer_credential(environ))


def bearer_credential(environ: Mapping[str, str] | None = None) -> BearerCredential:
    """The credential that the environment's trusted issuers make; raises `EnvironmentRefused`."""
    policy = verification_policy(environ)
    return BearerCredential(token_verifier(policy), policy)


def route_rules(shipped: str, environ: Mapping[str, str] | None = None) -> RuleSet:
    """The rules of the file that `ROUTE_RULES_FILE` names, over those of the file `shipped`.

    Of `shipped`, `x.toml`, the build checks the rules and leaves them in `x.checked.json`, which is read in its stead.
    Raises `EnvironmentRefused`: without rules nothing could pass, and nobody would know why.
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
        raise EnvironmentRefused(f"ROUTE_RULES_FILE={shown}: must be a rules file\n{problems}") from None


def _checked_rules(shipped: str) -> RuleSet | None:
    try:
        with open(f"{shipped.removesuffix('.toml')}.checked.json", encoding="utf-8") as file:  # noqa: PTH123
            return RuleSet.from_checked(json.load(file))
    except FileNotFoundError:
        return None


def log_level(environ: Mapping[str, str] | None = None) -> str:
    """`LOG_LEVEL`, INFO when it is unset or none of the five levels."""
    level = (os.environ if environ is None else environ).get("LOG_LEVEL", "").strip().upper()
    return level if level in logging.getLevelNamesMapping() and level in LOG_LEVELS else "INFO"


def service_name(environ: Mapping[str, str] | None = None) -> str:
    """`POWERTOOLS_SERVICE_NAME`, by default `authorizer`."""
    return (os.environ if environ is None else environ).get("POWERTOOLS_SERVICE_NAME", "").strip() or "authorizer"


def trace_id() -> str | None:
    """`Root=…` of the current invocation's trace, which a REST API tells its client in `X-Amzn-Trace-Id`."""
    return next((part for part in os.environ.get("_X_AMZN_TRACE_ID", "").split(";") if part.startswith("Root=")), None)
