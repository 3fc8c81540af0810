"""The token endpoint's responses (RFC 6749 §5.1, §5.2, OpenID Connect Core §3.1.3.3, §12.2)."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import NoReturn

from tenantgate.errors.tokens import IdTokenRefused, ProviderUnreachable
from tenantgate.login.errors import InvalidAuthorizationCode, ProviderRefusedClient, RefreshTokenRefused
from tenantgate.login.models import ProviderTokens, RenewedTokens
from tenantgate.login.provider.calls import Reply
from tenantgate.login.provider.metadata import printable_error_code
from tenantgate.login.provider.provider_errors import token_endpoint_remedy
from tenantgate.login.provider.provider_text import provider_text

logger = logging.getLogger(__name__)

# Codes of the authorization endpoint that some providers also return here. They say nothing about the client.
_TEMPORARY = frozenset({"server_error", "temporarily_unavailable"})


def error_code(reply: Reply) -> str | None:
    """Return `error` of RFC 6749 §5.2, if it is printable."""
    return printable_error_code(reply.body.get("error")) if reply.body is not None else None


def require_success(
    reply: Reply, *, sent: Iterable[str], refused: type[InvalidAuthorizationCode | RefreshTokenRefused]
) -> None:
    """Raise the error that the endpoint returned. `refused`: for `invalid_grant`. `sent`: secrets of the request.

    Also raises `ProviderRefusedClient`, and `ProviderUnreachable` for a temporary failure or an invalid response.
    """
    code = error_code(reply)
    # Some providers report errors with status 200.
    if reply.status == 200 and (code is None or "access_token" in (reply.body or {})):
        return
    description = provider_text((reply.body or {}).get("error_description"), secrets=sent)
    if code == "invalid_grant":
        raise refused("the provider refused the grant", detail={"provider_error": code}, description=description)
    raise_client_error(reply, description=description, endpoint="token endpoint")


def raise_client_error(reply: Reply, *, description: str | None, endpoint: str) -> NoReturn:
    """Raise `ProviderRefusedClient`, or `ProviderUnreachable` for a temporary failure or an invalid response."""
    code = error_code(reply)
    context = {"status": reply.status, "provider_error": code, "description": description}
    logger.error("the %s returned an error", endpoint, extra={"context": context})
    if code is None:
        raise ProviderUnreachable(f"the {endpoint}'s response is invalid", status=reply.status)
    if reply.status >= 500 or reply.status == 429 or code in _TEMPORARY:
        raise ProviderUnreachable(f"the {endpoint} returned {code}", detail={"provider_error": code})
    raise ProviderRefusedClient(
        f"the {endpoint} returned {code}",
        detail={"provider_error": code, "remedy": token_endpoint_remedy(code)},
        description=description,
    )


def signed_in_tokens(reply: Reply) -> ProviderTokens:
    """Return the tokens of a redeemed code. Raises `ProviderUnreachable`, and `IdTokenRefused` without an ID token."""
    tokens = renewed_tokens(reply)
    if tokens.id_token is None:
        raise IdTokenRefused("the token endpoint issued no ID token")
    return ProviderTokens(tokens.access_token, tokens.id_token, tokens.refresh_token, tokens.expires_in)


def renewed_tokens(reply: Reply) -> RenewedTokens:
    """Return the tokens of a redeemed refresh token. Raises `ProviderUnreachable`."""
    body = reply.body
    if body is None:
        raise ProviderUnreachable("the token endpoint's response is not a JSON object")
    access_token, token_type = body.get("access_token"), body.get("token_type")
    if not isinstance(access_token, str) or not access_token:
        raise ProviderUnreachable("the token endpoint's response has no access token")
    if not isinstance(token_type, str) or token_type.lower() != "bearer":
        raise ProviderUnreachable("the access token is not a bearer token", token_type=token_type)
    expires_in = body.get("expires_in")
    return RenewedTokens(
        access_token=access_token,
        id_token=_text(body.get("id_token")),
        refresh_token=_text(body.get("refresh_token")),
        expires_in=expires_in if type(expires_in) is int and expires_in > 0 else None,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
