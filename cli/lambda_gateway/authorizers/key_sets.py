"""The public keys of the issuers that JWT authorizers trust: discovery document, key set, cache.

https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-jwt-authorizer-keys.html
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

import httpx2

# Seconds for which API Gateway keeps an issuer's keys.
HTTP_LIFETIME, REST_LIFETIME = 7200.0, 3600.0
# Seconds after which an unknown key may cause the next request to the issuer: forged key ids must not cause one each.
_PAUSE = 5.0
# Seconds for which a failed request to the issuer also fails the requests that waited for it.
_FAILURE_PAUSE = 1.0
# Seconds that API Gateway waits for the issuer, as users report; no limit is documented.
_TIMEOUT = 1.5
# Seconds for an issuer on this machine, which may still be starting.
_LOCAL_TIMEOUT = 10.0
_MAX_BYTES = 512 * 1024

type Keys = Mapping[str, Mapping[str, object]]
type Fetch = Callable[[str], Awaitable[object]]


class KeysUnavailable(Exception):
    """The issuer's keys can't be read. The text is the description that API Gateway reports."""


class KeySet:
    """The keys of one issuer by their ids, read on first use.

    fetch     returns the JSON value at a URL; raises OSError or ValueError
    lifetime  seconds for which the keys are used without asking the issuer
    exact     the discovery document must name this issuer
    """

    def __init__(
        self,
        issuer: str,
        *,
        lifetime: float,
        exact: bool,
        fetch: Fetch | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._lifetime = lifetime
        self._exact = exact
        self._fetch = fetch or fetch_json
        self._clock = clock
        self._keys: Keys = {}
        self._read_at: float | None = None
        self._failure: tuple[float, KeysUnavailable] | None = None
        self._lock = asyncio.Lock()

    async def key(self, key_id: str) -> Mapping[str, object] | None:
        """Return the key as a JSON Web Key, None if the issuer doesn't publish it. Raises KeysUnavailable."""
        if self._is_current(key_id):
            return self._keys.get(key_id)
        async with self._lock:
            # Another request may have read the keys in the meantime.
            if not self._is_current(key_id):
                await self._refresh()
            return self._keys.get(key_id)

    def _is_current(self, key_id: str) -> bool:
        if self._read_at is None:
            return False
        age = self._clock() - self._read_at
        return age < (self._lifetime if key_id in self._keys else _PAUSE)

    async def _refresh(self) -> None:
        if self._failure is not None and self._clock() - self._failure[0] < _FAILURE_PAUSE:
            raise self._failure[1]
        try:
            self._keys = await self._read()
        except KeysUnavailable as failure:
            self._failure = self._clock(), failure
            raise
        self._read_at = self._clock()
        self._failure = None

    async def _read(self) -> Keys:
        problem = "OIDC discovery endpoint communication error"
        try:
            document = await self._fetch(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
            if not isinstance(document, dict) or not isinstance(document.get("jwks_uri"), str):
                raise KeysUnavailable(problem)
            if self._exact and document.get("issuer") != self._issuer:
                raise KeysUnavailable("the discovery document names another issuer")
            problem = "JWKS communication error"
            given = await self._fetch(document["jwks_uri"])
        except (OSError, ValueError, RecursionError) as error:
            raise KeysUnavailable(problem) from error
        keys = given.get("keys") if isinstance(given, dict) else None
        if not isinstance(keys, list):
            raise KeysUnavailable(problem)
        return {key["kid"]: key for key in keys if isinstance(key, dict) and isinstance(key.get("kid"), str)}


async def fetch_json(url: str) -> object:
    """Return the JSON value at the URL. Raises OSError or ValueError. Redirects aren't followed."""
    parts = urlsplit(url)
    is_local = is_loopback(parts.hostname)
    if parts.scheme != "https" and not is_local:
        raise ValueError("an issuer needs https")
    limit = _LOCAL_TIMEOUT if is_local else _TIMEOUT
    try:
        async with (
            asyncio.timeout(limit),
            # A proxy can't reach this machine's own addresses.
            httpx2.AsyncClient(timeout=limit, trust_env=not is_local) as client,
            client.stream("GET", url, headers={"accept": "application/json"}) as response,
        ):
            if response.status_code != 200:
                raise ValueError(f"status {response.status_code}")
            body = b""
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _MAX_BYTES:
                    raise ValueError("the response is too long")
    except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
        raise OSError(str(error)) from error
    return json.loads(body)


def is_loopback(host: str | None) -> bool:
    """Return True for a name or an address of this machine."""
    if host is None:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
