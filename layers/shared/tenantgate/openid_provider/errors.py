"""Errors that the built-in provider's pages show."""

from __future__ import annotations

from tenantgate.errors.base import TenantgateError, register

AUTH_040 = register(
    "AUTH_040",
    400,
    "The application's sign-in request can't be used",
    cause="An application sent the browser to the built-in provider with an unknown `client_id`, without "
    "`redirect_uri`, or with one of the two given more than once.",
    remedy="Start again at the application. Its developer compares `OIDC_CLIENT_ID` on both sides.",
)

AUTH_041 = register(
    "AUTH_041",
    400,
    "The form has expired or was changed",
    cause="A form of the built-in provider was sent more than 10 minutes after it was shown, its hidden value was "
    "changed, or it names a user that the page didn't offer.",
    remedy="Start again at the application.",
)


class AuthorizationRequestRefused(TenantgateError):
    """The request names no trusted client and redirect URI, so the error is shown on a page."""

    error = AUTH_040


class SignInFormRefused(TenantgateError):
    """A form's sealed value has expired or was changed."""

    error = AUTH_041
