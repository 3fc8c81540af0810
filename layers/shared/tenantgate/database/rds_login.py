"""Logins on RDS without a password: with an IAM token, a new one for each connection, and only over TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import TypedDict
from urllib.parse import unquote, urlsplit

from tenantgate.aws.rds import database_token, rds_region, signer
from tenantgate.database.tls import verified_tls

_PORT = 5432


class RdsLogin(TypedDict, total=False):
    """Arguments of `asyncpg.connect`, which calls `password` for each connection: a token is valid for 15 minutes."""

    password: Callable[[], Awaitable[str]]
    ssl: ssl.SSLContext


async def rds_login(url: str) -> RdsLogin:
    """Return the further arguments of `asyncpg.connect` to log in at `url` and to verify the server; maybe none.

    Anyone who holds a token can log in with it. So if the URL has no `sslmode`, it is sent only to a server with the
    endpoint's certificate; the settings reject modes without TLS.
    """
    parts = urlsplit(url)
    host, region = parts.hostname, _region(url)
    if host is None or region is None:
        return _with_tls({}, url)
    user, port = unquote(parts.username or ""), parts.port or _PORT
    # Here, so that it doesn't count towards the connection's time limit.
    await asyncio.to_thread(signer, region)

    async def password() -> str:
        return await asyncio.to_thread(database_token, host, port, user, region=region)

    return _with_tls({"password": password}, url, default="verify-full")


def _with_tls(login: RdsLogin, url: str, *, default: str = "") -> RdsLogin:
    context = verified_tls(url, default=default)
    return login if context is None else {**login, "ssl": context}


def prepare_login(url: str) -> None:
    """Load the code and certificates that logins need, outside a caller's deadline. Blocks; makes no connection."""
    region = _region(url)
    verified_tls(url, default="" if region is None else "verify-full")
    if region is not None:
        signer(region)


def _region(url: str) -> str | None:
    """Return the region of an RDS URL without a password; None for any other URL."""
    parts = urlsplit(url)
    if parts.username is None or parts.password is not None:
        return None
    return rds_region(parts.hostname)
