"""The provider's routes in the OpenAPI document: parameters, forms and responses, which the routes read themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.access import CrossSiteRequest, RedirectNotAllowed
from tenantgate.errors.base import TenantgateError
from tenantgate.openid_provider.errors import AuthorizationRequestRefused, SignInFormRefused
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.web.errors import MalformedBody, UnsupportedMediaType
from tenantgate.web.forms import FORM
from tenantgate.web.models import StrictModel
from tenantgate.web.responses import ErrorResponse, error_responses

type Responses = dict[int | str, dict[str, Any]]

# OpenID Connect Core §3.1.2.1, RFC 7636 §4.3, RFC 8707 §2
_AUTHORIZE: Mapping[str, str] = {
    "client_id": "The relying party. Required.",
    "redirect_uri": "Where the browser returns. Required.",
    "response_type": "`code`",
    "scope": "`openid`, `profile`, `email`, `offline_access` and scopes of APIs.",
    "state": "Returned unchanged.",
    "nonce": "Returned in the ID token.",
    "code_challenge": "Required (RFC 7636).",
    "code_challenge_method": "`S256`",
    "prompt": "`none`, `login`, `consent` or `select_account`",
    "max_age": "The longest time since the sign-in, in seconds.",
    "login_hint": "The user name that the form shows.",
    "id_token_hint": "The user that must be signed in.",
    "resource": "An API that the access token is for.",
}
_TOKEN: Mapping[str, str] = {
    "grant_type": "`authorization_code` or `refresh_token`. Required.",
    "code": "The code.",
    "redirect_uri": "That of the authorization request.",
    "code_verifier": "RFC 7636 §4.5.",
    "refresh_token": "The refresh token.",
    "scope": "Fewer scopes than granted.",
    "client_id": "The client, without Basic authentication.",
    "client_secret": "Its secret, without Basic authentication.",
}
_REVOKE: Mapping[str, str] = {
    "token": "A refresh token. Required.",
    "token_type_hint": "Ignored.",
    "client_id": "The client, without Basic authentication.",
    "client_secret": "Its secret, without Basic authentication.",
}
_END_SESSION: Mapping[str, str] = {
    "id_token_hint": "An ID token of the session. Without it, a page asks the user.",
    "client_id": "The client.",
    "post_logout_redirect_uri": "Where the browser returns: a URL of an allowed origin.",
    "state": "Returned unchanged.",
}
_USERINFO: Mapping[str, str] = {"access_token": "The access token (RFC 6750 §2.2)."}
_SIGN_IN: Mapping[str, str] = {
    "form": "The hidden value of the sign-in page.",
    "username": "The user name.",
    "password": "The password.",
    "persona": "The button of a persona, instead of a password.",
}
_SIGN_OUT: Mapping[str, str] = {"form": "The hidden value of the page."}

_PAGE: dict[str, Any] = {"text/html": {"schema": {"type": "string"}}}
_UNAVAILABLE = (DatabaseUnreachable, SecretsUnavailable)
_OWN_BODY = (MalformedBody, UnsupportedMediaType)
_CLIENT: dict[str, Any] = {"security": [{"client": []}, {}]}
_BEARER: dict[str, Any] = {"security": [{"bearer": []}]}


class ProtocolFailure(StrictModel):
    """The error that OAuth requires (RFC 6749 §5.2, RFC 6750 §3, RFC 7009 §2.2.1)."""

    error: str
    error_description: str | None = None


class Tokens(StrictModel):
    """The tokens (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3)."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str
    id_token: str | None = None
    refresh_token: str | None = None


def _query(names: Mapping[str, str]) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "query", "required": False, "description": words, "schema": {"type": "string"}}
        for name, words in names.items()
    ]
    return {"parameters": parameters}


def _form(names: Mapping[str, str]) -> dict[str, Any]:
    properties = {name: {"type": "string", "description": words} for name, words in names.items()}
    return {"requestBody": {"content": {FORM: {"schema": {"type": "object", "properties": properties}}}}}


