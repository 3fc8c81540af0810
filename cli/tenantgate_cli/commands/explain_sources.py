"""The rules, the API and the settings that `tenantgate explain` consults: those of the running stack, if one runs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tenantgate.authorizer.environment import InvalidEnvironment, route_rules, verification_policy
from tenantgate.route_rules.engine import RuleSet
from tenantgate.route_rules.model import OTHER_APIS
from tenantgate.tokens.fetch import fetch_json
from tenantgate.tokens.issuers import IssuerPolicy
from tenantgate.tokens.jwks import Bundle
from tenantgate.tokens.keys import KeySet
from tenantgate.tokens.policy import TokenPolicy
from tenantgate.tokens.wiring import read_bundle
from tenantgate_cli.checks.explain import FindBundle
from tenantgate_cli.console import Failure, printable
from tenantgate_cli.denials.values import as_text
from tenantgate_cli.paths import LAYER, ROOT, RULES, shown
from tenantgate_cli.stack.running_stack import RunningStack
from tenantgate_cli.stack.second_stack import RULES_VARIABLE
from tenantgate_cli.stack.variables import BUILT_IN_AUDIENCE

_OF_STACK, _OF_ENVIRONMENT = "the running stack's", "of your environment"


class Rules(NamedTuple):
    """The rules of one API. `words` name the file and the API."""

    rules: RuleSet
    api_id: str
    words: Mapping[str, str]


class Verification(NamedTuple):
    """The requirements for tokens, and the keys. `words` name their source."""

    policy: TokenPolicy
    keys: FindBundle
    words: Mapping[str, str]


def consulted_rules(
    file: Path | None, api: str | None, variables: Mapping[str, str], running: RunningStack | None
) -> Rules:
    """Return the rules that decide: of `file`, of the running stack, of the environment, or the product's own.

    Raises `Failure` for an unusable file and an unknown API.
    """
    named, origin = _rules_file(file, variables, running)
    try:
        rules = route_rules(str(RULES), {RULES_VARIABLE: named})
    except InvalidEnvironment as problem:
        raise Failure(str(problem), "tenantgate rules check FILE") from None
    own = shown(RULES)
    files = f"{shown(Path(named))} ({origin}), then {own}" if named else f"{own} ({origin})"
    api_id = OTHER_APIS if api is None else _api_id(api, rules, running)
    return Rules(rules, api_id, {"rules": files, "api": _api_words(api_id, rules, running, chosen=api is not None)})


def _rules_file(file: Path | None, variables: Mapping[str, str], running: RunningStack | None) -> tuple[str, str]:
    """Return the file, empty for the product's own, and the words for its source."""
    if file is not None:
        return str(file), "as given"
    if running is not None and running.settings:
        return running.settings.get(RULES_VARIABLE, ""), _OF_STACK
    if variables.get(RULES_VARIABLE):
        return variables[RULES_VARIABLE], f"{RULES_VARIABLE} {_OF_ENVIRONMENT}"
    return "", "the product's own"


def _api_id(api: str, rules: RuleSet, running: RunningStack | None) -> str:
    """Return the id of an API that is given by its id, or by the name of its block of rules."""
    served = running.apis if running is not None else {}
    if api in rules.apis or api in served:
        return api
    named = [api_id for api_id, block in rules.apis.items() if block.name == api]
    if named:
        return named[0]
    known = [_described(api_id, rules) for api_id in dict.fromkeys([*rules.apis, *served])]
    raise Failure(
        f"there is no API {printable(api)!r} in these rules", f"the APIs are {', '.join(known)}; * is any other API"
    )


def _described(api_id: str, rules: RuleSet) -> str:
    block = rules.apis.get(api_id)
    return f"{api_id} ({block.name})" if block is not None else api_id


def _api_words(api_id: str, rules: RuleSet, running: RunningStack | None, *, chosen: bool) -> str:
    block = rules.apis.get(api_id)
    if block is not None and api_id != OTHER_APIS:
        return f'{api_id}, block "{block.name}"'
    block = rules.apis.get(OTHER_APIS)
    words = f'block "{block.name}" of every other API' if block is not None else "no block, so every request is denied"
    if chosen:
        return f"{api_id}, {words}"
    own = [other for other in rules.apis if other != OTHER_APIS]
    served = [other for other in own if running is None or other in running.apis]
    return f"*, {words}" + (f"; others with their own block: --api {', --api '.join(served)}" if served else "")


def consulted_verification(
    jwks: Path | None, variables: Mapping[str, str], running: RunningStack | None
) -> Verification:
    """Return the environment's requirements; without an issuer there, those of the running stack. Raises `Failure`."""
    keys = _bundle_finder(jwks, layer=ROOT / LAYER)
    origin = _OF_ENVIRONMENT
    if not variables.get("OIDC_ISSUER_URL") and not variables.get("TRUSTED_ISSUERS"):
        if running is None:
            raise Failure(
                "no issuer is configured, and no stack runs here",
                "set OIDC_ISSUER_URL and OIDC_AUDIENCE (or TRUSTED_ISSUERS) as the authorizer has them",
            )
        origin = _OF_STACK
        built_in = {
            "OIDC_ISSUER_URL": running.issuer,
            "OIDC_AUDIENCE": BUILT_IN_AUDIENCE,
            "ENVIRONMENT": "development",
        }
        variables = {**variables, **(running.settings or built_in)}
        if jwks is None:
            keys = _with_running_keys(keys, running)
    try:
        policy = verification_policy(variables)
    except InvalidEnvironment as problem:
        raise Failure(str(problem), "set these variables as the authorizer has them") from None
    issuers = "; ".join(f"{issuer.issuer} for {as_text(issuer.audiences)}" for issuer in policy.issuers)
    return Verification(policy, keys, {"tokens": f"{issuers} ({origin})"})


def _bundle_finder(jwks: Path | None, *, layer: Path) -> FindBundle:
    """Return key sets from one file for all issuers, or from each issuer's own bundled file."""
    if jwks is not None:
        bundle = read_bundle(str(jwks))
        if bundle is None:
            raise Failure(f"{jwks} is not a usable key set", "give --jwks the JSON document at the issuer's jwks_uri")
        return lambda _: bundle

    def find(issuer: IssuerPolicy) -> Bundle | None:
        if issuer.jwks_file is None:
            return None
        named = Path(issuer.jwks_file)
        built = layer / named.relative_to("/opt") if named.is_relative_to("/opt") else named
        return next((read_bundle(str(file)) for file in (named, built) if file.is_file()), None)

    return find


def _with_running_keys(find: FindBundle, running: RunningStack) -> FindBundle:
    """Add the keys of the built-in provider. Only from loopback: `explain` uses no network."""

    def find_or_fetch(issuer: IssuerPolicy) -> Bundle | None:
        if issuer.issuer != running.issuer:
            return find(issuer)
        return Bundle(KeySet.parse(fetch_json(f"{running.issuer}/jwks", timeout=5)), time.time())

    return find_or_fetch
