"""Failures of the built-in provider that its pages show."""

from __future__ import annotations

from tenantgate.errors.base import TenantgateError, register

AUTH_040 = register(
    "AUTH_040",
    400,
    "The application's sign-in request can't be used",
    cause="An application sent the browser to the built-in provider with an unknown `client_id`, without "
    "`redirect_uri`, or with one of them given twice.",
    remedy="Start again at the application; its developer compares `OIDC_CLIENT_ID` on both sides.",
)


AUTH_041 = register(
    "AUTH_041",
    400,
    "The form has expired or was changed",
    cause="A form of the built-in provider came back more than 10 minutes after it was shown, or not as it was shown.",
    remedy="Start again at the application.",
)


class AuthorizationRequestRefused(TenantgateError):
    error = AUTH_040


class SignInFormRefused(TenantgateError):
    error = AUTH_041
