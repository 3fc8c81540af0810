"""Errors of a backup or a restoration, in the words of a command."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.base import TenantgateError
from tenantgate_cli.backup.dumps import RestoreFailed
from tenantgate_cli.backup.tables import LOCK_SECONDS
from tenantgate_cli.console import Failure
from tenantgate_cli.stack.database_failures import failure_of

_NEWER = "use the version that made it"
_BUSY = "wait for the migration or the restoration that is running, and run this again"
_REFUSED = "correct the database's URL: give its owner's"


@contextmanager
def explained(url: str, folder: Path, *, restoring: bool = False) -> Iterator[None]:
    """Turn errors of the database and the disk into the command's. Raises Failure.

    `restoring`: the database may have been changed; then it raises `RestoreFailed`.
    """
    try:
        yield
    except Failure as error:
        failure = error
    except TenantgateError as error:
        failure = failure_of(error, url=url, newer_remedy=_NEWER)
    except asyncpg.LockNotAvailableError:
        failure = Failure(f"another program held the tables for {LOCK_SECONDS} s", _BUSY)
    except asyncpg.PostgresError as error:
        # The statement may contain a row; the message of a constraint does.
        failure = Failure(f"PostgreSQL refused a statement: {type(error).__name__} ({error.sqlstate})", _REFUSED)
    except (asyncpg.InterfaceError, ConnectionError, TimeoutError) as error:
        failure = failure_of(DatabaseUnreachable(type(error).__name__, error=str(error)), url=url, newer_remedy=_NEWER)
    except OSError as error:
        failure = _of_disk(error, folder)
    else:
        return
    raise RestoreFailed(str(failure), failure.remedy) if restoring else failure from None


def _of_disk(error: OSError, folder: Path) -> Failure:
    reason = os.strerror(error.errno or 0) if error.errno else type(error).__name__
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failure(
            f"the disk of {folder} is full: nothing of this backup was kept", "free space, or choose another --to"
        )
    return Failure(f"{folder} can't be used: {reason}", "choose another folder")
