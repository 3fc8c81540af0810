"""Calls to the provider's token and userinfo endpoints.

Limits: 3 s to connect, 5 s for each read or write, 8 s and 256 KiB for the whole response. A call beyond them raises
`ProviderTimeout` or `ProviderUnreachable`. Redirects are not followed: they would send the code and the client's secret
to another URL. At most 64 calls run at the same time, so that a silent provider blocks no more requests; further calls
raise `Overloaded`. httpx2 is imported at the first call, since only the callback makes one.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, Protocol
from urllib.parse import quote_plus, urlsplit

from tenantgate.errors.tokens import IdTokenRefused, Overloaded, ProviderTimeout, ProviderUnreachable
from tenantgate.login.attempts.transactions import LoginTransaction
from tenantgate.login.errors import InvalidAuthorizationCode, ProviderRefusedClient
from tenantgate.login.models import ProviderTokens
from tenantgate.login.provider.lookups import HostLookups
from tenantgate.login.provider.metadata import ClientRegistration, ProviderMetadata, printable_error_code
from tenantgate.login.provider.provider_errors import refuses_client, token_endpoint_remedy
from tenantgate.login.provider.provider_text import provider_text
from tenantgate.tokens.waiting import MOST_WAITING

if TYPE_CHECKING:
    import ssl

    import httpx2

logger = logging.getLogger(__name__)

MAX_RESPONSE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Time-outs in seconds. `total` limits the whole exchange, even when data keeps arriving."""

    connect: float = 3.0
    read: float = 5.0
    total: float = 8.0


class ClientSecret(Protocol):
    """The client's secret. Read it for each use, since it may be rotated."""

    async def get(self, name: str) -> str: ...

    def invalidate(self) -> None: ...


class ProviderClient:
    """Calls the provider as the registered client."""

    def __init__(
        self,
        registration: ClientRegistration,
        secrets: ClientSecret,
        *,
        timeouts: Timeouts = Timeouts(),
    ) -> None:
        self._registration = registration
        self._secrets = secrets
        self._timeouts = timeouts
        self._tls: ssl.SSLContext | None = None
        self._calls = 0
        self._lookups = HostLookups()

    async def exchange(self, provider: ProviderMetadata, *, code: str, transaction: LoginTransaction) -> ProviderTokens:
        """Redeem the code (RFC 6749 §4.1.3 with RFC 7636 §4.5 and RFC 8707 §2.2).

        Raises `InvalidAuthorizationCode` when the provider refuses the code, `IdTokenRefused` when it issues no ID
        token, `ProviderRefusedClient` when it refuses the client or its request, `ProviderUnreachable` when its
        response is invalid or reports a temporary failure, `ProviderTimeout` when it is too slow, `Overloaded` when
        too many calls are running.
        """
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": transaction.redirect_uri,
            "code_verifier": transaction.code_verifier,
        }
        if self._registration.resource is not None:
            form["resource"] = self._registration.resource
        secret = renewed = await self._secrets.get("OIDC_CLIENT_SECRET")
        status, body = await self._post_form(provider, form, secret)
        error = _error_code(body)
        if error is not None and refuses_client(status, error):
            # The secret may have been rotated since it was read. The provider has not used the code yet.
            self._secrets.invalidate()
            if (renewed := await self._secrets.get("OIDC_CLIENT_SECRET")) != secret:
                status, body = await self._post_form(provider, form, renewed)
        if status != 200 or (_error_code(body) is not None and "access_token" not in (body or {})):
            # Some providers report errors with status 200.
            _raise_error(status, body, sent=(code, secret, renewed, transaction.code_verifier))
        return _tokens(body)

    async def userinfo(self, provider: ProviderMetadata, *, access_token: str, subject: str) -> Mapping[str, object]:
        """Return the claims of the userinfo endpoint (OpenID Connect Core §5.3).

        `subject` is the verified ID token's `sub`. A response about another subject is refused, as §5.3.2 requires,
        since the access token could have been swapped. A sign-in doesn't need this call: identity comes from verified
        tokens.
        """
        headers = {"Authorization": f"Bearer {access_token}", "Accept": "application/json"}
        with self._counted():
            status, body = await self._send("GET", provider.userinfo_endpoint, headers=headers)
        if status != 200 or body is None:
            raise ProviderUnreachable("the userinfo endpoint's response is invalid", status=status)
        if body.get("sub") != subject:
            raise IdTokenRefused("userinfo is about another subject", expected=subject, actual=body.get("sub"))
        return body

    async def _post_form(
        self, provider: ProviderMetadata, form: Mapping[str, str], secret: str
    ) -> tuple[int, Mapping[str, object] | None]:
        client_id = self._registration.client_id
        headers = {"Accept": "application/json"}
        if provider.client_authentication == "client_secret_basic":
            # Both parts are form-encoded first (RFC 6749 §2.3.1).
            pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        else:
            form = {**form, "client_id": client_id, "client_secret": secret}
        with self._counted():
            return await self._send("POST", provider.token_endpoint, headers=headers, form=form)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        if self._calls >= MOST_WAITING:
            retry_after = math.ceil(self._timeouts.total)
            raise Overloaded("too many requests wait for the provider's endpoints", retry_after=retry_after)
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1

    async def _send(
        self, method: str, url: str, *, headers: Mapping[str, str], form: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, object] | None]:
        """Return the status and the JSON object, or None for any other body."""
        import ssl  # noqa: PLC0415

        import httpx2  # noqa: PLC0415

        # The same roots as for discovery and key sets.
        self._tls = self._tls or ssl.create_default_context()
        limits = httpx2.Timeout(self._timeouts.read, connect=self._timeouts.connect)
        proxy = _proxy(url)
        host = urlsplit(url).hostname if proxy is None else proxy.url.host
        raw = bytearray()
        try:
            async with asyncio.timeout(self._timeouts.total):
                await self._lookups.require(host or "", seconds=self._timeouts.connect)
                # A new connection each time: an idle one may have closed while Lambda froze the process, and a code
                # can't be sent twice.
                async with (
                    httpx2.AsyncClient(
                        verify=self._tls, timeout=limits, follow_redirects=False, trust_env=False, proxy=proxy
                    ) as http,
                    http.stream(
                        method, url, headers=dict(headers), data=dict(form) if form is not None else None
                    ) as response,
                ):
                    async for chunk in response.aiter_bytes():
                        raw += chunk
                        if len(raw) > MAX_RESPONSE_BYTES:
                            raise ProviderUnreachable("the provider's response is too large", limit=MAX_RESPONSE_BYTES)
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise ProviderTimeout("the provider took too long", failure=type(error).__name__) from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise ProviderUnreachable("the provider can't be reached", failure=type(error).__name__) from None
        return response.status_code, _json_object(bytes(raw))


