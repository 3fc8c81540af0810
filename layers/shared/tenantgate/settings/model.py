"""Every environment variable of the product, typed.

The environment is read here, in `authorizer/environment.py` and, for the proxy variables, in `tokens/proxy.py`.

A bad value stops start-up: `SettingsError` lists every bad variable at once, with its value (never a secret's), what is
wrong and what to set instead. An unset `ENVIRONMENT` means production, the strict one. A `.env` file in the working
directory is read in development and test only. Secrets are not fields here: see `secrets/store.py`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self, override
from urllib.parse import unquote, urlsplit

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic.config import JsonDict
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from tenantgate.observability.setting_text import shown_setting
from tenantgate.settings.parsing import (
    parse_authorize_params,
    parse_base_url,
    parse_database_url,
    parse_origins,
    parse_redis_url,
    parse_scopes,
    split_url,
)
from tenantgate.tokens.policy import PolicyError, TokenPolicy, token_policy

type Environment = Literal["development", "test", "staging", "production"]
type DatabaseTls = Literal["verify-full", "encrypted", "private-network"]

DEVELOPMENT_ORIGINS = ("http://localhost:3000", "http://localhost:5173", "http://localhost:8080")
DEVELOPMENT_BASE_URL = "http://127.0.0.1:3000"
# Their values are never repeated in a message or a log; the URLs may carry passwords.
SECRET_VARIABLES = frozenset(
    {"DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "OIDC_CLIENT_SECRET", "COOKIE_SEALING_KEYS"}
)
# They may carry a password, too.
PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy")
# What a process may be handed in its environment instead of by Secrets Manager.
SECRET_NAMES = ("OIDC_CLIENT_SECRET", "COOKIE_SEALING_KEYS")


class SettingsError(Exception):
    """Start-up can't go on. `problems`: variable → what is wrong and what to set. The text names them all."""

    def __init__(self, problems: Mapping[str, str], values: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        lines = [f"Tenantgate can't start: {len(problems)} setting{'s are' if len(problems) > 1 else ' is'} wrong."]
        for variable, problem in problems.items():
            lines.append(f"  {variable} {_shown(variable, values)}: {problem}")
        super().__init__("\n".join(lines))


def _shown(variable: str, values: Mapping[str, str]) -> str:
    if not values.get(variable):
        return "is not set"
    if variable in SECRET_VARIABLES or variable in PROXY_VARIABLES:
        return "(a secret, not shown)"
    return f"is {shown_setting(variable, values[variable])}"


def _setting(
    purpose: str, *, injected_by: str = "operator", example: str = "", needed_by: str = "", **field: Any
) -> Any:
    """A field together with what `docs/CONFIGURATION.md` and `.env.example` say of it.

    `needed_by`: who can't do without it, where not every function needs it; checked where it is used.
    """
    said: JsonDict = {"injected_by": injected_by, "example": example, "needed_by": needed_by}
    return Field(description=purpose, json_schema_extra=said, **field)


class Settings(BaseSettings):
    """The validated environment; immutable. Build with `get_settings()`, in tests with `Settings.from_mapping()`."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True)

    environment: Environment = _setting(
        "Which environment this is: `development`, `test`, `staging` or `production`. Unset means production.",
        injected_by="template parameter `Environment`",
        example="development",
        default="production",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] | None = _setting(
        "Least level logged: `DEBUG`, `INFO`, `WARNING` or `ERROR`. Unset: `DEBUG` in development, else `INFO`.",
        default=None,
    )
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = _setting(
        "Origins (scheme, host, port) of the web apps that may call this API and be redirected to; comma-separated, "
        "no wildcard.",
        injected_by="template parameter `AllowedOrigins`",
        example=",".join(DEVELOPMENT_ORIGINS),
        default=(),
        validate_default=True,
    )
    public_base_url: str = _setting(
        "Where clients reach this API. The default redirect URI is `<it>/api/v1/auth/callback`.",
        injected_by="template parameter `PublicBaseUrl`",
        example=DEVELOPMENT_BASE_URL,
        default="",
        validate_default=True,
    )
    database_tls: DatabaseTls = _setting(
        "How connections to a database on another machine are protected in staging and production: `verify-full` (the "
        "URL says `sslmode=verify-full`), `encrypted` (`sslmode=require` at least; the server isn't verified), or "
        "`private-network` (any). The last two are a `warning` in the readiness check.",
        injected_by="template parameter `DatabaseTls`",
        default="verify-full",
    )
    database_url: str | None = _setting(
        "PostgreSQL, as the application's role: `postgresql://user:password@host:5432/name?sslmode=verify-full` "
        "(`postgres://` too). The authorities are those in `sslrootcert` or `PGSSLROOTCERT`, else the system's. "
        "Without a password, on RDS and RDS Proxy: IAM database authentication. A container takes the owner's URL: it "
        "then makes a login of this database's own, and serves with that.",
        injected_by="template parameter `DatabaseUrl`; Railway; `tenantgate dev`",
        needed_by="what uses the database",
        repr=False,
        default=None,
    )
    database_owner_url: str | None = _setting(
        "PostgreSQL, as the owner that migrates; `sslmode` as in `DATABASE_URL`. Unset: `DATABASE_URL`.",
        injected_by="template parameter `DatabaseOwnerUrl`; `tenantgate dev`",
        repr=False,
        default=None,
    )
    redis_url: str | None = _setting(
        "Valkey or Redis: `redis://host:6379/0`, or `rediss://` with TLS. Nothing needs it yet.",
        repr=False,
        default=None,
    )
    oidc_issuer_url: str = _setting(
        "The OpenID provider's issuer, exactly as its discovery document and its tokens have it. In development the "
        "built-in provider if unset.",
        injected_by="template parameter `OidcIssuerUrl`",
        default="",
        validate_default=True,
    )
    oidc_client_id: str = _setting(
        "This relying party's client id at the provider.",
        injected_by="template parameter `OidcClientId`",
        example="tenantgate-dev",
        default="",
        validate_default=True,
    )
    oidc_scopes: Annotated[tuple[str, ...], NoDecode] = _setting(
        "Scopes to ask for, separated by spaces; `openid` is always among them.",
        default=("openid", "profile", "email"),
    )
    oidc_resource: str | None = _setting(
        "Resource indicator (RFC 8707) to ask the access token for; many providers then issue a JWT for it.",
        default=None,
    )
    oidc_authorize_params: Annotated[dict[str, str], NoDecode] = _setting(
        'Further parameters of the authorization request, as a JSON object of strings (Auth0: `{"audience":"…"}`).',
        repr=False,
        default_factory=dict,
    )
    oidc_audience: str = _setting(
        "Audiences that access tokens must name, comma-separated. Unset: the client id.",
        injected_by="template parameter `OidcAudience`",
        default="",
    )
    oidc_discovery_url: str = _setting(
        "Where the provider's discovery document is, when it isn't at `<issuer>/.well-known/openid-configuration`. The "
        "document must name `OIDC_ISSUER_URL`, which may then be any text.",
        injected_by="template parameter `OidcDiscoveryUrl`",
        default="",
    )
    oidc_access_token_issuer: str = _setting(
        "The issuer of the access tokens that come with the provider's ID tokens, when it is another one (Entra ID, AD "
        "FS). It needs an entry in `TRUSTED_ISSUERS`. Sign-in then accepts access tokens only from it.",
        injected_by="template parameter `OidcAccessTokenIssuer`",
        default="",
    )
    oidc_logout_url: str = _setting(
        "Where a sign-out sends the browser instead of the provider's end-session endpoint; it gets `client_id` and "
        "the URL to return to (Cognito: `https://<domain>/logout`).",
        injected_by="template parameter `OidcLogoutUrl`",
        default="",
    )
    oidc_logout_redirect_param: str = _setting(
        "The parameter of `OIDC_LOGOUT_URL` that takes the URL to return to (Cognito: `logout_uri`). Unset: "
        "`post_logout_redirect_uri`.",
        injected_by="template parameter `OidcLogoutRedirectParam`",
        default="",
    )
    oidc_jwks_file: str = _setting(
        "A key set shipped with the bundle, so that a cold start fetches nothing.", default=""
    )
    trusted_issuers: str = _setting(
        "Further issuers whose access tokens are accepted, as JSON; an entry for `OIDC_ISSUER_URL` replaces that one.",
        default="",
    )
    jwt_tenant_claim_name: str = _setting(
        "Claims that may name the tenant, in priority order, comma-separated; dots reach into objects.",
        example="tenant_id,organization_id,org_id",
        default="",
    )
    jwt_roles_claim_name: str = _setting(
        "Claims that hold roles, all of them, comma-separated; dots reach into objects (`realm_access.roles`). Unset: "
        "`roles,groups,cognito:groups`.",
        default="",
    )
    tenant_id_pattern: str = _setting(
        "Regular expression that a whole tenant id must match. Unset: `org-{uuid}`.", default=""
    )
    jwt_max_lifetime_minutes: str = _setting("Longest `exp` - `iat` accepted, in minutes (60).", default="")
    jwt_leeway_seconds: str = _setting("Clock skew forgiven, in seconds (60).", default="")
    jwks_cache_ttl_seconds: str = _setting("Age at which a key set is fetched anew, in seconds (3600).", default="")
    jwks_max_age_seconds: str = _setting(
        "Age at which a key set is no longer trusted when it can't be fetched anew, in seconds (86400).", default=""
    )
    route_rules_file: str = _setting(
        "A file of route rules (TOML, or the JSON made of it) that stands over the product's own; on AWS a path within "
        "the authorizer's bundle or a layer. `tenantgate rules check` validates it.",
        default="",
    )
    port: int = _setting(
        "Port of the container and of `tenantgate dev`.", injected_by="host", default=8000, ge=0, le=65535
    )
    aws_region: str | None = _setting("AWS region.", injected_by="Lambda", example="eu-central-1", default=None)
    aws_secrets_manager_secret_id: str | None = _setting(
        "Name or ARN of the secret (a JSON object) that holds "
        + " and ".join(f"`{name}`" for name in SECRET_NAMES)
        + ".",
        injected_by="template parameter `SecretArn`",
        needed_by="sign-in, sign-out and sessions on AWS",
        default=None,
    )

    @classmethod
    def from_mapping(cls, values: Mapping[str, str]) -> Self:
        """Settings of these variables alone, by their upper-case names; raises `SettingsError` with all problems."""

        class Given(cls):  # type: ignore[valid-type, misc]
            @classmethod
            @override
            def settings_customise_sources(
                cls,
                settings_cls: type[BaseSettings],
                init_settings: PydanticBaseSettingsSource,
                env_settings: PydanticBaseSettingsSource,
                dotenv_settings: PydanticBaseSettingsSource,
                file_secret_settings: PydanticBaseSettingsSource,
            ) -> tuple[PydanticBaseSettingsSource, ...]:
                return (init_settings,)

        return _validated(lambda: Given(**{name.lower(): value for name, value in values.items() if value}), values)

    @property
    def is_development(self) -> bool:
        return self.environment == "development"

    @property
    def on_lambda(self) -> bool:
        """Whether this process is a Lambda environment, which serves one request at a time."""
        return "AWS_LAMBDA_FUNCTION_NAME" in os.environ

    @property
    def effective_log_level(self) -> str:
        return self.log_level or ("DEBUG" if self.is_development else "INFO")

    @property
    def oidc_redirect_uri(self) -> str:
        """Where the provider returns to, unless a single-page app asked for the code itself."""
        return f"{self.public_base_url}/api/v1/auth/callback"

    @property
    def required_database_url(self) -> str:
        """`database_url` for those who can't do without; raises `SettingsError` when it is not set."""
        if self.database_url is None:
            raise SettingsError({"DATABASE_URL": "set it to postgresql://user:password@host:5432/name"}, {})
        return self.database_url

    @cached_property
    def token_policy(self) -> TokenPolicy:
        """How tokens are verified here: the same parsing as the authorizer's."""
        return token_policy(self.token_variables)

    @property
    def token_variables(self) -> dict[str, str]:
        """The text settings by variable name, as `tokens/policy.py` reads them."""
        return {
            name.upper(): value for name in type(self).model_fields if isinstance(value := getattr(self, name), str)
        }

    @field_validator("environment", "log_level", mode="before")
    @classmethod
    def _folded(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str):
            return value
        return value.strip().lower() if info.field_name == "environment" else value.strip().upper()

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _origins(cls, value: object, info: ValidationInfo) -> object:
        if not value and _relaxed(info):
            return DEVELOPMENT_ORIGINS
        if not value:
            raise ValueError("set it to your web apps' origins, such as https://app.example.com")
        return parse_origins(str(value), allow_loopback_http=_relaxed(info)) if isinstance(value, str) else value

    @field_validator("public_base_url")
    @classmethod
    def _base_url(cls, value: str, info: ValidationInfo) -> str:
        if not value and _relaxed(info):
            return DEVELOPMENT_BASE_URL
        return parse_base_url(value, allow_loopback_http=_relaxed(info))

    @field_validator("database_url", "database_owner_url")
    @classmethod
    def _database(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        # A wrong DATABASE_TLS is reported by itself: what it asks of the URLs is unknown.
        tls = "private-network" if _relaxed(info) else info.data.get("database_tls", "private-network")
        return parse_database_url(value, tls=tls)

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: str | None) -> str | None:
        return None if value is None else parse_redis_url(value)

    @field_validator("oidc_issuer_url")
    @classmethod
    def _issuer(cls, value: str, info: ValidationInfo) -> str:
        if not value and _relaxed(info):
            return f"{info.data.get('public_base_url', DEVELOPMENT_BASE_URL)}/idp"
        return value

    @field_validator("oidc_client_id")
    @classmethod
    def _client_id(cls, value: str, info: ValidationInfo) -> str:
        if not value and _relaxed(info):
            return "tenantgate-dev"
        if not value:
            raise ValueError("set it to the client id that the provider gave this application")
        return value

    @field_validator("oidc_scopes", mode="before")
    @classmethod
    def _scopes(cls, value: object) -> object:
        return parse_scopes(value) if isinstance(value, str) else value

    @field_validator("oidc_resource")
    @classmethod
    def _resource(cls, value: str | None) -> str | None:
        if value is not None and ((parts := split_url(value)) is None or not parts.scheme or parts.fragment):
            raise ValueError("set it to an absolute URI without a fragment, such as https://api.example.com (RFC 8707)")
        return value

    @field_validator("oidc_authorize_params", mode="before")
    @classmethod
    def _authorize_params(cls, value: object) -> object:
        return parse_authorize_params(value) if isinstance(value, str) else value


def _relaxed(info: ValidationInfo) -> bool:
    """Only development and test have defaults that a production must state, and accept plain http on loopback."""
    return info.data.get("environment") in ("development", "test")


def _validated[T: Settings](build: Callable[[], T], values: Mapping[str, str]) -> T:
    """Build, and check the token policy too, so that one error names everything that is wrong."""
    problems: dict[str, str] = {}
    settings = None
    try:
        settings = build()
    except ValidationError as error:
        for item in error.errors():
            variable = str(item["loc"][0]).upper()
            problems.setdefault(variable, _told(item["msg"]))
    try:
        token_policy(settings.token_variables if settings else _with_defaults(values))
    except PolicyError as error:
        for variable, problem in error.problems:
            problems.setdefault(variable, problem)
    problems |= _proxy_problem(values)
    if settings is None or problems:
        raise SettingsError(problems, values)
    return settings


def _proxy_problem(values: Mapping[str, str]) -> dict[str, str]:
    if not any(values.get(name) for name in PROXY_VARIABLES):
        return {}
    from tenantgate.tokens.proxy import MalformedProxy, configured_proxy  # noqa: PLC0415  (few have one)

    try:
        configured_proxy(values)
    except MalformedProxy as problem:
        return {problem.variable: str(problem)}
    return {}


def _told(message: str) -> str:
    return message.removeprefix("Value error, ").replace("Input should be", "must be")


def _with_defaults(values: Mapping[str, str]) -> dict[str, str]:
    # Other fields are wrong already; what the token variables say of themselves must be told all the same.
    given = dict(values)
    if given.get("ENVIRONMENT") in ("development", "test"):
        given.setdefault("OIDC_ISSUER_URL", f"{DEVELOPMENT_BASE_URL}/idp")
    given.setdefault("OIDC_CLIENT_ID", "unset")
    return given


def read_variables() -> dict[str, str]:
    """The process's environment, with `.env` beneath it in development and test."""
    variables = dict(os.environ)
    if (file := _dotenv_file(variables)) is not None:
        return {**_written(file), **variables}
    return variables


def _dotenv_file(variables: Mapping[str, str]) -> Path | None:
    # Never in staging or production: a file left in a working directory must not steer them.
    file = Path(".env")
    if not file.is_file():
        return None
    environment = variables.get("ENVIRONMENT") or _written(file).get("ENVIRONMENT", "")
    return file if environment.lower() in ("development", "test") else None


def _written(file: Path) -> dict[str, str]:
    from dotenv import dotenv_values  # noqa: PLC0415  (only a checkout has a .env)

    return {name: value for name, value in dotenv_values(file).items() if value is not None}


def environment_secrets() -> dict[str, str]:
    """Secrets handed over in the environment, by name; for `secrets/store.py` alone."""
    variables = read_variables()
    return {name: variables[name] for name in SECRET_NAMES if variables.get(name)}


def server_variables(application_url: str, owner_url: str) -> dict[str, str]:
    """This process's environment for a server that may know only the application's login.

    Without `DATABASE_OWNER_URL`, and without other variables that hold the owner's password: hosts hand it out several
    times (`PGPASSWORD`, `DATABASE_PRIVATE_URL`), and anyone who breaks into the server must not find it.
    """
    password = unquote(urlsplit(owner_url).password or "")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name != "DATABASE_OWNER_URL" and not (password and _holds(name, value, password))
    }
    return kept | {"DATABASE_URL": application_url}


def _holds(name: str, value: str, password: str) -> bool:
    """Whether the variable is this password, or a URL or connection string with it.

    Any other value may be equal to a short password by chance: `PGUSER=postgres`.
    """
    plain = unquote(value)
    if password in (value, plain):
        return any(word in name.upper() for word in ("PASS", "PWD", "SECRET"))
    return f":{password}@" in plain or bool(
        re.search(rf"""(?:password|pwd)\s*=\s*['"]?{re.escape(password)}(?![^\s'";&])""", plain, re.IGNORECASE)
    )


def database_authorities() -> str | None:
    """The file of authorities that verify databases, by libpq's own variable; for `database/tls.py`."""
    return os.environ.get("PGSSLROOTCERT") or None


@cache
def get_settings() -> Settings:
    """This process's settings, read once; raises `SettingsError`."""
    variables = read_variables()
    return _validated(lambda: Settings(_env_file=_dotenv_file(variables)), variables)
