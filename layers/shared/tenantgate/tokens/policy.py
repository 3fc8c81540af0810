"""The settings of verification, read from environment variables.

The settings model and the authorizer both call `token_policy`, so that each variable has one definition.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from tenantgate.tokens.forms import (
    parse_audiences,
    parse_claim_names,
    parse_issuer,
    parse_issuer_url,
    parse_list,
    parse_parameter_name,
    parse_tenant_id_pattern,
    parse_url,
    parse_whole_number,
)
from tenantgate.tokens.issuers import IssuerPolicy
from tenantgate.tokens.records import Record

__all__ = [
    "VARIABLES",
    "IssuerPolicy",
    "PolicyError",
    "TokenPolicy",
    "parse_audiences",
    "parse_claim_names",
    "parse_issuer_url",
    "parse_tenant_id_pattern",
    "parse_url",
    "parse_whole_number",
    "token_policy",
]

# The variables that `token_policy` reads, with their defaults; None without one.
VARIABLES: Mapping[str, str | None] = {
    "ENVIRONMENT": None,
    "OIDC_ISSUER_URL": None,
    "OIDC_CLIENT_ID": None,
    "OIDC_AUDIENCE": None,
    "OIDC_JWKS_FILE": None,
    "OIDC_DISCOVERY_URL": None,
    "OIDC_ACCESS_TOKEN_ISSUER": None,
    "OIDC_LOGOUT_URL": None,
    "OIDC_LOGOUT_REDIRECT_PARAM": None,
    "TRUSTED_ISSUERS": None,
    "JWT_TENANT_CLAIM_NAME": "tenant_id,organization_id,org_id",
    "JWT_ROLES_CLAIM_NAME": "roles,groups,cognito:groups",
    "TENANT_ID_PATTERN": "org-{uuid}",
    "JWT_MAX_LIFETIME_MINUTES": "60",
    "JWT_LEEWAY_SECONDS": "60",
    "JWKS_CACHE_TTL_SECONDS": "3600",
    "JWKS_MAX_AGE_SECONDS": "86400",
}


class TokenPolicy(Record):
    """The requirements of the verifier. `issuers[0]` is the one in `OIDC_ISSUER_URL`, if that is set.

    `access_token_issuer` is one of `issuers`: the one whose access tokens come with the ID tokens of `issuers[0]`, if
    it is another one. `tenant_id_pattern` is for `fullmatch`. Times are whole seconds.
    """

    __slots__ = ()

    issuers: tuple[IssuerPolicy, ...]
    tenant_claim_names: tuple[str, ...]
    tenant_id_pattern: re.Pattern[str]
    role_claim_names: tuple[str, ...] = ()
    max_lifetime_seconds: int = 3600
    leeway_seconds: int = 60
    jwks_cache_ttl_seconds: int = 3600
    jwks_max_age_seconds: int = 86400
    access_token_issuer: str | None = None


class PolicyError(ValueError):
    """All problems of the verification settings: `(variable, allowed form)` for each."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{variable} must be {form}" for variable, form in problems))
        self.problems = problems


