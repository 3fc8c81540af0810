"""How a user without a password logs in on RDS: with IAM's token, made anew for each connection, over TLS alone."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import TypedDict
from urllib.parse import parse_qs, unquote, urlsplit

from tenantgate.aws.rds import database_token, rds_region, signer

_PORT = 5432


class RdsLogin(TypedDict, total=False):
    """Arguments of `asyncpg.connect`, which asks for the password at each connection: a token lives 15 minutes."""

    password: Callable[[], Awaitable[str]]
    ssl: ssl.SSLContext


async def rds_login(url: str) -> RdsLogin:
    """What `asyncpg.connect` needs beside `url` to log in; nothing where the URL says it all.

    A token is good for whoever holds it. So it goes to a server alone whose certificate is the endpoint's, by the
    system's authorities or those in `sslrootcert`, unless the URL states an `sslmode` of its own; the settings refuse
    those without TLS.
    """
    parts = urlsplit(url)
    host, region = parts.hostname, _region(url)
    if host is None or region is None:
        return {}
    user, port, query = unquote(parts.username or ""), parts.port or _PORT, parse_qs(parts.query)
    # Here, so that no connection's time is spent on it.
    await asyncio.to_thread(signer, region)

    async def password() -> str:
        return await asyncio.to_thread(database_token, host, port, user, region=region)

    if "sslmode" in query:
        return {"password": password}
    return {"password": password, "ssl": ssl.create_default_context(cafile=query.get("sslrootcert", [None])[0])}


def prepare_login(url: str) -> None:
    """Build what signing takes, for callers whose deadline isn't meant to cover that. Blocks; connects to nothing."""
    if (region := _region(url)) is not None:
        signer(region)


def _region(url: str) -> str | None:
    """The region whose tokens log in at `url`; None when it has a password, or isn't RDS's."""
    parts = urlsplit(url)
    if parts.username is None or parts.password is not None:
        return None
    return rds_region(parts.hostname)
