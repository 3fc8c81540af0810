"""The domains' view of the cache. Independent of the library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


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

    async def ping(self, timeout: float) -> None:  # noqa: ASYNC109  (the caller's own deadline)
        """Return when the cache responded on a new connection, within `timeout` seconds."""
        ...

    async def dispose(self) -> None:
        """Close every connection."""
        ...
