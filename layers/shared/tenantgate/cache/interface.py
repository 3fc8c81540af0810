"""The domains' view of the cache. Independent of the library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class ScriptCall(NamedTuple):
    """The keys and arguments of one run of a script. In a cluster, all keys of a call have the same hash tag."""

    keys: Sequence[str]
    args: Sequence[str | bytes | int]


class Cache(Protocol):
    """Belongs to one event loop; `dispose()` it before that loop ends.

    Every method raises `CacheUnavailable` if the cache can't be reached, doesn't respond within the time limits of
    `client.py`, or refuses the command. A write that raised may have been executed. Values are bytes.
    """

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the value of each key, None for a missing one. In a cluster, all keys have the same hash tag."""
        ...

    async def set(self, key: str, value: bytes, *, seconds: int) -> None:
        """Set a key for `seconds`, which is 1 or more."""
        ...

    async def run_script(self, script: str, keys: Sequence[str], args: Sequence[str | bytes | int]) -> object:
        """Run a Lua script atomically, and return its reply: int, bytes, None or a list of these.

        It must be idempotent: it may run twice when the server closes the connection.
        """
        ...

    async def run_script_for_each(self, script: str, calls: Sequence[ScriptCall]) -> None:
        """Run a Lua script once for each of the calls, in one round trip, and ignore the replies.

        Each run is atomic, not all of them together. The script must be idempotent, as for `run_script`.
        """
        ...

    async def ping(self, timeout: float) -> None:  # noqa: ASYNC109  (the caller's own deadline)
        """Return when the cache responded on a new connection, within `timeout` seconds."""
        ...

    async def dispose(self) -> None:
        """Close every connection."""
        ...
