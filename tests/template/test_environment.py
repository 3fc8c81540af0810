"""The variables of each function: those that its settings need, and no others."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import grimp
import pytest

from lambda_gateway.template.reader import read_template
from tenantgate.authorizer.cookie_environment import allowed_origins
from tenantgate.authorizer.environment import late_valkey, log_level, route_rules, service_name, verification_policy
from tenantgate.settings.model import Settings
from tenantgate.tokens.policy import VARIABLES
from tenantgate_cli.paths import ROOT
from tests.fixtures.template.deployed import TEMPLATE, Stack, function_folder

# Bytes of all names and values of one function.
LAMBDAS_LIMIT = 4096
# Values of a real deployment are shorter. A long list of issuers goes into a file of the bundle.
LONGEST = 160

# Derived values, by the settings that they are made from.
DERIVED = {
    "oidc_redirect_uri": {"PUBLIC_BASE_URL"},
    "is_local_development": {"PUBLIC_BASE_URL"},
    "request_limits": {"RATE_LIMITS"},
    "token_policy": {*VARIABLES} - {"ENVIRONMENT"},
    "token_variables": {*VARIABLES} - {"ENVIRONMENT"},
}
# A function has all of a group, or none. The database, the cache and the secret have their own test.
GROUPS = {
    "tokens": {*VARIABLES} - {"ENVIRONMENT"},
    "addresses": {"PUBLIC_BASE_URL", "ALLOWED_ORIGINS"},
    "limits": {"RATE_LIMITS", "TRUSTED_PROXIES"},
    "sessions": {
        *("SESSION_IDLE_MINUTES", "SESSION_ABSOLUTE_HOURS", "SESSION_CACHE_SECONDS", "SESSION_REUSE_GRACE_SECONDS"),
        "TENANT_REGISTRATION",
    },
    "sign-in": {"OIDC_SCOPES", "OIDC_RESOURCE", "OIDC_AUTHORIZE_PARAMS"},
}
# The settings are checked as a whole, also where nothing else reads these.
CHECKED = {"OIDC_ISSUER_URL", "OIDC_CLIENT_ID", "PUBLIC_BASE_URL", "ALLOWED_ORIGINS"}
WITHOUT_SETTINGS = {"AuthorizerFunction", "UnknownRouteFunction"}


@cache
def _graph() -> grimp.ImportGraph:
    return grimp.build_graph("tenantgate", "functions", exclude_type_checking_imports=True, cache_dir=None)


@cache
def _read_by(module: str) -> frozenset[str]:
    """Return the settings that a module reads, as the names of their variables."""
    base = (ROOT / "layers" / "shared" if module.startswith("tenantgate") else ROOT) / Path(*module.split("."))
    file = base.with_suffix(".py") if base.with_suffix(".py").is_file() else base / "__init__.py"
    return frozenset(_settings_in(ast.parse(file.read_text(encoding="utf-8")))) if file.is_file() else frozenset()


def _settings_in(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute) and "settings" in ast.unparse(node.value):
            if node.attr in Settings.model_fields:
                yield node.attr.upper()
            yield from DERIVED.get(node.attr, ())


def needed(function: str) -> set[str]:
    """Return the settings that the modules read which this function can import."""
    package = f"functions.{function_folder(function)}"
    own = {name for name in _graph().modules if name.startswith(package)}
    reached = own.union(*(_graph().find_upstream_modules(name) for name in own))
    return set().union(*(_read_by(name) for name in reached if not name.startswith("tenantgate.settings")))


def test_a_function_has_the_groups_of_settings_that_its_code_reads(stack: Stack) -> None:
    for function in stack.functions.keys() - WITHOUT_SETTINGS:
        given, read = {*stack.environment(function)}, needed(function)
        for group, names in GROUPS.items():
            if names & read:
                assert names <= given, (function, group)
            else:
                assert names & given <= CHECKED, (function, group)


class Recorded(dict[str, str]):
    """An environment that remembers which variables were read."""

    def __init__(self, values: dict[str, str]) -> None:
        super().__init__(values)
        self.names: set[str] = set()

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.names.add(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return super().__getitem__(name)


def test_the_authorizer_has_exactly_the_variables_that_it_reads(stack: Stack) -> None:
    environ = Recorded(
        {
            "OIDC_ISSUER_URL": "https://issuer.example.com",
            "OIDC_CLIENT_ID": "client",
            "REDIS_URL": "rediss://cache.example.com:6379/0",
        }
    )
    verification_policy(environ)
    log_level(environ)
    service_name(environ)
    route_rules(str(ROOT / "functions" / "authorizer" / "rules.toml"), environ)
    allowed_origins(environ)
    valkey = late_valkey(environ)
    assert valkey is not None
    valkey()

    given = {*stack.environment("AuthorizerFunction")}
    # Read by others than the authorizer's own code: the proxy's, and pydantic and Powertools in a failed start.
    outside = {"HTTPS_PROXY", "NO_PROXY", "POWERTOOLS_METRICS_NAMESPACE", "PYDANTIC_DISABLE_PLUGINS"}
    assert given == {*environ.names} | outside


def test_the_function_for_unknown_routes_has_only_what_all_functions_have(stack: Stack) -> None:
    common = set.intersection(*({*stack.environment(function)} for function in stack.functions))

    assert {*stack.environment("UnknownRouteFunction")} == common


@pytest.mark.parametrize("environment", ["development", "production"])
def test_the_variables_of_each_function_fit_lambda(environment: str, stack: Stack) -> None:
    functions = read_template(TEMPLATE, {"ENVIRONMENT": environment, "OIDC_ISSUER_URL": "", "OIDC_CLIENT_ID": ""}).functions
    assert functions
    for name in functions:
        size = sum(
            len(variable) + (LONGEST if isinstance(value, dict) and _is_free(stack, value) else 12)
            for variable, value in stack.environment(name).items()
        )
        assert size < LAMBDAS_LIMIT, name


def _is_free(stack: Stack, value: object) -> bool:
    """Tell whether a variable can have a long value: no number, and none of a list of values."""
    parameters = stack.document["Parameters"]
    named = [name for name in parameters if f'"{name}"' in json.dumps(value)]
    return any(parameters[name]["Type"] == "String" and "AllowedValues" not in parameters[name] for name in named)
