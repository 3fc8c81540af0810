"""Settings of verification: the trusted issuers, and the requirements on their tokens.

Most are kept as text: `tokens/policy.py` parses them, as it does for the authorizer.
"""

from __future__ import annotations

from pydantic import ValidationInfo, field_validator

from tenantgate.settings.deployment import DEVELOPMENT_BASE_URL
from tenantgate.settings.fields import is_relaxed, setting
from tenantgate.settings.sessions import SessionSettings


class VerificationSettings(SessionSettings):
    """The provider's registration, further issuers, claims and limits."""

    oidc_issuer_url: str = setting(
        "The OpenID provider's issuer, exactly as in its discovery document and its tokens. Unset in development: "
        "the built-in provider.",
        injected_by="template parameter `OidcIssuerUrl`",
        default="",
        validate_default=True,
    )
    oidc_client_id: str = setting(
        "This relying party's client id at the provider.",
        injected_by="template parameter `OidcClientId`",
        example="tenantgate-dev",
        default="",
        validate_default=True,
    )
    oidc_audience: str = setting(
        "Audiences that access tokens must name, comma-separated. Unset: the client id.",
        injected_by="template parameter `OidcAudience`",
        default="",
    )
    oidc_discovery_url: str = setting(
        "URL of the provider's discovery document, if it isn't at `<issuer>/.well-known/openid-configuration`. The "
        "document must name `OIDC_ISSUER_URL`, which may then be any text.",
        injected_by="template parameter `OidcDiscoveryUrl`",
        default="",
    )
    oidc_access_token_issuer: str = setting(
        "The issuer of the access tokens that come with the provider's ID tokens, if it is another one (Entra ID, AD "
        "FS). It needs an entry in `TRUSTED_ISSUERS`. Sign-in then accepts access tokens only from it.",
        injected_by="template parameter `OidcAccessTokenIssuer`",
        default="",
    )
    oidc_jwks_file: str = setting(
        "A file with the issuer's key set, shipped with the bundle, so that a cold start needs no network.", default=""
    )
    trusted_issuers: str = setting(
        "Further issuers whose access tokens are accepted, as JSON, or `file:PATH` for a file with it (256 KiB at "
        "most); an entry for `OIDC_ISSUER_URL` replaces that one. `layers/shared/issuers.json` is built into the layer "
        "as `/opt/issuers.json`.",
        default="",
    )
    jwt_tenant_claim_name: str = setting(
        "Claims that may name the tenant, in priority order, comma-separated; dots reach into objects.",
        example="tenant_id,organization_id,org_id",
        default="",
    )
    jwt_roles_claim_name: str = setting(
        "Claims that hold roles, comma-separated; the roles of all are combined; dots reach into objects "
        "(`realm_access.roles`). Unset: "
        "`roles,groups,cognito:groups`.",
        default="",
    )
    tenant_id_pattern: str = setting(
        "Regular expression that a whole tenant id must match. Unset: `org-{uuid}`.", default=""
    )
    jwt_max_lifetime_minutes: str = setting("Longest `exp` - `iat` accepted, in minutes (60).", default="")
    jwt_leeway_seconds: str = setting("Tolerated clock skew, in seconds (60).", default="")
    jwks_cache_ttl_seconds: str = setting("Age at which a key set is fetched again, in seconds (3600).", default="")
    jwks_max_age_seconds: str = setting(
        "Age at which a key set is no longer trusted if it can't be fetched again, in seconds (86400).", default=""
    )
    route_rules_file: str = setting(
        "A file of route rules (TOML, or the JSON made from it) that take precedence over the product's own; on AWS a "
        "path in the authorizer's bundle or a layer. `tenantgate rules check` validates it.",
        default="",
    )

    @field_validator("oidc_issuer_url")
    @classmethod
    def _issuer(cls, value: str, info: ValidationInfo) -> str:
        if not value and is_relaxed(info) and (base_url := info.data.get("public_base_url", DEVELOPMENT_BASE_URL)):
            return f"{base_url}/idp"
        return value

    @field_validator("oidc_client_id")
    @classmethod
    def _client_id(cls, value: str, info: ValidationInfo) -> str:
        if value:
            return value
        remedy = "set it to the client id that the provider gave this application"
        if not is_relaxed(info):
            raise ValueError(remedy)
        if not _is_built_in(info):
            # Never the built-in provider instead: the caller named another one.
            raise ValueError(f"{remedy}, or unset OIDC_ISSUER_URL to use the built-in provider")
        return "tenantgate-dev"

    @field_validator("oidc_discovery_url")
    @classmethod
    def _discovery_url(cls, value: str, info: ValidationInfo) -> str:
        if value and is_relaxed(info) and _is_built_in(info):
            raise ValueError("set OIDC_ISSUER_URL as well, or unset it: the built-in provider has its own document")
        return value


def _is_built_in(info: ValidationInfo) -> bool:
    """Tell whether the issuer is the built-in provider, which serves under this API's own address."""
    return bool(info.data.get("oidc_issuer_url") == f"{info.data.get('public_base_url', DEVELOPMENT_BASE_URL)}/idp")
