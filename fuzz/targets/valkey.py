"""The authorizer's reader of Valkey: any reply is two values or ends the connection, and any value can be judged."""

from __future__ import annotations

import json

from fuzz.judge import Finding
from fuzz.targets import Target, Try
from fuzz.world import NOW
from tenantgate.identity.session_entry import SessionEntry, live_entry
from tenantgate.valkey_reader.replies import ErrorReply, InvalidReply, Replies

_LONGEST = 2048
ENTRY = SessionEntry(
    session_id="0192f5a8-0000-7d3a-9b52-3f6f0c1d2e4b",
    tenant_id="org-0192f5a8-7c1e-7d3a-9b52-3f6f0c1d2e4b",
    user_id="user-1",
    issuer="https://issuer.example.test/",
    csrf_token="t" * 43,
    scopes=("orders:read",),
    roles=(),
    amr=("pwd",),
    acr=None,
    auth_time=NOW - 60,
    provider_auth_time=None,
    expires_at=NOW + 3600,
    idle_seconds=1800,
    last_used_at=NOW - 30,
    fresh_until=NOW + 300,
    version=1,
)


class _Ended(Exception):
    """The server closed the connection."""


def _prepare() -> Try:
    def try_bytes(data: bytes) -> None:
        if not data:
            return
        # The network cuts the reply anywhere.
        size, at = data[0] or 1, 1

        def receive(most: int) -> bytes:
            nonlocal at
            received = data[at : at + min(size, most)]
            at += len(received)
            if not received:
                raise _Ended
            return received

        replies = Replies(receive)
        try:
            values = replies.values(2, longest=_LONGEST)
            replies.end()
        except (_Ended, InvalidReply) as problem:
            if str(problem) and not str(problem).isascii():
                raise Finding("a part of the reply in an error") from problem
            return
        except ErrorReply as refused:
            if len(refused.word) > 32 or not refused.word.isalpha():
                raise Finding("a part of the reply in an error") from refused
            return
        _check(values, data[1:])

    return try_bytes


def _check(values: list[bytes | None], sent: bytes) -> None:
    written = b"*2\r\n" + b"".join(_written(value) for value in values)
    if len(values) != 2 or any(value is not None and len(value) > _LONGEST for value in values):
        raise Finding("other values than two")
    if len(written) > len(sent):
        raise Finding("values that the server didn't send")
    entry = live_entry(values[0], values[1], now=NOW)
    if entry is not None:
        # The response contains this. Surrogates, which JSON can express, are the writer's fault.
        json.dumps(entry.principal().to_context(), allow_nan=False)


def _written(value: bytes | None) -> bytes:
    return b"$-1\r\n" if value is None else b"$%d\r\n%b\r\n" % (len(value), value)


def _seeds() -> list[bytes]:
    entry = _written(ENTRY.to_json())
    used = _written(b"%d" % (NOW - 10))
    replies = [
        b"*2\r\n" + entry + used,
        b"*2\r\n" + entry + b"$-1\r\n",
        b"*2\r\n$-1\r\n$-1\r\n",
        b"*2\r\n$5\r\nended\r\n$-1\r\n",
        b"-NOAUTH Authentication required.\r\n",
        b"*2\r\n-ERR a\r\n$-1\r\n",
        b"+OK\r\n",
        b"*1\r\n$-1\r\n",
    ]
    return [bytes([size]) + reply for size in (1, 7, 255) for reply in replies]


_WORDS = (
    "*2\r\n",
    "$-1\r\n",
    "\r\n",
    "$0\r\n",
    "-ERR ",
    "+OK\r\n",
    "$5\r\nended\r\n",
    "null",
    '"version":',
    "1e400",
    "[]",
)
TARGET = Target("valkey", _prepare, _seeds, _WORDS)
