"""`tenantgate connect`: talk to a WebSocket API."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.http11 import Response
from websockets.typing import Subprotocol

from tenantgate_cli.console import Failure, printable, say
from tenantgate_cli.stack.data_folder import DataFolder
from tenantgate_cli.stack.ports import LOOPBACK_NAMES

_NORMAL = (1000, 1001)
_REMEDIES = {
    401: "send a valid token: tenantgate explain --token-file FILE says what is wrong with one",
    403: "the route rules deny $connect, or the path isn't the API's stage: the request's line of make dev says which",
}
# Other characters could end the command that the user pastes.
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}=?")
_OTHER_REMEDY = "the request's line of make dev names the function that failed"


def run(
    url: str,
    messages: Sequence[str],
    *,
    token_file: Path | None,
    user: str | None,
    data_dir: Path,
    as_browser: bool,
    wait: float,
) -> None:
    """Send the messages, or otherwise the lines of standard input, and print what comes back.

    Ends after `wait` seconds without a message, once everything is sent. Raises Failure if the API rejects or breaks
    the connection.
    """
    token = _token(url, token_file, user, data_dir)
    asyncio.run(_talk(url, messages, token, data_dir, as_browser=as_browser, wait=wait))


def _token(url: str, file: Path | None, user: str | None, data_dir: Path) -> str:
    if file is not None:
        try:
            return file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Failure(f"{file} can't be read: {error}", "tenantgate token > FILE") from None
    if not is_loopback(url):
        raise Failure(
            f"{urlsplit(url).hostname} isn't this machine: the demo user's token is only for a stack on this machine",
            "name a file with a token: --token-file FILE",
        )
    # The database's drivers take long to import, and a token from a file needs none of them.
    from tenantgate_cli.stack.minting import mint  # noqa: PLC0415
    from tenantgate_cli.stack.token_request import Wanted  # noqa: PLC0415

    return mint(DataFolder(data_dir), Wanted(user=user)).access_token


def is_loopback(url: str) -> bool:
    """Return True if the URL's host is this machine."""
    return urlsplit(url).hostname in (*LOOPBACK_NAMES, "::1")


async def _talk(
    url: str, messages: Sequence[str], token: str, data_dir: Path, *, as_browser: bool, wait: float
) -> None:
    # A browser can't set Authorization on a WebSocket.
    headers = None if as_browser else {"Authorization": f"Bearer {token}"}
    protocols = [Subprotocol("bearer"), Subprotocol(token)] if as_browser else None
    try:
        connection = await connect(
            url,
            additional_headers=headers,
            subprotocols=protocols,
            proxy=None if is_loopback(url) else True,
            max_size=None,
        )
    except InvalidStatus as error:
        status = error.response.status_code
        remedy = _explained(error.response, url, data_dir) or _REMEDIES.get(status, _OTHER_REMEDY)
        raise Failure(f"{url} rejected the connection: {status}", remedy) from None
    except (InvalidURI, InvalidHandshake, OSError, TimeoutError, ValueError) as error:
        raise Failure(f"can't connect to {url}: {printable(str(error))}", "copy the URL from the ready lines") from None
    say(f"connected to {url}; Ctrl-D ends" if not messages and sys.stdin.isatty() else f"connected to {url}", "dim")
    async with connection:
        await _exchange(connection, messages, wait)


def _explained(response: Response, url: str, data_dir: Path) -> str:
    """Return the command that explains a denial by the local stack; an empty text for any other response."""
    try:
        found: object = json.loads(response.body or b"null")
    except ValueError:
        return ""
    request_id = found.get("requestId") if isinstance(found, dict) else None
    if response.status_code not in (401, 403) or not is_loopback(url) or not isinstance(request_id, str):
        return ""
    if _REQUEST_ID.fullmatch(request_id) is None:
        return ""
    return f"tenantgate explain --request {request_id}{DataFolder(data_dir).option()}"


async def _exchange(connection: ClientConnection, messages: Sequence[str], wait: float) -> None:
    outgoing: asyncio.Queue[str | None] = asyncio.Queue()
    if messages:
        for message in (*messages, None):
            outgoing.put_nowait(message)
    else:
        loop = asyncio.get_running_loop()
        # A daemon: a read of the terminal can't be interrupted.
        threading.Thread(target=_read_lines, args=(loop, outgoing), daemon=True).start()
    sending = asyncio.create_task(_send(connection, outgoing))
    receiving = asyncio.create_task(connection.recv())
    try:
        while True:
            # Before everything is sent, there is no time limit.
            limit, waiting = (wait, {receiving}) if sending.done() else (None, {receiving, sending})
            await asyncio.wait(waiting, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if receiving.done():
                text = receiving.result()
                say(printable(text if isinstance(text, str) else f"(binary) {text.hex()}"))
                receiving = asyncio.create_task(connection.recv())
            elif limit is not None:
                return
    except ConnectionClosed as closed:
        code, reason = (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")
        text = f"closed by the API: {code} {printable(reason)}".rstrip()
        if code not in _NORMAL:
            raise Failure(text, _close_remedy(code)) from None
        say(text, "dim")
    finally:
        sending.cancel()
        receiving.cancel()


def _close_remedy(code: int) -> str:
    return {
        1003: "send text: API Gateway accepts no binary messages",
        1009: "a message may have 128 KB, and each of its frames 32 KB",
    }.get(code, "")


async def _send(connection: ClientConnection, outgoing: asyncio.Queue[str | None]) -> None:
    # The end of the connection is reported where messages are received.
    with suppress(ConnectionClosed):
        while (text := await outgoing.get()) is not None:
            await connection.send(text)


def _read_lines(loop: asyncio.AbstractEventLoop, outgoing: asyncio.Queue[str | None]) -> None:
    # The loop is closed if the connection ended first.
    with suppress(RuntimeError):
        for line in sys.stdin:
            loop.call_soon_threadsafe(outgoing.put_nowait, line.rstrip("\r\n"))
        loop.call_soon_threadsafe(outgoing.put_nowait, None)