def _failures(*errors: type[TenantgateError], protocol: tuple[int, ...] = ()) -> Responses:
    """Describe our errors, and by `protocol` the statuses with an error of OAuth."""
    described = error_responses(*errors, *_UNAVAILABLE)
    for status in protocol:
        # Our own 400 is that of a request that can be read in two ways.
        model = ProtocolFailure | ErrorResponse if status == 400 else ProtocolFailure
        described[status] = {"model": model, "description": "An error of OAuth, by its `error`."}
    return described


def _returns(description: str) -> dict[str, Any]:
    return {"description": description, "headers": {"Location": {"schema": {"type": "string"}}}}


_AUTHORIZED: Responses = {
    200: {"description": "The sign-in page.", "content": _PAGE},
    303: _returns("Returns to the client with a code or an error."),
}
_SIGNED_OUT: Responses = {
    200: {"description": "The page of the sign-out, or its question.", "content": _PAGE},
    303: _returns("Signed out: returns to the client."),
}
_REFUSED = (AuthorizationRequestRefused, RedirectNotAllowed, MalformedBody)
_CLAIMS: Responses = {
    200: {"description": "The claims.", "content": {"application/json": {"schema": {"type": "object"}}}},
    **_failures(protocol=(400, 403)),
    # Without a token there is no content (RFC 6750 §3.1), which no schema can say.
    401: {"description": "An error of OAuth as JSON, or no content if the request had no token."},
}

# By operation id: the arguments of the route.
ROUTES: Mapping[str, dict[str, Any]] = {
    "discovery": {
        "summary": "Discovery document",
        "responses": {
            200: {"description": "The metadata.", "content": {"application/json": {"schema": {"type": "object"}}}},
            **error_responses(),
        },
    },
    "jwks": {
        "summary": "Signing keys",
        "responses": {
            200: {
                "description": "A JWK Set (RFC 7517).",
                "content": {"application/json": {"schema": {"type": "object", "required": ["keys"]}}},
            },
            **_failures(),
        },
    },
    "authorize": {
        "summary": "Authorization request",
        "openapi_extra": _query(_AUTHORIZE),
        "responses": {**_AUTHORIZED, **_failures(*_REFUSED)},
    },
    "authorizeByForm": {
        "summary": "Authorization request by form",
        "openapi_extra": _form(_AUTHORIZE),
        "responses": {**_AUTHORIZED, **_failures(*_REFUSED, UnsupportedMediaType)},
    },
    "signIn": {
        "summary": "Sign-in form",
        "openapi_extra": _form(_SIGN_IN),
        "responses": {
            303: _returns("Signed in: returns to the client with a code."),
            **_failures(SignInFormRefused, CrossSiteRequest, *_OWN_BODY),
        },
    },
    "token": {
        "summary": "Token request",
        "openapi_extra": {**_form(_TOKEN), **_CLIENT},
        "responses": {200: {"model": Tokens}, **_failures(protocol=(400, 401))},
    },
    "revokeToken": {
        "summary": "Revoke a refresh token",
        "openapi_extra": {**_form(_REVOKE), **_CLIENT},
        "responses": {200: {"description": "The token isn't valid any more."}, **_failures(protocol=(400, 401))},
    },
    "userinfo": {
        "summary": "Claims of the user",
        "openapi_extra": _BEARER,
        "responses": _CLAIMS,
    },
    "userinfoByForm": {
        "summary": "Claims of the user, with the token in a form",
        "openapi_extra": {**_form(_USERINFO), "security": [{"bearer": []}, {}]},
        "responses": _CLAIMS,
    },
    "endSession": {
        "summary": "Sign out",
        "openapi_extra": _query(_END_SESSION),
        "responses": {**_SIGNED_OUT, **_failures(*_REFUSED)},
    },
    "endSessionByForm": {
        "summary": "Sign out by form",
        "openapi_extra": _form(_END_SESSION),
        "responses": {**_SIGNED_OUT, **_failures(*_REFUSED, UnsupportedMediaType)},
    },
    "signOut": {
        "summary": "Sign-out form",
        "openapi_extra": _form(_SIGN_OUT),
        "responses": {**_SIGNED_OUT, **_failures(SignInFormRefused, CrossSiteRequest, *_OWN_BODY)},
    },
}


def described(operation_id: str) -> dict[str, Any]:
    """Return the arguments that describe a route."""
    return {"operation_id": operation_id, **ROUTES[operation_id]}
