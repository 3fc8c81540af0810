"""Checks of a request before authlib reads it (OpenID Connect Core §3.1.2, RFC 6749 §4.1)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oidc.core.errors import (
    RegistrationNotSupportedError,
    RequestNotSupportedError,
    RequestURINotSupportedError,
)

from tenantgate.errors.access import RedirectNotAllowed
from tenantgate.openid_provider.errors import AuthorizationRequestRefused
from tenantgate.openid_provider.models import Client, Parameters

MAX_PARAMETER_CHARACTERS = 2048
# `resource` may be repeated (RFC 8707 §2), every other parameter must not be (RFC 6749 §3.1).
_REPEATABLE = frozenset({"resource"})
_NOT_SUPPORTED: dict[str, type[OAuth2Error]] = {
    "request": RequestNotSupportedError,
    "request_uri": RequestURINotSupportedError,
    "registration": RegistrationNotSupportedError,
}
_PROMPTS = frozenset({"none", "login", "consent", "select_account"})
# The parameters that the sign-in form carries. Unknown ones are ignored.
_UNDERSTOOD = (
    "client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "code_challenge", "code_challenge_method",
    "prompt", "max_age", "login_hint", "id_token_hint",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Submitted:
    """Parameters of a query or a form: the first value of each, and the names given more than once."""

    values: Parameters
    repeated: frozenset[str] = field(default_factory=frozenset)

    def is_repeated_or_too_long(self) -> bool:
        """Return True if any parameter is given more than once or is too long."""
        return bool(self.repeated) or self.is_too_long()

    def is_too_long(self) -> bool:
        """Return True if any parameter is too long."""
        return any(len(value) > MAX_PARAMETER_CHARACTERS for value in self.values.values())


class UnsupportedResponseType(OAuth2Error):  # type: ignore[misc]  # authlib's own repeats the parameter's text
    error = "unsupported_response_type"


class InvalidTarget(OAuth2Error):  # type: ignore[misc]
    """Refuses a `resource` that no tokens are issued for (RFC 8707 §2)."""

    error = "invalid_target"


def check_client_and_redirect(submitted: Submitted, client: Client) -> str:
    """Return the redirect URI if it can be trusted; an error is never sent to another one (RFC 6749 §4.1.2.1).

    Raises `AuthorizationRequestRefused` or `RedirectNotAllowed`.
    """
    for name in ("client_id", "redirect_uri"):
        if name in submitted.repeated or not submitted.values.get(name):
            raise AuthorizationRequestRefused(detail=f"{name} must be given once")
    if submitted.values["client_id"] != client.client_id:
        raise AuthorizationRequestRefused(detail="client_id is not known here")
    if not client.check_redirect_uri(submitted.values["redirect_uri"]):
        raise RedirectNotAllowed(redirect_uri=submitted.values["redirect_uri"][:MAX_PARAMETER_CHARACTERS])
    return submitted.values["redirect_uri"]


def check_request(submitted: Submitted, audiences: Collection[str]) -> None:
    """Raise the OAuth error for faults that authlib ignores or describes in the request's own text."""
    values = submitted.values
    if submitted.is_too_long():
        raise InvalidRequestError("A parameter is too long.")
    if submitted.repeated - _REPEATABLE:
        raise InvalidRequestError("A parameter is given more than once.")
    for name, error in _NOT_SUPPORTED.items():
        if name in values:
            raise error
    if not values.get("response_type"):
        raise InvalidRequestError("response_type is required.")
    if values["response_type"] != "code":
        raise UnsupportedResponseType("response_type must be code.")
    if values.get("response_mode", "query") != "query":
        raise InvalidRequestError("response_mode must be query.")
    if values.get("resource") and ("resource" in submitted.repeated or values["resource"] not in audiences):
        raise InvalidTarget("resource is not known here.")
    prompts = values.get("prompt", "").split()
    if not _PROMPTS.issuperset(prompts) or ("none" in prompts and len(prompts) > 1):
        raise InvalidRequestError("prompt is not understood.")
    max_age(values)


def max_age(values: Parameters) -> int | None:
    """Return `max_age` in seconds; None if it is absent. Raises `InvalidRequestError`."""
    text = values.get("max_age", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise InvalidRequestError("max_age is a number of seconds.")
    return int(text)


def understood(values: Parameters) -> dict[str, str]:
    """Return the parameters that count when a code is issued."""
    return {name: values[name] for name in _UNDERSTOOD if name in values}
