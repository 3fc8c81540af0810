"""The settings of the product: every environment variable, typed and validated.

A bad value stops the start: `SettingsError` lists every bad variable at once, with its value (never a secret's), the
problem and the fix. An unset `ENVIRONMENT` means production, which has no lenient default. Secrets are not
fields of it: see `secrets/store.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Annotated, Self, override

from pydantic import ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from tenantgate.settings.deployment import DEVELOPMENT_BASE_URL, OPTIONAL_SECRET_NAMES, SECRET_NAMES
from tenantgate.settings.errors import PROXY_VARIABLES, SettingsError
from tenantgate.settings.fields import on_lambda, setting
from tenantgate.settings.misspelled import misspelling_notes
from tenantgate.settings.parsing import parse_authorize_params, parse_scopes, split_url
from tenantgate.settings.verification import VerificationSettings
from tenantgate.tokens.policy import PolicyError, TokenPolicy, token_policy
from tenantgate.urls import is_loopback_url


class Settings(VerificationSettings):
    """The validated environment; immutable. Get it from `get_settings()`, in tests from `Settings.from_mapping()`."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True, defer_build=False
    )

    oidc_scopes: Annotated[tuple[str, ...], NoDecode] = setting(
        "Scopes to ask for, separated by spaces; `openid` is always among them. With `offline_access`, most providers "
        "issue the refresh token that renews a session.",
        default=("openid", "profile", "email"),
    )
    oidc_resource: str | None = setting(
        "Resource indicator (RFC 8707) to ask the access token for; many providers then issue a JWT for it.",
        default=None,
    )
    oidc_authorize_params: Annotated[dict[str, str], NoDecode] = setting(
        'Further parameters of the authorization request, as a JSON object of strings (Auth0: `{"audience":"…"}`).',
        repr=False,
        default_factory=dict,
    )
    oidc_logout_url: str = setting(
        "URL for signing out, used instead of the provider's end-session endpoint, with `client_id` and the "
        "return URL as parameters (Cognito: `https://<domain>/logout`).",
        injected_by="template parameter `OidcLogoutUrl`",
        default="",
    )
    oidc_logout_redirect_param: str = setting(
        "The parameter of `OIDC_LOGOUT_URL` for the return URL (Cognito: `logout_uri`). Unset: "
        "`post_logout_redirect_uri`.",
        injected_by="template parameter `OidcLogoutRedirectParam`",
        default="",
    )

    @classmethod
    def from_mapping(cls, values: Mapping[str, str]) -> Self:
        """Build settings from only these variables (upper-case names). Raises `SettingsError` with all problems."""

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

        return validated(lambda: Given(**{name.lower(): value for name, value in values.items() if value}), values)

    @property
    def is_development(self) -> bool:
        return self.environment == "development"

    @property
    def is_local_development(self) -> bool:
        """Tell whether this is a development stack that only this machine reaches.

        Personas and copyable tokens exist only there: a deployed stack must never show them, even if its
        `ENVIRONMENT` is wrong.
        """
        return self.is_development and is_loopback_url(self.public_base_url)

    @property
    def on_lambda(self) -> bool:
        """Tell whether this is a Lambda environment, which serves one request at a time."""
        return on_lambda()

    def reached_at(self, base_url: str) -> None:
        """Complete settings without `PUBLIC_BASE_URL` by the address at which API Gateway serves this API.

        Before the first request is served, and once: later calls change nothing, so that all requests agree on the
        origin that is this API's own.
        """
        if not self.public_base_url:
            # The one exception to immutability. Nothing has used the empty text.
            self.__dict__["public_base_url"] = base_url

    @property
    def effective_log_level(self) -> str:
        return self.log_level or ("DEBUG" if self.is_development else "INFO")

    @property
    def oidc_redirect_uri(self) -> str:
        """The redirect URI of sign-ins, except those of single-page apps that take the code themselves."""
        return f"{self.public_base_url}/api/v1/auth/callback"

    @property
    def required_database_url(self) -> str:
        """`database_url`; raises `SettingsError` if it is not set."""
        if self.database_url is None:
            raise SettingsError({"DATABASE_URL": "set it to postgresql://user:password@host:5432/name"}, {})
        return self.database_url

    @cached_property
    def token_policy(self) -> TokenPolicy:
        """The requirements on tokens, parsed by the authorizer's own code."""
        return token_policy(self.token_variables)

    @property
    def token_variables(self) -> dict[str, str]:
        """The settings that are text, by variable name, for `tokens/policy.py`."""
        return {
            name.upper(): value for name in type(self).model_fields if isinstance(value := getattr(self, name), str)
        }

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


# The variables that this product reads, with the secrets.
SETTING_NAMES = frozenset({*(name.upper() for name in Settings.model_fields), *SECRET_NAMES, *OPTIONAL_SECRET_NAMES})


def validated[T: Settings](build: Callable[[], T], values: Mapping[str, str]) -> T:
    """Build the settings and parse the token policy, so that one error lists every problem."""
    problems: dict[str, str] = {}
    settings = None
    try:
        settings = build()
    except ValidationError as error:
        for item in error.errors():
            variable = str(item["loc"][0]).upper()
            problems.setdefault(variable, _readable(item["msg"]))
    try:
        token_policy(settings.token_variables if settings else _with_defaults(values))
    except PolicyError as error:
        for variable, problem in error.problems:
            problems.setdefault(variable, problem)
    problems |= _proxy_problem(values)
    if settings is None or problems:
        raise SettingsError(problems, values, misspelling_notes(values, SETTING_NAMES))
    return settings


def _proxy_problem(values: Mapping[str, str]) -> dict[str, str]:
    if not any(values.get(name) for name in PROXY_VARIABLES):
        return {}
    from tenantgate.tokens.proxy import MalformedProxy, configured_proxy  # noqa: PLC0415  (few hosts have a proxy)

    try:
        configured_proxy(values)
    except MalformedProxy as problem:
        return {problem.variable: str(problem)}
    return {}


def _readable(message: str) -> str:
    return message.removeprefix("Value error, ").replace("Input should be", "must be")


def _with_defaults(values: Mapping[str, str]) -> dict[str, str]:
    # Other fields are invalid already; report the problems of the token variables as well.
    given = {name: value for name, value in values.items() if value}
    if given.get("ENVIRONMENT") in ("development", "test"):
        given.setdefault("OIDC_ISSUER_URL", f"{DEVELOPMENT_BASE_URL}/idp")
    given.setdefault("OIDC_CLIENT_ID", "unset")
    return given
