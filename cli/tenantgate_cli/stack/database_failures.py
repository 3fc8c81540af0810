"""Failures of the database and its migrations, in the words of a command."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from tenantgate.database.errors import DatabaseUnreachable, MadeByNewer
from tenantgate.errors.base import TenantgateError, ValidationFailed
from tenantgate_cli.console import Failure


def failure_of(error: TenantgateError, *, url: str, newer_remedy: str) -> Failure:
    """Return the command's failure. `newer_remedy`: the way out of a database of a newer version."""
    detail = error.detail
    if isinstance(error, MadeByNewer) and isinstance(detail, Mapping):
        return Failure(
            f"the database was made by a newer Tenantgate: it is at revision {detail['revision']}, and the newest "
            f"that this version knows is {detail['newest_known']}",
            newer_remedy,
        )
    if isinstance(error, ValidationFailed) and isinstance(detail, list):
        problem, _, revisions = "; ".join(str(item["problem"]) for item in detail).partition(". ")
        return Failure(problem, revisions)
    if isinstance(error, DatabaseUnreachable):
        return _unreachable(error, url)
    return Failure(f"{error.error.code} {error}: {detail or error.error.remedy}")


def _unreachable(error: DatabaseUnreachable, url: str) -> Failure:
    where = urlsplit(url)
    if _is_resolver_failure(error):
        return Failure(
            f"the host of the database's URL can't be resolved: {where.hostname}",
            "correct the host in the URL, or connect this machine to the network that knows it",
        )
    reason = str(error.private.get("error", error)).split("\n", 1)[0]
    return Failure(
        f"the database at {where.hostname}:{where.port or 5432} can't be reached: {reason}",
        "start PostgreSQL, or correct the database's URL",
    )


def _is_resolver_failure(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, socket.gaierror):
            return True
        error = error.__cause__
    return False
