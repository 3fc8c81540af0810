"""Errors of a sign-in."""

from __future__ import annotations

from tenantgate.errors.access import AUTH_020
from tenantgate.errors.base import ErrorCode, TenantgateError, register

AUTH_001 = register(
    "AUTH_001",
    400,
    "The authorization code is invalid, expired or already used",
    cause="The provider refused the code, or its response has no usable one.",
    remedy="Start again at `GET /api/v1/auth/login`. A code can be used once, within about a minute.",
)


AUTH_002 = register(
    "AUTH_002",
    403,
    "The sign-in could not be matched to this browser",
    cause="`state` is missing, expired, was used before, or belongs to another browser; or the response's `iss` names "
    "a provider other than the configured one (RFC 9207), or is missing from a redirect although the provider "
    "announces it; or the response to an app's attempt came by redirect instead of `POST`.",
    remedy="Start again at `GET /api/v1/auth/login` in the same browser, with cookies allowed, within 10 minutes.",
)


AUTH_009 = register(
    "AUTH_009",
    502,
    "The provider's access token can't be used here",
    cause="The sign-in succeeded, but the access token failed a check: it is opaque, its lifetime is too long, it is "
    "for another API, it comes from another issuer than the ID token, or the like.",
    remedy="`detail` names the setting of the check that failed. Usually: set `OIDC_RESOURCE` (or `audience` in "
    "`OIDC_AUTHORIZE_PARAMS`) so that the provider issues a JWT for this API, and `OIDC_AUDIENCE` to the audience in "
    "that JWT.",
)


SYS_012 = register(
    "SYS_012",
    502,
    "The identity provider refused our client",
    cause="The provider's token endpoint rejected this application, not the user: the client id or the client secret "
    "is wrong, or the client may not use this grant, scope or resource.",
    remedy="Operators: compare `OIDC_CLIENT_ID` and `OIDC_CLIENT_SECRET` with the client that is registered at the "
    "provider. On AWS the client secret is in Secrets Manager (`AWS_SECRETS_MANAGER_SECRET_ID`). `detail` names the "
    "setting, and the log has the provider's description.",
)


class InvalidAuthorizationCode(TenantgateError):
    error = AUTH_001


class ProviderReturnedError(InvalidAuthorizationCode):
    """The provider returned an error instead of a code (RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6)."""

    error = ErrorCode(
        "AUTH_001",
        400,
        "The provider ended the sign-in with an error",
        cause="The provider returned an error that OAuth and OpenID Connect don't define.",
        remedy="Start again. Operators: look up `provider_error` of `detail` in the provider's documentation.",
    )


class SignInCancelled(ProviderReturnedError):
    """`access_denied`."""

    error = ErrorCode(
        "AUTH_001",
        400,
        "The sign-in was cancelled",
        cause="You cancelled it at the provider, or the provider didn't give you access. You are not signed in.",
        remedy="Sign in again. If you didn't cancel, ask the provider's administrator for access to this application.",
    )


class SignInNeedsInteraction(ProviderReturnedError):
    """`login_required` and its relatives, the responses to a request with `prompt=none`."""

    error = ErrorCode(
        "AUTH_001",
        400,
        "The provider needs to ask you something first",
        cause="The request allowed the provider no page (`prompt=none`), but you have to sign in, choose an account or "
        "give your consent.",
        remedy="Operators: remove `prompt` from `OIDC_AUTHORIZE_PARAMS`.",
    )


class SignInRequestRefused(ProviderReturnedError):
    """The provider rejected the authorization request itself, so a setting is wrong."""

    error = ErrorCode(
        "AUTH_001",
        400,
        "The provider refused the sign-in request",
        cause="The settings of this application don't match its registration at the provider.",
        remedy="Operators: `detail` names the setting to compare with the client that is registered at the provider.",
    )


class ProviderInTrouble(ProviderReturnedError):
    """`server_error` and `temporarily_unavailable`."""

    error = ErrorCode(
        "AUTH_001",
        400,
        "The provider has a problem",
        cause="The provider reported an internal error, or that it is temporarily unavailable.",
        remedy="Try again in a few minutes.",
    )


class StateMismatch(TenantgateError):
    error = AUTH_002


class AccessTokenUnusable(TenantgateError):
    error = AUTH_009


class ProviderRefusedClient(TenantgateError):
    error = SYS_012


class RefreshTokenRefused(TenantgateError):
    """The provider refused the refresh token: it expired, was revoked or was used before, and so the session ends."""

    error = AUTH_020
    challenge_error = ""
