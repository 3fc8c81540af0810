"""Errors of a sign-in."""

from __future__ import annotations

from tenantgate.errors.base import TenantgateError, register

AUTH_001 = register(
    "AUTH_001",
    400,
    "The authorization code is invalid, expired or already used",
    cause="The provider refused the code, or returned an error to the sign-in.",
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


class InvalidAuthorizationCode(TenantgateError):
    error = AUTH_001


class StateMismatch(TenantgateError):
    error = AUTH_002


class AccessTokenUnusable(TenantgateError):
    error = AUTH_009
