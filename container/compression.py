"""Compresses large public documents, and nothing else.

The size of a compressed response tells how much its parts have in common. If a body contains a secret and text of an
attacker, the sizes of many responses reveal the secret byte by byte (BREACH, CVE-2013-3587). So compress only the paths
below, whose body is the same for every caller and request: no page, no token, no error.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from hashlib import blake2b

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from container.codings import Coding, chosen_coding, compressed

PUBLIC_DOCUMENTS = frozenset(
    {
        "/docs",
        "/docs/openapi.json",
        "/docs/assets/docs.css",
        "/docs/assets/start.js",
        "/docs/assets/swagger-ui-bundle.js",
        "/docs/assets/swagger-ui.css",
        "/docs/assets/theme.js",
        "/idp/.well-known/openid-configuration",
        "/idp/jwks",
    }
)
# A smaller body fits in one packet anyway.
LEAST_BYTES = 1024
_KEPT = 32
_VARY = (b"vary", b"Accept-Encoding")


class Compression:
    """Serves `app`, with the responses at `PUBLIC_DOCUMENTS` compressed for clients that accept it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        # By coding and digest. The documents change only with the process, or with a key.
        self._made: OrderedDict[tuple[Coding, bytes], bytes] = OrderedDict()
        self._lock = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in PUBLIC_DOCUMENTS:
            await self._app(scope, receive, send)
            return
        lines = [value.decode("latin-1") for name, value in scope["headers"] if name == b"accept-encoding"]
        start: Message | None = None

        async def send_coded(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                # Its headers depend on the body, which follows.
                start = message
                return
            if start is not None:
                held, start = start, None
                if _is_document(held, message):
                    held["headers"] = [*held["headers"], _VARY]
                    message = await self._coded(held, message, chosen_coding(lines))
                await send(held)
            await send(message)

        await self._app(scope, receive, send_coded)

    async def _coded(self, start: Message, message: Message, coding: Coding | None) -> Message:
        """Return the body, compressed if that makes it smaller; the headers of `start` say so."""
        body: bytes = message["body"]
        if coding is None or len(shorter := await self._compress(body, coding)) >= len(body):
            return message
        others = [item for item in start["headers"] if item[0].lower() != b"content-length"]
        length = (b"content-length", str(len(shorter)).encode())
        start["headers"] = [*others, (b"content-encoding", coding.encode()), length]
        return {**message, "body": shorter}

    async def _compress(self, body: bytes, coding: Coding) -> bytes:
        key = coding, blake2b(body, digest_size=32).digest()
        if (made := self._made.get(key)) is not None:
            self._made.move_to_end(key)
            return made
        # One at a time, and not on the event loop: the largest document takes tens of milliseconds.
        async with self._lock:
            if key not in self._made:
                self._made[key] = await asyncio.to_thread(compressed, body, coding)
                if len(self._made) > _KEPT:
                    self._made.popitem(last=False)
            return self._made[key]


def _is_document(start: Message, message: Message) -> bool:
    """Tell whether this is a whole 200 of some size that no other coding or rule concerns."""
    if start["status"] != 200 or message.get("more_body") or len(message.get("body", b"")) < LEAST_BYTES:
        return False
    headers = {bytes(name).lower(): bytes(value).lower() for name, value in start["headers"]}
    return not headers.keys() & {b"content-encoding", b"content-range", b"set-cookie"} and (
        b"no-transform" not in headers.get(b"cache-control", b"")
    )
