"""Reads sessions and revocations from Valkey on one kept connection, without an event loop and without redis-py.

Lambda freezes an environment between two requests, and a network may drop a connection in the meantime: a kept
connection that fails is replaced once, before the caller learns of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tenantgate import time_limits
from tenantgate.cache_url import CacheUrl
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.valkey_reader.connection import Connection, Login, connect, tls_context
from tenantgate.valkey_reader.replies import ErrorReply, InvalidReply, Replies, command

if TYPE_CHECKING:
    import ssl

# A session's entry is far below this.
LONGEST_VALUE = 64 * 1024
CONNECT_SECONDS = time_limits.AUTHORIZER_CACHE_CONNECT
REPLY_SECONDS = time_limits.AUTHORIZER_CACHE_REPLY
# After this, a kept connection is more probably dead than alive, and finding out takes longer than a new one.
_LONGEST_PAUSE_SECONDS = 60.0


class ValkeyReader:
    """A client with one connection, which it keeps. Not for threads: Lambda serves one request at a time.

    `connect_seconds` and `reply_seconds` limit each step, so a call takes at most the sum of both, and `reply_seconds`
    more if a kept connection fails.
    """

    def __init__(
        self,
        url: CacheUrl,
        *,
        login: Callable[[], Login] | None = None,
        connect_seconds: float = CONNECT_SECONDS,
        reply_seconds: float = REPLY_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`login` returns the user and the password for a new connection; by default those of the URL."""
        self._url = url
        self._login = login or (lambda: (url.user, url.password))
        self._connect_seconds = connect_seconds
        self._reply_seconds = reply_seconds
        self._clock = clock
        self._kept: Connection | None = None
        self._tls: ssl.SSLContext | None = None
        self._used_at = 0.0

    def get_many(self, *keys: str, longest: int = LONGEST_VALUE, seconds: float | None = None) -> list[bytes | None]:
        """Return the keys' values in one round trip; None for a key without one.

        Raises `CacheUnavailable`, also for a value of more than `longest` bytes. `seconds` replaces `reply_seconds`.
        """
        sent = command(b"MGET", *(key.encode() for key in keys))
        return self._call(sent, lambda replies: replies.values(len(keys), longest=longest), seconds)

    def set(self, key: str, value: bytes, *, seconds: int) -> None:
        """Set a value that Valkey forgets after `seconds`. Raises `CacheUnavailable`."""
        self._call(command(b"SET", key.encode(), value, b"EX", b"%d" % seconds), Replies.status)

    def run_script(self, script: str, key: str, *args: bytes) -> None:
        """Run a Lua script on one key. It returns OK, and may run twice. Raises `CacheUnavailable`."""
        self._call(command(b"EVAL", script.encode(), b"1", key.encode(), *args), Replies.status)

    def close(self) -> None:
        """Close the kept connection; the next call makes a new one."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _call[Reply](self, sent: bytes, read: Callable[[Replies], Reply], seconds: float | None = None) -> Reply:
        seconds = self._reply_seconds if seconds is None else seconds
        kept = self._usable()
        if kept is not None:
            try:
                return self._exchange(kept, sent, read, seconds)
            except (OSError, InvalidReply, ErrorReply):
                # Commands are safe to repeat: they read, or set a value; a script says so itself.
                self.close()
        try:
            return self._exchange(self._connect(), sent, read, seconds)
        except ErrorReply as refused:
            raise self._unavailable("the server refused a command", refused.word) from None
        except InvalidReply as problem:
            raise self._unavailable("the server's reply is not valid", str(problem)) from None
        except TimeoutError:
            raise self._unavailable("the server responded too slowly", "TimeoutError") from None
        except (OSError, UnicodeError) as failure:
            # UnicodeError: a host name that DNS can't have.
            raise self._unavailable("the server can't be reached", type(failure).__name__) from None

    def _exchange[Reply](
        self, connection: Connection, sent: bytes, read: Callable[[Replies], Reply], seconds: float
    ) -> Reply:
        # Forgotten until the reply is complete: no later call may read what is left of this one.
        self._kept = None
        try:
            reply = connection.exchange(sent, read, seconds=seconds)
        except BaseException:
            connection.close()
            raise
        self._kept, self._used_at = connection, self._clock()
        return reply

    def _usable(self) -> Connection | None:
        """Return the kept connection, unless it is dead as far as this side can tell."""
        kept = self._kept
        if kept is None:
            return None
        if self._clock() - self._used_at <= _LONGEST_PAUSE_SECONDS and kept.is_quiet():
            return kept
        self.close()
        return None

    def _connect(self) -> Connection:
        if self._url.tls and self._tls is None:
            self._tls = tls_context(self._url)
        return connect(self._url, self._login(), seconds=self._connect_seconds, tls=self._tls)

    def _unavailable(self, reason: str, failure: str) -> CacheUnavailable:
        place = f"{self._url.host}:{self._url.port}"
        return CacheUnavailable(reason, server=place, failure=failure)
