"""How a user without a password logs in on RDS: with an IAM token, a new one for each connection, and only over TLS."""

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
    """Arguments of `asyncpg.connect`, which asks for the password at each connection: a token lives 15 minutes."""

    password: Callable[[], Awaitable[str]]
    ssl: ssl.SSLContext


async def rds_login(url: str) -> RdsLogin:
    """What `asyncpg.connect` needs beside `url` to log in and to verify the server; nothing where the URL says it all.

    A token is good for anyone who holds it. So without an `sslmode` in the URL, it goes only to a server whose
    certificate is the endpoint's; the settings refuse modes without TLS.
    """
    parts = urlsplit(url)
    host, region = parts.hostname, _region(url)
    if host is None or region is None:
        return _with_tls({}, url)
    user, port = unquote(parts.username or ""), parts.port or _PORT
    # Here, so that no connection's time is spent on it.
    await asyncio.to_thread(signer, region)

    async def password() -> str:
        return await asyncio.to_thread(database_token, host, port, user, region=region)

    return _with_tls({"password": password}, url, default="verify-full")


def _with_tls(login: RdsLogin, url: str, *, default: str = "") -> RdsLogin:
    context = verified_tls(url, default=default)
    return login if context is None else {**login, "ssl": context}


def prepare_login(url: str) -> None:
    """Build what signing and verifying take, for callers whose deadline isn't meant to cover that. Blocks; connects to
    nothing."""
    region = _region(url)
    verified_tls(url, default="" if region is None else "verify-full")
    if region is not None:
        signer(region)


def _region(url: str) -> str | None:
    """The region whose tokens log in at `url`; None when it has a password, or isn't RDS's."""
    parts = urlsplit(url)
    if parts.username is None or parts.password is not None:
        return None
    return rds_region(parts.hostname)
