"""The variables of each function: those that its settings need, and no others."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import grimp

from lambda_gateway.template.reader import read_template
from tenantgate.authorizer.cookie_environment import allowed_origins
from tenantgate.authorizer.environment import late_valkey, log_level, route_rules, service_name, verification_policy
from tenantgate.settings.model import Settings
from tenantgate.tokens.policy import VARIABLES
from tenantgate_cli.paths import ROOT
from tests.fixtures.template.deployed import TEMPLATE, Stack, function_folder

# Bytes of all names and values of one function.
LAMBDAS_LIMIT = 4096
HOST = "authentication-of-a-company-with-a-long-name.eu-central-1.example.com"
# Every setting at once, each as long as in the longest real deployments. More issuers go into a file of the bundle.
LARGE = {
    "ENVIRONMENT": "development",
    "PUBLIC_BASE_URL": f"https://{HOST}",
    "ALLOWED_ORIGINS": ",".join(f"https://app-{number}.{HOST}" for number in range(3)),
    "TRUSTED_PROXIES": "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16",
    "HTTPS_PROXY": f"http://user:{'p' * 32}@proxy.{HOST}:3128",
    "NO_PROXY": f"localhost,127.0.0.1,.{HOST}",
    "RATE_LIMITS": "address=600/minute,tenant=6000/minute,identity=600/minute,GET /api/v1/auth/login=60/minute",
    "DATABASE_URL": f"postgresql://tenantgate_app:{'p' * 32}@database.{HOST}:5432/tenantgate?sslmode=verify-full",
    "DATABASE_OWNER_URL": f"postgresql://tenantgate:{'p' * 32}@database.{HOST}:5432/tenantgate?sslmode=verify-full",
    "REDIS_URL": f"rediss://tenantgate_app:{'p' * 32}@cache.{HOST}:6379/0",
    "REDIS_IAM_CACHE": "tenantgate-production",
    "SECRET_ARN": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:tenantgate-production-AbCdEf",
    "OIDC_ISSUER_URL": f"https://{HOST}/oauth2/default",
    "OIDC_CLIENT_ID": "c" * 40,
    "OIDC_AUDIENCE": f"https://api.{HOST},https://orders.{HOST}",
    "OIDC_SCOPES": "openid profile email offline_access api://tenantgate/orders.read api://tenantgate/orders.write",
    "OIDC_RESOURCE": f"https://api.{HOST}",
    "OIDC_AUTHORIZE_PARAMS": f'{{"audience":"https://api.{HOST}","domain_hint":"example.com"}}',
    "OIDC_DISCOVERY_URL": f"https://{HOST}/oauth2/default/.well-known/openid-configuration",
    "OIDC_ACCESS_TOKEN_ISSUER": f"https://{HOST}/oauth2/orders",
    "OIDC_LOGOUT_URL": f"https://{HOST}/logout",
    "OIDC_LOGOUT_REDIRECT_PARAM": "post_logout_redirect_uri",
    "OIDC_JWKS_FILE": "/opt/jwks.json",
    "TRUSTED_ISSUERS": "file:/opt/issuers.json",
    "JWT_TENANT_CLAIM_NAME": "https://example.com/tenant_id,tenant_id,organization_id,org_id",
    "JWT_ROLES_CLAIM_NAME": "https://example.com/roles,roles,groups,cognito:groups",
    "TENANT_ID_PATTERN": "org-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "ROUTE_RULES_FILE": "/var/task/functions/authorizer/production.toml",
}

# Derived values, by the settings that they are made from.
DERIVED = {
    "oidc_redirect_uri": {"PUBLIC_BASE_URL"},
    "is_local_development": {"PUBLIC_BASE_URL"},
    "request_limits": {"RATE_LIMITS"},
    "token_policy": {*VARIABLES} - {"ENVIRONMENT"},
    "token_variables": {*VARIABLES} - {"ENVIRONMENT"},
}
# A function has a whole group or nothing of it. The database, the cache and the secret have their own test.
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
    # Lambda sets the region itself.
    assert given == ({*environ.names} - {"AWS_REGION"}) | outside


def test_the_function_for_unknown_routes_has_only_what_all_functions_have(stack: Stack) -> None:
    common = set.intersection(*({*stack.environment(function)} for function in stack.functions))

    assert {*stack.environment("UnknownRouteFunction")} == common


def test_the_variables_of_a_large_deployment_fit_lambda() -> None:
    functions = read_template(TEMPLATE, LARGE).functions

    assert "IdentityProviderFunction" in functions
    for name, function in functions.items():
        size = sum(len(variable) + len(value) for variable, value in function.env.items())
        assert size < LAMBDAS_LIMIT, name
