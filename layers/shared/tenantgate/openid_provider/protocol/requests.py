"""What an authorization request must look like before authlib sees it (OpenID Connect Core §3.1.2, RFC 6749 §4.1)."""

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
# RFC 8707 §2 lets `resource` come several times; everything else once (RFC 6749 §3.1).
_REPEATABLE = frozenset({"resource"})
_NOT_SUPPORTED: dict[str, type[OAuth2Error]] = {
    "request": RequestNotSupportedError,
    "request_uri": RequestURINotSupportedError,
    "registration": RegistrationNotSupportedError,
}
_PROMPTS = frozenset({"none", "login", "consent", "select_account"})
# What is remembered while the person types the password; the rest of the request isn't understood and is ignored.
_UNDERSTOOD = (
    "client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "code_challenge", "code_challenge_method",
    "prompt", "max_age", "login_hint", "id_token_hint",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Submitted:
    """Parameters of a query or a form: each first value, and the names that came more than once."""

    values: Parameters
    repeated: frozenset[str] = field(default_factory=frozenset)


class UnsupportedResponseType(OAuth2Error):  # type: ignore[misc]  # authlib's own repeats the caller's text
    error = "unsupported_response_type"


class InvalidTarget(OAuth2Error):  # type: ignore[misc]
    """`resource` names something that tokens are not issued for (RFC 8707 §2)."""

    error = "invalid_target"


def check_client_and_redirect(submitted: Submitted, client: Client) -> str:
    """The redirect URI, once it can be trusted. Until then nothing is sent there (RFC 6749 §4.1.2.1)."""
    for name in ("client_id", "redirect_uri"):
        if name in submitted.repeated or not submitted.values.get(name):
            raise AuthorizationRequestRefused(detail=f"{name} must be given once")
    if submitted.values["client_id"] != client.client_id:
        raise AuthorizationRequestRefused(detail="client_id is not known here")
    if not client.check_redirect_uri(submitted.values["redirect_uri"]):
        raise RedirectNotAllowed(redirect_uri=submitted.values["redirect_uri"][:MAX_PARAMETER_CHARACTERS])
    return submitted.values["redirect_uri"]


def check_request(submitted: Submitted, audiences: Collection[str]) -> None:
    """Raise the OAuth error for what authlib doesn't look at, or would answer with the caller's own text."""
    values = submitted.values
    if any(len(value) > MAX_PARAMETER_CHARACTERS for value in values.values()):
        raise InvalidRequestError("A parameter is too long.")
    if submitted.repeated - _REPEATABLE:
        raise InvalidRequestError("A parameter is given more than once.")
    for name, refusal in _NOT_SUPPORTED.items():
        if name in values:
            raise refusal
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
    """`max_age` in seconds, if it was given."""
    text = values.get("max_age", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise InvalidRequestError("max_age is a number of seconds.")
    return int(text)


def understood(values: Parameters) -> dict[str, str]:
    """The parameters that take part in issuing a code."""
    return {name: values[name] for name in _UNDERSTOOD if name in values}
