"""Requests to a deployment or a provider, with one time limit from the connection to the last byte.

Redirects are never followed: another host must not get a token, nor respond instead of the chosen one.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import httpx2

from tenantgate.urls import parse_http_url
from tenantgate_cli.stack.ports import LOOPBACK_NAMES

# A response of an API or a provider is far smaller; anything larger comes from something else.
_LARGEST_BODY = 262_144
LONGEST_URL = 2048


class NoResponse(Exception):
    """The request got no complete response. The text is the reason, `fix` the remedy."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Response:
    """`headers` have names in lower case; `body` is the parsed JSON, or None if it isn't JSON."""

    status: int
    headers: Mapping[str, str]
    body: object

    @property
    def code(self) -> str:
        """The error code of our own error shape, otherwise an empty text."""
        error = member(self.body, "error")
        code = member(error, "code")
        return code if isinstance(code, str) else ""

    def shown(self) -> str:
        """Return the status with the error code, or the place that a redirect names."""
        if 300 <= self.status < 400:
            return f"{self.status}, a redirect to {self.headers.get('location', 'nowhere')} (not followed)"
        return f"{self.status} {self.code}".rstrip()


def member(value: object, name: str) -> object:
    """Return a member of a JSON object; None if it has none, or is another kind of value."""
    return value.get(name) if isinstance(value, dict) else None


def is_loopback(url: str) -> bool:
    """Return True if the URL's host is this machine."""
    parsed = parse_http_url(url, longest=LONGEST_URL)
    return parsed is not None and parsed.host in LOOPBACK_NAMES


def send(method: str, url: str, *, headers: Mapping[str, str], seconds: float, json_body: object = None) -> Response:
    """Send one request, with the proxy of this shell's variables except on this machine. Raises NoResponse."""
    return asyncio.run(_send(method, url, headers, seconds, json_body))


async def _send(method: str, url: str, headers: Mapping[str, str], seconds: float, json_body: object) -> Response:
    given = {"Accept": "application/json", "User-Agent": "tenantgate", **headers}
    try:
        # One limit for everything: those of the client start again with each byte.
        async with (
            asyncio.timeout(seconds),
            httpx2.AsyncClient(
                follow_redirects=False, timeout=None, trust_env=not is_loopback(url), verify=_certificates()
            ) as client,
            client.stream(method, url, headers=given, json=json_body) as response,
        ):
            body = b""
            async for part in response.aiter_bytes():
                body += part
                if len(body) > _LARGEST_BODY:
                    raise NoResponse(
                        f"the response is longer than {_LARGEST_BODY} bytes", "check that the URL is that of the API"
                    )
            names = {name.lower(): value for name, value in response.headers.items()}
            return Response(response.status_code, names, _json(body))
    except TimeoutError:
        fix = "read the log of the other side, or allow more time with --timeout: a first cold start may take long"
        raise NoResponse(f"no complete response within {seconds:g} s", fix) from None
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        certificate = "certificate" in str(error).lower()
        fix = "fix the server's certificate" if certificate else "check the URL, its DNS name and the network here"
        raise NoResponse(str(error) or type(error).__name__, fix) from None


@cache
def _certificates() -> ssl.SSLContext:
    # Loading the authorities takes longer than most requests.
    return ssl.create_default_context()


def _json(body: bytes) -> object:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None
