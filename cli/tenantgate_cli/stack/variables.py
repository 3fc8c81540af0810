"""The variables and secrets that the functions get on a developer's machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tenantgate.settings.deployment import DEVELOPMENT_ORIGINS, OPTIONAL_SECRET_NAMES, SECRET_NAMES
from tenantgate.settings.errors import SettingsError
from tenantgate.settings.model import Settings
from tenantgate.urls import parse_http_url
from tenantgate_cli.console import Failure
from tenantgate_cli.paths import ROOT
from tenantgate_cli.stack.ports import HOST, LOOPBACK_NAMES

BUILT_IN_CLIENT_ID = "tenantgate-dev"
BUILT_IN_AUDIENCE = "tenantgate-api"
# The settings' own default, and a refresh token, with which a session outlives its first access token.
BUILT_IN_SCOPES = "openid profile email offline_access"
# These describe another provider's tokens: with the built-in provider they would reject valid ones.
OTHER_PROVIDER_VARIABLES = (
    *("OIDC_AUDIENCE", "OIDC_RESOURCE", "OIDC_AUTHORIZE_PARAMS", "OIDC_JWKS_FILE", "TRUSTED_ISSUERS"),
    *("OIDC_DISCOVERY_URL", "OIDC_ACCESS_TOKEN_ISSUER", "OIDC_LOGOUT_URL", "OIDC_LOGOUT_REDIRECT_PARAM"),
    *("JWT_TENANT_CLAIM_NAME", "JWT_ROLES_CLAIM_NAME", "TENANT_ID_PATTERN"),
)
_PASSED_ON = (
    *("LOG_LEVEL", "JWT_MAX_LIFETIME_MINUTES", "JWT_LEEWAY_SECONDS", "JWKS_CACHE_TTL_SECONDS"),
    *("JWKS_MAX_AGE_SECONDS", "REDIS_TLS", "ROUTE_RULES_FILE", "OIDC_SCOPES"),
    *("SESSION_IDLE_MINUTES", "SESSION_ABSOLUTE_HOURS", "SESSION_CACHE_SECONDS", "SESSION_REUSE_GRACE_SECONDS"),
    *("TENANT_REGISTRATION", "TRUSTED_PROXIES", "RATE_LIMITS", "AUDIT_RETENTION_DAYS"),
)
_STACK_KEYS = ("KEY_ENCRYPTION_KEYS", "AUDIT_SIGNING_KEYS")
_FILES = ("ROUTE_RULES_FILE", "OIDC_JWKS_FILE")
# The certificates that this machine trusts. Not its proxies: token verification uses none.
_MACHINE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True, slots=True)
class Provider:
    """The OpenID provider in use."""

    issuer: str
    built_in: bool


@dataclass(frozen=True, slots=True)
class Variables:
    """Settings, secrets, and variables that only this machine needs."""

    settings: Mapping[str, str]
    secrets: Mapping[str, str]
    machine: Mapping[str, str]
    provider: Provider


def environment(folder: Path = ROOT) -> dict[str, str]:
    """Return the variables of this process and of `.env`. Values of this process win, except empty ones."""
    variables = dict(os.environ)
    file = folder / ".env"
    if not file.is_file():
        return variables
    from dotenv import dotenv_values  # noqa: PLC0415  (few checkouts have the file)

    written = {name: value for name, value in dotenv_values(file).items() if value}
    return {**written, **{name: value for name, value in variables.items() if value}}


def base_url(port: int, given: Mapping[str, str]) -> str:
    """Return the stack's URL: `localhost`, or the loopback name in the caller's `PUBLIC_BASE_URL`.

    A provider may have the redirect URI of 127.0.0.1 registered. The port is always the stack's.
    """
    parsed = parse_http_url(given.get("PUBLIC_BASE_URL", ""), longest=2048)
    named = parsed.host if parsed is not None and parsed.scheme == "http" else HOST
    return f"http://{named if named in LOOPBACK_NAMES else HOST}:{port}"


def choose_provider(given: Mapping[str, str], base: str) -> Provider:
    """Choose the caller's provider if its issuer is set, otherwise the built-in one."""
    port = urlsplit(base).port
    # A `.env` of an earlier version names the built-in provider by another name of this machine.
    is_other = given.get("OIDC_ISSUER_URL") not in {f"http://{name}:{port}/idp" for name in LOOPBACK_NAMES}
    if given.get("OIDC_ISSUER_URL") and is_other:
        return Provider(given["OIDC_ISSUER_URL"], built_in=False)
    return Provider(f"{base}/idp", built_in=True)