def _proxy(url: str) -> httpx2.Proxy | None:
    """Return the proxy that discovery and key sets use, too; httpx2 would read the variables differently."""
    import httpx2  # noqa: PLC0415

    from tenantgate.tokens.proxy import MalformedProxy, proxy_for  # noqa: PLC0415

    parts = urlsplit(url)
    try:
        proxy = proxy_for(parts.netloc) if parts.scheme == "https" else None
    except MalformedProxy as problem:
        raise ProviderUnreachable("the proxy setting is malformed", variable=problem.variable) from None
    if proxy is None:
        return None
    return httpx2.Proxy(proxy.url, auth=None if proxy.user is None else (proxy.user, proxy.password))


def _json_object(raw: bytes) -> Mapping[str, object] | None:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _error_code(body: Mapping[str, object] | None) -> str | None:
    """Return `error` of RFC 6749 §5.2, if it is printable."""
    return printable_error_code(body.get("error")) if body is not None else None


def _raise_error(status: int, body: Mapping[str, object] | None, *, sent: Iterable[str]) -> NoReturn:
    code = _error_code(body)
    description = provider_text((body or {}).get("error_description"), secrets=sent)
    if code == "invalid_grant":
        raise InvalidAuthorizationCode(
            "the provider refused the code", detail={"provider_error": code}, description=description
        )
    context = {"status": status, "provider_error": code, "description": description}
    logger.error("the token endpoint returned an error", extra={"context": context})
    if code is None:
        raise ProviderUnreachable("the token endpoint's response is invalid", status=status)
    if status >= 500 or status == 429 or code in _TEMPORARY:
        raise ProviderUnreachable(f"the token endpoint returned {code}", detail={"provider_error": code})
    raise ProviderRefusedClient(
        f"the token endpoint returned {code}",
        detail={"provider_error": code, "remedy": token_endpoint_remedy(code)},
        description=description,
    )


# Codes of the authorization endpoint that some providers also return here. They say nothing about the client.
_TEMPORARY = frozenset({"server_error", "temporarily_unavailable"})


def _tokens(body: Mapping[str, object] | None) -> ProviderTokens:
    if body is None:
        raise ProviderUnreachable("the token endpoint's response is not a JSON object")
    access_token, token_type = body.get("access_token"), body.get("token_type")
    if not isinstance(access_token, str) or not access_token:
        raise ProviderUnreachable("the token endpoint's response has no access token")
    if not isinstance(token_type, str) or token_type.lower() != "bearer":
        raise ProviderUnreachable("the access token is not a bearer token", token_type=token_type)
    id_token = body.get("id_token")
    if not isinstance(id_token, str) or not id_token:
        raise IdTokenRefused("the token endpoint issued no ID token")
    refresh_token, expires_in = body.get("refresh_token"), body.get("expires_in")
    return ProviderTokens(
        access_token=access_token,
        id_token=id_token,
        refresh_token=refresh_token if isinstance(refresh_token, str) and refresh_token else None,
        expires_in=expires_in if type(expires_in) is int and expires_in > 0 else None,
    )
