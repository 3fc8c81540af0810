"""Errors that a provider returns about this application: their classes, and a remedy for the operator."""

from __future__ import annotations

from collections.abc import Mapping

from tenantgate.login.errors import (
    ProviderInTrouble,
    ProviderReturnedError,
    SignInCancelled,
    SignInNeedsInteraction,
    SignInRequestRefused,
)

_CLIENT = (
    "Compare OIDC_CLIENT_ID and OIDC_CLIENT_SECRET with the client registered at the provider. On AWS the client "
    "secret is in Secrets Manager, in the secret that AWS_SECRETS_MANAGER_SECRET_ID names."
)
_GRANT = (
    "Allow the authorization code grant for the client OIDC_CLIENT_ID at the provider. Some providers also return this "
    "error when OIDC_CLIENT_SECRET is wrong: it is an environment variable, or in Secrets Manager on AWS."
)
_PARAMETERS = "Compare OIDC_AUTHORIZE_PARAMS and OIDC_REDIRECT_URI with the client registered at the provider."
_SCOPES = "Compare OIDC_SCOPES with the scopes that the provider grants this client."
_RESOURCE = "Register OIDC_RESOURCE at the provider as a resource that this client may request."

# By error code of the token endpoint (RFC 6749 §5.2, RFC 8707 §2).
_TOKEN_ENDPOINT: Mapping[str, str] = {
    "invalid_client": _CLIENT,
    "access_denied": _CLIENT,
    "unauthorized_client": _GRANT,
    "unsupported_grant_type": _GRANT,
    "invalid_request": "See the provider's log for the reason. Compare OIDC_CLIENT_ID, OIDC_CLIENT_SECRET and "
    "OIDC_REDIRECT_URI with the client registered at the provider.",
    "invalid_scope": _SCOPES,
    "invalid_target": _RESOURCE,
}
_OTHERWISE = "See the provider's log for the reason."

# By error code of the authorization endpoint (RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6, RFC 8707 §2).
_REQUESTS: Mapping[str, str] = {
    "invalid_request": _PARAMETERS,
    "unauthorized_client": "Allow the authorization code grant for the client OIDC_CLIENT_ID at the provider.",
    "unsupported_response_type": "Allow the response type `code` for the client OIDC_CLIENT_ID at the provider.",
    "invalid_scope": _SCOPES,
    "invalid_target": _RESOURCE,
    "invalid_request_uri": _PARAMETERS,
    "invalid_request_object": _PARAMETERS,
    "request_not_supported": _PARAMETERS,
    "request_uri_not_supported": _PARAMETERS,
    "registration_not_supported": _PARAMETERS,
}
_RETURNED: Mapping[str, type[ProviderReturnedError]] = {
    "access_denied": SignInCancelled,
    "login_required": SignInNeedsInteraction,
    "interaction_required": SignInNeedsInteraction,
    "consent_required": SignInNeedsInteraction,
    "account_selection_required": SignInNeedsInteraction,
    "server_error": ProviderInTrouble,
    "temporarily_unavailable": ProviderInTrouble,
    **dict.fromkeys(_REQUESTS, SignInRequestRefused),
}


def token_endpoint_remedy(code: str) -> str:
    """Return the remedy for an error code of the token endpoint."""
    return _TOKEN_ENDPOINT.get(code, _OTHERWISE)


def returned_error(code: str, *, description: str | None) -> ProviderReturnedError:
    """Build the error for the provider's authorization error response.

    `description`: what the provider sent as `error_description`, after `provider_text`; it is shown to the user.
    """
    remedy = _REQUESTS.get(code)
    detail = {"provider_error": code, "description": description, "remedy": remedy}
    return _RETURNED.get(code, ProviderReturnedError)(
        "the provider returned an error",
        detail={name: value for name, value in detail.items() if value is not None},
        provider_error=code,
        description=description,
    )


def refuses_client(status: int, code: str) -> bool:
    """Tell whether the token endpoint rejected the client's own credentials, so that the code is still unused.

    Keycloak says so with `unauthorized_client` and Auth0 with `access_denied`, both with status 401.
    """
    return code == "invalid_client" or (status == 401 and code in ("unauthorized_client", "access_denied"))