class _Reader:
    """Reads variables by name, and collects the problems instead of stopping at the first one."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.problems: list[tuple[str, str]] = []

    def text(self, variable: str) -> str:
        return (self._values.get(variable) or "").strip() or VARIABLES[variable] or ""

    def read[T](self, variable: str, parse: Callable[[str], T], fallback: T) -> T:
        text = self.text(variable)
        if not text:
            return fallback
        try:
            return parse(text)
        except ValueError as form:
            self.problems.append((variable, str(form)))
            return fallback

    def whole_number(self, variable: str, low: int, high: int) -> int:
        return self.read(variable, lambda text: parse_whole_number(text, low=low, high=high), low)


def token_policy(values: Mapping[str, str]) -> TokenPolicy:
    """Read the policy from environment variables; `PolicyError` names every invalid one.

    An empty variable counts as unset. Plain http is only for issuers on loopback, in `ENVIRONMENT=development` or
    `test`. `TRUSTED_ISSUERS` adds issuers to that of `OIDC_ISSUER_URL`; an entry for that issuer replaces it.
    """
    reader = _Reader(values)
    local = reader.text("ENVIRONMENT") in ("development", "test")
    issuers = _issuers(reader, local)
    access_token_issuer = reader.read("OIDC_ACCESS_TOKEN_ISSUER", parse_issuer, None)
    if access_token_issuer is not None and access_token_issuer not in {issuer.issuer for issuer in issuers}:
        # Its audiences and tenants must be stated: no other issuer's tokens are a reason to trust it.
        reader.problems.append(("OIDC_ACCESS_TOKEN_ISSUER", "an issuer that has an entry in TRUSTED_ISSUERS"))
    ttl = reader.whole_number("JWKS_CACHE_TTL_SECONDS", 1, 86400)
    max_age = reader.whole_number("JWKS_MAX_AGE_SECONDS", 1, 31536000)
    if max_age < ttl and not any(variable.startswith("JWKS_") for variable, _ in reader.problems):
        reader.problems.append(("JWKS_MAX_AGE_SECONDS", "at least JWKS_CACHE_TTL_SECONDS"))
    no_names: tuple[str, ...] = ()
    claim_names = reader.read("JWT_TENANT_CLAIM_NAME", parse_claim_names, no_names)
    role_names = reader.read("JWT_ROLES_CLAIM_NAME", parse_claim_names, no_names)
    pattern = reader.read("TENANT_ID_PATTERN", parse_tenant_id_pattern, None)
    lifetime = reader.whole_number("JWT_MAX_LIFETIME_MINUTES", 1, 1440)
    leeway = reader.whole_number("JWT_LEEWAY_SECONDS", 0, 300)
    if pattern is None or reader.problems:
        raise PolicyError(reader.problems)
    return TokenPolicy(
        issuers=issuers,
        tenant_claim_names=claim_names,
        tenant_id_pattern=pattern,
        role_claim_names=role_names,
        max_lifetime_seconds=60 * lifetime,
        leeway_seconds=leeway,
        jwks_cache_ttl_seconds=ttl,
        jwks_max_age_seconds=max_age,
        access_token_issuer=access_token_issuer,
    )


def _trusted(reader: _Reader, local: bool) -> tuple[IssuerPolicy, ...]:
    no_issuers: tuple[IssuerPolicy, ...] = ()

    def entries(text: str) -> tuple[IssuerPolicy, ...]:
        from tenantgate.tokens.trusted_issuers import parse_trusted_issuers, written_entries  # noqa: PLC0415  (slow)

        return parse_trusted_issuers(written_entries(text), allow_loopback_http=local)

    return reader.read("TRUSTED_ISSUERS", entries, no_issuers)


def _issuers(reader: _Reader, local: bool) -> tuple[IssuerPolicy, ...]:
    nothing: tuple[str, ...] = ()
    trusted = _trusted(reader, local)
    client_ids = reader.read("OIDC_CLIENT_ID", lambda text: parse_list(text, what="client ids"), nothing)
    trusted = tuple(entry.__replace__(client_ids=entry.client_ids.union(client_ids)) for entry in trusted)
    login = _login_settings(reader, local)
    own = [entry for entry in trusted if entry.issuer == reader.text("OIDC_ISSUER_URL")]
    elsewhere = bool(reader.text("OIDC_DISCOVERY_URL") or (own and own[0].discovery_url))

    def login_issuer(text: str) -> str:
        if elsewhere:
            return parse_issuer(text)
        try:
            return parse_issuer_url(text, allow_loopback_http=local)
        except ValueError as form:
            raise ValueError(f"{form}, or OIDC_DISCOVERY_URL must be set as well") from None

    issuer = reader.read("OIDC_ISSUER_URL", login_issuer, "")
    if not issuer:
        if not reader.text("OIDC_ISSUER_URL") and not reader.text("TRUSTED_ISSUERS"):
            reader.problems.append(("OIDC_ISSUER_URL", "the issuer whose tokens are accepted, an https:// URL"))
        return trusted
    if not own:
        audiences = reader.read("OIDC_AUDIENCE", parse_audiences, client_ids)
        if not audiences and not reader.text("OIDC_AUDIENCE"):
            reader.problems.append(("OIDC_AUDIENCE", "the audience of the access tokens (or set OIDC_CLIENT_ID)"))
        jwks_file = reader.text("OIDC_JWKS_FILE") or None
        own = [IssuerPolicy(issuer, audiences, client_ids=frozenset(client_ids), jwks_file=jwks_file)]
    if login:
        own = [own[0].__replace__(**login)]  # type: ignore[arg-type]  # parsed to their fields' types
        if "logout_redirect_param" in login and own[0].logout_url is None:
            reader.problems.append(("OIDC_LOGOUT_REDIRECT_PARAM", "unset, or OIDC_LOGOUT_URL must be set as well"))
    return (*own, *(entry for entry in trusted if entry.issuer != issuer))


def _login_settings(reader: _Reader, local: bool) -> dict[str, object]:
    """Read the variables about the login issuer that override members of its entry."""

    def url(text: str) -> str:
        return parse_url(text, allow_loopback_http=local)

    read = {
        "discovery_url": reader.read("OIDC_DISCOVERY_URL", url, None),
        "logout_url": reader.read("OIDC_LOGOUT_URL", url, None),
        "logout_redirect_param": reader.read("OIDC_LOGOUT_REDIRECT_PARAM", parse_parameter_name, None),
    }
    return {name: value for name, value in read.items() if value is not None}
