"""The provider's discovery document (OpenID Connect Discovery §3, Back-Channel Logout §2.1, RFC 8414, RFC 9207 §3)."""

from __future__ import annotations

from collections.abc import Sequence

from tenantgate.openid_provider.models import OFFLINE_ACCESS, SIGNING_ALGORITHMS, SUPPORTED_SCOPES

_CLAIMS = (
    "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "sid", "amr", "tenant_id",
    "name", "given_name", "family_name", "preferred_username", "locale", "zoneinfo",
    "email", "email_verified", "address", "phone_number", "phone_number_verified",
)  # fmt: skip
_CLIENT_AUTHENTICATION = ("client_secret_basic", "client_secret_post")


def provider_metadata(issuer: str, api_scopes: Sequence[str] = ()) -> dict[str, object]:
    """Return the metadata from which a relying party configures itself. `api_scopes`: those of any user."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "revocation_endpoint": f"{issuer}/revoke",
        "jwks_uri": f"{issuer}/jwks",
        "end_session_endpoint": f"{issuer}/end_session",
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "scopes_supported": [*SUPPORTED_SCOPES, OFFLINE_ACCESS, *api_scopes],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(SIGNING_ALGORITHMS),
        "token_endpoint_auth_methods_supported": list(_CLIENT_AUTHENTICATION),
        "revocation_endpoint_auth_methods_supported": list(_CLIENT_AUTHENTICATION),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claim_types_supported": ["normal"],
        "claims_supported": list(_CLAIMS),
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }
