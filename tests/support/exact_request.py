"""A request as it is written here, byte for byte: HTTP clients repair paths and headers before they send them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit


class RawResponse(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str


async def send_raw(
    url: str, target: str, headers: Sequence[tuple[str, str]] = (), *, host: str | None = "api.test"
) -> RawResponse:
    """`GET target` with these headers. `host` None: without the header."""
    server = urlsplit(url)
    reader, writer = await asyncio.open_connection(server.hostname, server.port)
    lines = [f"GET {target} HTTP/1.1", *([] if host is None else [f"Host: {host}"]), "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers]
    writer.write("".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1"))
    try:
        async with asyncio.timeout(30):
            received = await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()
    head, _, body = received.decode("latin-1").partition("\r\n\r\n")
    first, *fields = head.split("\r\n")
    named = (field.partition(":") for field in fields)
    return RawResponse(int(first.split()[1]), {name.lower(): value.strip() for name, _, value in named}, body)
