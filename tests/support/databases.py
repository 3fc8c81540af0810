"""Both kinds of database, for the tests of what both promise."""

from __future__ import annotations

from collections.abc import Callable

from tenantgate.database.engine import PooledDatabase, PoolLimits
from tenantgate.database.single import SingleConnectionDatabase
from tenantgate.database.unit import Database

# Makes a database of this kind for a URL.
type Kind = Callable[[str], Database]

KINDS: dict[str, Kind] = {"pool": PooledDatabase, "single": SingleConnectionDatabase}


def with_one_connection(kind: Kind, url: str, *, wait_seconds: float) -> Database:
    """A database of this kind with one connection, for which a unit of work waits so long."""
    if kind is PooledDatabase:
        return PooledDatabase(url, pool=PoolLimits(size=1, overflow=0, wait_seconds=wait_seconds))
    return SingleConnectionDatabase(url, wait_seconds=wait_seconds)
