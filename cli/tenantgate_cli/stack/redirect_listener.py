"""Receive one redirect from a provider on a loopback port (RFC 8252 §7.3), for a command that signs in.

Every page in the user's browser can send requests to this port. So only a request with the attempt's state counts, and
only one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from lambda_gateway.asgi import Receive, Scope, Send
from tenantgate.crypto.comparison import same_text
from tenantgate_cli.stack.http_servers import HttpServers
from tenantgate_cli.stack.ports import BoundPort

type Complete[T] = Callable[[Mapping[str, str]], T]

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Tenantgate</title>
<link rel="icon" href="data:,">
</head>
<body>
<main>
<h1>{title}</h1>
<p>{text}</p>
</main>
</body>
</html>
"""
_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; img-src data:; frame-ancestors 'none'; base-uri 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class _Shown:
    status: int
    title: str
    text: str


_SIGNED_IN = _Shown(200, "You are signed in", "The terminal has the token. You can close this page.")
_FAILED = _Shown(400, "The sign-in failed", "The terminal shows why. You can close this page.")
_USED = _Shown(409, "This sign-in has ended", "Each redirect can be used once. Start the command again.")
_FOREIGN = _Shown(400, "This is another sign-in", "The command in the terminal still waits for the one that it began.")
_NOT_FOUND = _Shown(404, "There is nothing here", "The command in the terminal waits for its sign-in.")


class RedirectListener[T]:
    """An ASGI application that passes the parameters of one redirect to `complete`."""

    def __init__(self, redirect_uri: str, state: str, complete: Complete[T]) -> None:
        """Wait for a request to `redirect_uri` with `state`. `complete` runs in a thread and may raise Failure."""
        parts = urlsplit(redirect_uri)
        self._host = parts.netloc
        self._path = parts.path
        self._state = state
        self._complete = complete
        self._is_used = False
        self.result: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError("the listener supports only HTTP")
        headers: dict[bytes, bytes] = dict(scope["headers"])
        returned = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        # Another host's name would be that of a page which had its name resolved to this machine.
        is_ours = headers.get(b"host", b"").decode("latin-1") == self._host and scope["path"] == self._path
        if not is_ours or scope["method"] != "GET":
            await _show(send, _NOT_FOUND)
        elif not self._is_expected(returned):
            await _show(send, _FOREIGN)
        elif self._is_used:
            await _show(send, _USED)
        else:
            self._is_used = True
            await self._finish(dict(returned), send)

    def _is_expected(self, returned: list[tuple[str, str]]) -> bool:
        names = [name for name, _ in returned]
        # RFC 6749 §3.1: no parameter comes twice.
        return len(names) == len(set(names)) and same_text(dict(returned).get("state", ""), self._state)

    async def _finish(self, returned: dict[str, str], send: Send) -> None:
        completed = asyncio.ensure_future(asyncio.to_thread(self._complete, returned))
        await asyncio.wait([completed])
        failure = completed.exception()
        try:
            await _show(send, _SIGNED_IN if failure is None else _FAILED)
        finally:
            # The time may have run out meanwhile, which cancels the result.
            if self.result.cancelled():
                pass
            elif failure is None:
                self.result.set_result(completed.result())
            else:
                self.result.set_exception(failure)


async def _show(send: Send, shown: _Shown) -> None:
    body = _PAGE.format(title=shown.title, text=shown.text).encode()
    headers = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": shown.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def receive_redirect[T](
    bound: BoundPort,
    redirect_uri: str,
    state: str,
    complete: Complete[T],
    *,
    started: Callable[[], None],
    seconds: float,
) -> T:
    """Listen on the port until `complete` has the redirect's parameters, and return its result.

    `started` is called when the listener accepts requests. Raises TimeoutError after `seconds`, and the Failure that
    `complete` raises.
    """
    listener = RedirectListener(redirect_uri, state, complete)
    servers = HttpServers()
    try:
        await servers.start(listener, bound)
        await asyncio.to_thread(started)
        async with asyncio.timeout(seconds):
            return await listener.result
    finally:
        servers.stop()
        await servers.wait_stopped()
