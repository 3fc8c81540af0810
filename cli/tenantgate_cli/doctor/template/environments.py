"""The variables of each function: within Lambda's limit, and settings with which the functions start."""

from __future__ import annotations

from collections.abc import Mapping

from lambda_gateway.model import TemplateError
from tenantgate.settings.errors import SettingsError
from tenantgate.settings.model import Settings
from tenantgate_cli.doctor.template.deployment import Deployment
from tenantgate_cli.outcomes import Finding, failed, ok, warning
from tenantgate_cli.paths import LAYER, ROOT

# Lambda quotas: all names and values of a function together, in bytes.
_LIMIT = 4096
_NEARLY = 3600
# Stands for a value that only the deployment knows: the longest ones are ARNs and URLs of AWS.
_UNKNOWN = "x" * 160
_SIZE_FIX = "put the trusted issuers into a file of the bundle: TrustedIssuers=file:/opt/issuers.json"
# The names whose value only a deployment knows are not judged.
_STANDING_IN = {
    "DATABASE_URL": "postgresql://role@database.example.com:5432/tenantgate?sslmode=verify-full",
    "DATABASE_OWNER_URL": "postgresql://owner@database.example.com:5432/tenantgate?sslmode=verify-full",
    "REDIS_URL": "rediss://user:x@cache.example.com:6379/0",
    "PUBLIC_BASE_URL": "https://api.example.com",
    "ALLOWED_ORIGINS": "https://api.example.com",
}


def environment_sizes(of: Deployment) -> Finding:
    """Add up the variables of each function."""
    sizes = {name: _size(variables(of, name)) for name in of.functions}
    largest = max(sizes, key=lambda name: sizes[name], default="")
    if not largest:
        return failed("the template has no functions", "name Tenantgate's template: --template-file FILE")
    found = f"at most {sizes[largest]} of {_LIMIT} bytes ({largest})"
    if sizes[largest] > _LIMIT:
        return failed(found, _SIZE_FIX)
    return warning(f"{found}: nearly full", _SIZE_FIX) if sizes[largest] > _NEARLY else ok(found)


def settings(of: Deployment) -> Finding:
    """Parse the variables of the function with the most of them, as it does at its start."""
    try:
        parsed = parsed_settings(of)
    except SettingsError as error:
        _, _, lines = str(error).partition("\n")
        return failed("; ".join(line.strip() for line in lines.splitlines()), "correct the template's parameters")
    return ok(f"ENVIRONMENT={parsed.environment}, {len(parsed.token_policy.issuers)} trusted issuer(s)")


def _size(given: Mapping[str, str | None]) -> int:
    known = {name: _UNKNOWN if value is None else value for name, value in given.items()}
    return sum(len(text.encode()) for pair in known.items() for text in pair)


def parsed_settings(of: Deployment) -> Settings:
    """Return the settings of the function with the most variables. Raises `SettingsError`."""
    given = max((variables(of, name) for name in of.functions), key=len, default={})
    values = {name: _STANDING_IN.get(name, "") if value is None else value for name, value in given.items()}
    # Not set in a stack that API Gateway's own address serves: the function learns it from its first event.
    values |= {name: _STANDING_IN[name] for name in ("PUBLIC_BASE_URL", "ALLOWED_ORIGINS") if not values.get(name)}
    # Lambda puts the layer's folder there.
    issuers = values.get("TRUSTED_ISSUERS", "")
    values["TRUSTED_ISSUERS"] = issuers.replace("file:/opt/", f"file:{ROOT / LAYER}/", 1)
    return Settings.from_mapping(values)


def variables(of: Deployment, function: str) -> dict[str, str | None]:
    """Return a function's variables with the shared ones; None is a value that only the deployment knows."""
    found: dict[str, str | None] = {}
    for properties in (of.globals_of("Function"), of.functions[function]):
        environment = properties.get("Environment")
        given = environment.get("Variables") if isinstance(environment, dict) else None
        for name, value in (given if isinstance(given, dict) else {}).items():
            resolved = _resolved(of, value)
            if resolved is _ABSENT:
                found.pop(name, None)
            else:
                found[name] = None if resolved is None else str(resolved)
    return found


_ABSENT = object()


def _resolved(of: Deployment, value: object) -> object:
    try:
        # In a list, so that a value that is AWS::NoValue is left out.
        resolved = of.resolver.resolve([value], "Environment")
    except TemplateError:
        return None
    if not isinstance(resolved, list) or not resolved:
        return _ABSENT
    return ",".join(map(str, resolved[0])) if isinstance(resolved[0], list) else resolved[0]
