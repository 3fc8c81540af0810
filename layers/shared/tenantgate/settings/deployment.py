"""Settings of the deployment: the environment, its addresses, its databases and AWS."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from tenantgate.cache_url import CacheUrl, parse_cache_name, parse_cache_url
from tenantgate.settings.fields import is_relaxed, on_lambda, setting
from tenantgate.settings.parsing import (
    parse_base_url,
    parse_database_url,
    parse_kms_keys,
    parse_networks,
    parse_origins,
)
from tenantgate.settings.rate_limits import DEFAULT_RATE_LIMITS, RateLimits, parse_rate_limits

type Environment = Literal["development", "test", "staging", "production"]
type ServerTls = Literal["verify-full", "encrypted", "private-network"]

DEVELOPMENT_ORIGINS = ("http://localhost:3000", "http://localhost:5173", "http://localhost:8080")
DEVELOPMENT_BASE_URL = "http://localhost:3000"
# Secrets that the environment may contain when Secrets Manager isn't used.
SECRET_NAMES = ("OIDC_CLIENT_SECRET", "COOKIE_SEALING_KEYS")
# The same for secrets that few deployments need.
OPTIONAL_SECRET_NAMES = ("KEY_ENCRYPTION_KEYS", "AUDIT_SIGNING_KEYS", "EVENT_POLL_AUTHORIZATION")


class DeploymentSettings(BaseSettings):
    """The environment, addresses and connections of this process."""

    # Only `Settings` is ever instantiated: a schema of this part would cost a cold start and serve nothing.
    model_config = SettingsConfigDict(defer_build=True)

    environment: Environment = setting(
        "The environment: `development`, `test`, `staging` or `production`. Unset means production.",
        injected_by="template parameter `Environment`",
        example="development",
        default="production",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] | None = setting(
        "Lowest level logged: `DEBUG`, `INFO`, `WARNING` or `ERROR`. Unset: `DEBUG` in development, otherwise `INFO`.",
        default=None,
    )
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = setting(
        "Origins (scheme, host, port) of the web apps that may call this API and be redirected to; comma-separated, "
        "no wildcard. Lambda functions may have none: only this API's own pages are allowed then.",
        injected_by="template parameter `AllowedOrigins`",
        example=",".join(DEVELOPMENT_ORIGINS),
        default=(),
        validate_default=True,
    )
    public_base_url: str = setting(
        "Where clients reach this API. The default redirect URI is `<it>/api/v1/auth/callback`. `tenantgate dev` uses "
        "only its host, and only if that is `localhost`, 127.0.0.1 or [::1]. Lambda functions without it serve only "
        "requests to the address that API Gateway gave the API, `https://<id>.execute-api.<region>.amazonaws.com`.",
        injected_by="template parameter `PublicBaseUrl`",
        example=DEVELOPMENT_BASE_URL,
        default="",
        validate_default=True,
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = setting(
        "Networks (CIDR, comma-separated, such as `10.0.0.0/8`) of the proxies in front of this API whose "
        "`X-Forwarded-For` says where a request came from: its address counts in `RATE_LIMITS`, and people see it, "
        "shortened, in the list of their sessions. Unset: the address that API Gateway or the container itself sees.",
        injected_by="template parameter `TrustedProxies`",
        default=(),
    )
    rate_limits: str = setting(
        "Requests in a window (`second`, `minute`, `hour`, `day`) per client address, verified identity and tenant, "
        "and per address on a route, instead of `address`: `address=600/minute,GET /path=60/minute`. `name=off` turns "
        "one off, `off` all. A limit that isn't named has its default, which is off in development and test, and "
        f"otherwise: `{DEFAULT_RATE_LIMITS}`.",
        injected_by="template parameter `RateLimits`",
        default="",
    )
    database_tls: ServerTls = setting(
        "How connections to a database on another machine are protected in staging and production: `verify-full` (the "
        "URL says `sslmode=verify-full`), `encrypted` (`sslmode=require` at least; the server isn't verified), or "
        "`private-network` (any). The last two are a `warning` in the readiness check.",
        injected_by="template parameter `DatabaseTls`",
        default="verify-full",
    )
    database_url: str | None = setting(
        "PostgreSQL, as the application's role: `postgresql://user:password@host:5432/name?sslmode=verify-full` "
        "(`postgres://` too). The certificate authorities are those in `sslrootcert` or `PGSSLROOTCERT`, or the "
        "system's; for RDS, those of its region, which are shipped with the code. "
        "Without a password, on RDS and RDS Proxy: IAM database authentication. A container accepts the "
        "owner's URL: it then creates a login for this database and serves with that one.",
        injected_by="template parameter `DatabaseUrl`; Railway; `tenantgate dev`",
        needed_by="functions that use the database",
        repr=False,
        default=None,
    )
    database_owner_url: str | None = setting(
        "PostgreSQL, as the owner that migrates; `sslmode` as in `DATABASE_URL`. Unset: `DATABASE_URL`.",
        injected_by="template parameter `DatabaseOwnerUrl`; `tenantgate dev`",
        repr=False,
        default=None,
    )
    database_owner_secret_id: str | None = setting(
        "Name or ARN of the secret (a JSON object with `username` and `password`, as RDS manages it) whose user and "
        "password replace those in `DATABASE_OWNER_URL`. Only the migration runner reads it.",
        injected_by="template parameter `DatabaseOwnerSecretArn`, or the template",
        default=None,
    )
    aws_region: str | None = setting("AWS region.", injected_by="Lambda", example="eu-central-1", default=None)
    key_encryption_kms_keys: Annotated[tuple[str, ...], NoDecode] = setting(
        "ARNs of the AWS KMS keys that wrap the data keys of data at rest, such as the providers' tokens; "
        "comma-separated, newest first. The first one wraps, each unwraps. Unset: the secret `KEY_ENCRYPTION_KEYS`.",
        default=(),
    )
    redis_iam_cache: str = setting(
        "Name of an ElastiCache cache (Valkey, serverless or not) at which the user in `REDIS_URL` logs in with IAM "
        "tokens, as the role of the process: `REDIS_URL` is then `rediss://user@endpoint:6379/0`, without a password.",
        injected_by="template parameter `RedisIamCache`",
        default="",
    )
    redis_tls: ServerTls = setting(
        "How connections to a Valkey or Redis on another machine are protected in staging and production: "
        "`verify-full` (`rediss://`, with a verified server), `encrypted` (`rediss://`; the server isn't verified), or "
        "`private-network` (any). The last two are a `warning` in the readiness check.",
        injected_by="template parameter `RedisTls`",
        default="verify-full",
    )
    redis_url: str | None = setting(
        "Valkey or Redis: `rediss://user:password@host:6379/0`, or `redis://…` without TLS. The certificate "
        "authorities are those in its only parameter, `ssl_ca_certs`, or the system's. Unset: no session cookie passes "
        "the authorizer, and it accepts a revoked token until that expires; everything else works from PostgreSQL.",
        injected_by="template parameter `RedisUrl`; Railway; `tenantgate dev`",
        repr=False,
        default=None,
    )
    port: int = setting(
        "Port of the container and of `tenantgate dev`.", injected_by="host", default=8000, ge=0, le=65535
    )
    drain_seconds: int = setting(
        "How long the container still accepts requests after SIGTERM, while its readiness check fails: the time that a "
        "load balancer needs to notice. Then it finishes the requests in progress, for at most 20 seconds more.",
        injected_by="host",
        default=5,
        ge=0,
        le=600,
    )
    aws_secrets_manager_secret_id: str | None = setting(
        "Name or ARN of the secret (a JSON object) that holds "
        "`OIDC_CLIENT_SECRET` and `COOKIE_SEALING_KEYS`, and without `KEY_ENCRYPTION_KMS_KEYS` `KEY_ENCRYPTION_KEYS`.",
        injected_by="template parameter `SecretArn`",
        needed_by="sign-in, sign-out and sessions on AWS",
        default=None,
    )

    @field_validator("environment", "log_level", mode="before")
    @classmethod
    def _folded(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str):
            return value
        return value.strip().lower() if info.field_name == "environment" else value.strip().upper()

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _origins(cls, value: object, info: ValidationInfo) -> object:
        if not value and on_lambda():
            return ()
        if not value and is_relaxed(info):
            return DEVELOPMENT_ORIGINS
        if not value:
            raise ValueError("set it to your web apps' origins, such as https://app.example.com")
        return parse_origins(str(value), allow_loopback_http=is_relaxed(info)) if isinstance(value, str) else value

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _networks(cls, value: object, info: ValidationInfo) -> object:
        return parse_networks(value) if isinstance(value, str) else value

    @field_validator("key_encryption_kms_keys", mode="before")
    @classmethod
    def _kms_keys(cls, value: object) -> object:
        return parse_kms_keys(value) if isinstance(value, str) else value

    @field_validator("rate_limits")
    @classmethod
    def _rate_limits(cls, value: str, info: ValidationInfo) -> str:
        parse_rate_limits(value, relaxed=is_relaxed(info))
        return value

    @field_validator("public_base_url")
    @classmethod
    def _base_url(cls, value: str, info: ValidationInfo) -> str:
        if not value and on_lambda():
            # Never a loopback address: a development stack shows its users' tokens there. See `reached_at`.
            return ""
        if not value and is_relaxed(info):
            return DEVELOPMENT_BASE_URL
        return parse_base_url(value, allow_loopback_http=is_relaxed(info))

    @field_validator("database_url", "database_owner_url")
    @classmethod
    def _database(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        # An invalid DATABASE_TLS has its own error; it sets no requirement for the URLs.
        tls = "private-network" if is_relaxed(info) else info.data.get("database_tls", "private-network")
        return parse_database_url(value, tls=tls)

    @field_validator("redis_iam_cache")
    @classmethod
    def _iam_cache(cls, value: str, info: ValidationInfo) -> str:
        parse_cache_name(value)
        if value and not info.data.get("aws_region"):
            raise ValueError("set AWS_REGION as well, to the region of the cache")
        return value

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: str | None, info: ValidationInfo) -> str | None:
        # An invalid REDIS_TLS or REDIS_IAM_CACHE has its own error, as above.
        if value is not None and {"redis_tls", "redis_iam_cache"} <= info.data.keys():
            parse_cache_url(
                value,
                protection=info.data["redis_tls"],
                relaxed=is_relaxed(info),
                iam_cache=info.data["redis_iam_cache"],
                region=info.data.get("aws_region") or "",
            )
        return value

    @property
    def request_limits(self) -> RateLimits:
        """`rate_limits`, parsed, with the defaults."""
        return parse_rate_limits(self.rate_limits, relaxed=self.environment in ("development", "test"))

    @property
    def cache_url(self) -> CacheUrl | None:
        """`redis_url`, parsed."""
        if self.redis_url is None:
            return None
        return parse_cache_url(
            self.redis_url,
            protection=self.redis_tls,
            relaxed=self.environment in ("development", "test"),
            iam_cache=self.redis_iam_cache,
            region=self.aws_region or "",
        )
