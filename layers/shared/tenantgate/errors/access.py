"""Denied requests: the caller is unknown, lacks a permission, or comes from another site.

TenantgateError
├── AuthenticationRequired      AUTH_007
├── InsufficientScope           AUTH_010
├── StepUpRequired              AUTH_011
├── SessionEnded                AUTH_020
├── CrossSiteRequest            AUTH_021
│   ├── CsrfTokenMissing
│   └── CsrfTokenWrong
└── RedirectNotAllowed          AUTH_006
"""

from __future__ import annotations

from collections.abc import Mapping

from tenantgate.errors.base import Detail, TenantgateError, register

AUTH_006 = register(
    "AUTH_006",
    400,
    "The redirect target is not allowed",
    cause="The origin (scheme, host and port) of `redirect_uri` or `return_to` is not one of `ALLOWED_ORIGINS`.",
    remedy="Use an allowed origin, or add this one to `ALLOWED_ORIGINS`.",
)
AUTH_007 = register(
    "AUTH_007",
    401,
    "Authentication is required",
    cause="The request carries no credential, or one in a form that is not understood.",
    remedy="Send `Authorization: Bearer <access token>`, or the session cookie once, as the API set it.",
)


AUTH_010 = register(
    "AUTH_010",
    403,
    "The credential doesn't allow this",
    cause="No route rule covers the request, the path can be read in more than one way, or a rule requires a scope, a "
    "role or an issuer that the caller lacks.",
    remedy="Ask for a token with the scope that the challenge names (RFC 6750 §3.1), or have the role granted; API "
    "owners compare the file in `ROUTE_RULES_FILE`: `tenantgate rules check`.",
)


AUTH_011 = register(
    "AUTH_011",
    401,
    "A stronger or more recent sign-in is required",
    cause="The route's rule requires an `acr` or a maximum authentication age that the token doesn't meet (RFC 9470). "
    "Erasing one's own data always requires a sign-in of the last 5 minutes.",
    remedy="Sign in again with the challenge's `acr_values` and `max_age`. Behind an HTTP API's authorizer, which "
    "controls no header, this is a plain 403.",
)


AUTH_020 = register(
    "AUTH_020",
    401,
    "The session has ended",
    cause="The session timed out, was ended by a sign-out or by the provider, or never existed. The authorizer also "
    "returns this for a session that it has no recent copy of.",
    remedy="Call `POST /api/v1/auth/refresh` or `GET /api/v1/auth/sessions`. If they return this code too, sign in "
    "again at `GET /api/v1/auth/login`.",
)


AUTH_021 = register(
    "AUTH_021",
    403,
    "The request came from another site",
    cause="A request that carries the session cookie came from an origin that is not an allowed one, or it changes "
    "something and lacks the session's CSRF token.",
    remedy="Call from the API's own origin or one of `ALLOWED_ORIGINS`, with the CSRF token in `X-CSRF-Token`: "
    "`GET /api/v1/auth/sessions` and every response of `POST /api/v1/auth/refresh` contain it. Or send a bearer token "
    "instead of the cookie.",
)


class AuthenticationRequired(TenantgateError):
    """The request has no credential, or one in an unknown form."""

    error = AUTH_007
    challenge_error = ""


class InsufficientScope(TenantgateError):
    """The caller is known, but the route's rule requires more, or the route has no rule.

    `scope`: the scopes that would suffice, for the challenge.
    """

    error = AUTH_010
    audited = True
    challenge_error = "insufficient_scope"

    def __init__(self, reason: str = "", *, scope: str = "", detail: Detail = None, **private: object) -> None:
        super().__init__(reason, detail=detail, **private)
        self.scope = scope

    def challenge_parameters(self) -> Mapping[str, str]:
        return {"scope": self.scope} if self.scope else {}


class StepUpRequired(TenantgateError):
    """The sign-in behind the token is too weak or too old (RFC 9470 §3)."""

    error = AUTH_011
    audited = True
    challenge_error = "insufficient_user_authentication"

    def __init__(
        self,
        reason: str = "",
        *,
        acr_values: str = "",
        max_age: int | None = None,
        detail: Detail = None,
        **private: object,
    ) -> None:
        super().__init__(reason, detail=detail, **private)
        self.acr_values = acr_values
        self.max_age = max_age

    def challenge_parameters(self) -> Mapping[str, str]:
        found = {"acr_values": self.acr_values} if self.acr_values else {}
        return found if self.max_age is None else {**found, "max_age": str(self.max_age)}


class SessionEnded(TenantgateError):
    """The secret belongs to no live session."""

    error = AUTH_020
    challenge_error = ""


class CrossSiteRequest(TenantgateError):
    """A request with the session cookie came from an origin that is not allowed."""

    error = AUTH_021
    audited = True
    security_event = "CROSS_SITE_REQUEST_REFUSED"


class CsrfTokenMissing(CrossSiteRequest):
    """A change by the session cookie came without the header `X-CSRF-Token`."""


class CsrfTokenWrong(CrossSiteRequest):
    """A change by the session cookie came with another text than the session's CSRF token."""


class RedirectNotAllowed(TenantgateError):
    """The target of a redirect is on an origin that is not allowed."""

    error = AUTH_006