def variables_for(
    port: int,
    given: Mapping[str, str],
    stored: Mapping[str, str],
    *,
    app_url: str,
    owner_url: str,
    redis_url: str,
    anchors: str = "",
) -> Variables:
    """Combine the caller's variables, the stored secrets and the URLs of the database and the cache.

    `anchors`: the folder for the checkpoints of the audit log, by its absolute path.
    Raises Failure, which names every invalid variable.
    """
    base = base_url(port, given)
    provider = choose_provider(given, base)
    # 127.0.0.1 is allowed, so that redirect URIs with that name stay valid. A content security policy can't have [::1].
    origins = [
        base,
        f"http://{HOST}:{port}",
        f"http://127.0.0.1:{port}",
        *(_listed(given.get("ALLOWED_ORIGINS")) or DEVELOPMENT_ORIGINS),
    ]
    settings = {name: given[name] for name in _PASSED_ON if given.get(name)}
    settings |= {
        "ENVIRONMENT": "development",
        "LOG_LEVEL": given.get("LOG_LEVEL") or "DEBUG",
        "PUBLIC_BASE_URL": base,
        "ALLOWED_ORIGINS": ",".join(dict.fromkeys(origins)),
        "DATABASE_URL": app_url,
        "DATABASE_OWNER_URL": owner_url,
        "REDIS_URL": redis_url,
        "OIDC_ISSUER_URL": provider.issuer,
        # There is no AWS here: the secrets below replace those of Secrets Manager.
        "AWS_SECRETS_MANAGER_SECRET_ID": "",
        "SECRET_ARN": "",
        "AUDIT_SIGNING_KMS_KEY": "",
        "AUDIT_ANCHOR_BUCKET": "",
        "AUDIT_ANCHOR_FOLDER": anchors,
    }
    kept = dict(stored)
    if provider.built_in:
        settings |= {"OIDC_CLIENT_ID": BUILT_IN_CLIENT_ID, "OIDC_AUDIENCE": BUILT_IN_AUDIENCE}
        settings.setdefault("OIDC_SCOPES", BUILT_IN_SCOPES)
    else:
        settings["OIDC_CLIENT_ID"] = given.get("OIDC_CLIENT_ID", "")
        settings |= {name: given[name] for name in OTHER_PROVIDER_VARIABLES if given.get(name)}
        kept["OIDC_CLIENT_SECRET"] = given.get("OIDC_CLIENT_SECRET", "")
    _check(settings, given, half_set(given, provider))
    for name in _FILES:
        if settings.get(name):
            # Absolute, because the functions have another working directory.
            settings[name] = str(Path(settings[name]).absolute())
    machine = {name: given[name] for name in _MACHINE_VARIABLES if given.get(name)}
    secrets = {name: kept[name] for name in SECRET_NAMES}
    # Those of the shell would open none of the stack's data.
    given = {name: value for name, value in given.items() if name not in _STACK_KEYS} | {
        name: kept[name] for name in _STACK_KEYS if name in kept
    }
    secrets |= {name: given[name] for name in OPTIONAL_SECRET_NAMES if given.get(name)}
    return Variables(settings, secrets, machine, provider)


def half_set(given: Mapping[str, str], provider: Provider) -> dict[str, str]:
    """Return the problems of a provider that is only partly set, by variable."""
    back = "to use the built-in provider"
    if provider.built_in:
        if given.get("OIDC_CLIENT_ID", BUILT_IN_CLIENT_ID) in ("", BUILT_IN_CLIENT_ID):
            return {}
        problem = f"set it to the issuer that OIDC_CLIENT_ID is registered at, or unset OIDC_CLIENT_ID {back}"
        return {"OIDC_ISSUER_URL": problem}
    if given.get("OIDC_CLIENT_SECRET"):
        return {}
    problem = "set it to the client secret that the provider gave this application"
    return {"OIDC_CLIENT_SECRET": f"{problem}, or unset OIDC_ISSUER_URL {back}"}


def parsed(settings: Mapping[str, str]) -> Settings:
    """Return the settings of the functions. Raises `SettingsError`."""
    return Settings.from_mapping({name: value for name, value in settings.items() if name != "SECRET_ARN"})


def _check(settings: Mapping[str, str], caller: Mapping[str, str], problems: Mapping[str, str]) -> None:
    """Raise Failure with these problems and those that the settings themselves have."""
    try:
        parsed(settings)
    except SettingsError as error:
        problems = {**error.problems, **problems}
    if problems:
        values = {**settings, "OIDC_ISSUER_URL": caller.get("OIDC_ISSUER_URL", "")}
        raise Failure(str(SettingsError(problems, values)), "correct or unset these variables, then start again")


def _listed(text: str | None) -> list[str]:
    return [item.strip() for item in (text or "").split(",") if item.strip()]
