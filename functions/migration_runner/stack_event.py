"""A request of CloudFormation: migrate, and respond in every case.

    Create, Update   migrate up to the property `SchemaRevision` (without one: to the newest), and open the login
    Delete           nothing: the data stays

A rollback of the stack arrives as an Update with the old revision. A database that is past it stays unchanged:
the function never migrates down here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from functions.migration_runner.custom_resource import Request, ResponseLost, Status, parse_request, put, response_body
from functions.migration_runner.time_limit import OutOfTime, within
from tenantgate.database import migrator
from tenantgate.database.errors import MadeByNewer, MigrationFailed
from tenantgate.database.owner_login import as_owner
from tenantgate.database.roles import ensure_login
from tenantgate.errors.base import InternalError, TenantgateError, Word
from tenantgate.settings.environment import get_settings
from tenantgate.settings.errors import SettingsError

logger = logging.getLogger(__name__)

# A new cluster's writer, or one after a failover, needs some minutes.
WRITER_WAIT_SECONDS = 300.0
# Kept for the response, at most. Lambda ends the function at its time-out: CloudFormation would then wait for an hour.
RESPONSE_SECONDS = 30.0
# Between the migration's own limit and the moment when the response is given without it.
_GRACE_SECONDS = 1.0
_MINUTES_15 = 900.0


def respond(event: Mapping[str, object], *, wrong_settings: SettingsError | None, context: Any) -> dict[str, object]:
    """Do what the event asks, tell CloudFormation, and return the response.

    Raises `ValidationFailed` for an event that can't get a response, before anything is done, and `InternalError` if
    the response was lost: Lambda then repeats the invocation, which does no harm.
    """
    ends_at = time.monotonic() + _remaining(context)
    request = parse_request(event, allow_loopback=wrong_settings is None and get_settings().is_local_development)
    kept = min(RESPONSE_SECONDS, (ends_at - time.monotonic()) / 2)
    status: Status = "FAILED"
    reason, data = "", {}
    try:
        if request.kind != "Delete":
            data = _migrated(request, ends_at - kept, wrong_settings)
        status, reason = "SUCCESS", "done"
    except TenantgateError as error:
        logger.error("refused: %s", error, extra={"context": {"error_code": error.error.code, **error.private}})
        reason = _reason(error)
    except SettingsError as error:
        reason = f"these settings are wrong: {', '.join(error.problems)}; the function's log has the problems"
    except OutOfTime:
        logger.error("the migration has not ended in the function's time")
        reason = "the migration has not ended in the function's time"
    except BaseException as error:
        logger.exception("the migration runner failed")
        # Only the name: the text of an unexpected error may hold a value.
        reason = f"an unexpected {type(error).__name__}; the function's log has more"
    _send(request, response_body(request, status, reason=reason, data=data), ends_at)
    logger.info("responded", extra={"context": {"status": Word(status), **data}})
    return {"status": status, "reason": reason, "data": data}


def _send(request: Request, body: bytes, ends_at: float) -> None:
    try:
        # A second stays for the runtime, which reports the end of the invocation.
        put(request.url, body, seconds=ends_at - time.monotonic() - _GRACE_SECONDS)
    except ResponseLost as lost:
        problem = str(lost)
    else:
        return
    raise InternalError("CloudFormation did not get the response", problem=problem)


def _migrated(request: Request, stop_at: float, wrong_settings: SettingsError | None) -> dict[str, str]:
    if wrong_settings is not None:
        raise wrong_settings
    target = request.revision or "head"
    if request.revision is not None and request.revision not in migrator.revisions():
        raise MigrationFailed(
            "the template and the function's code are of different versions",
            detail={"reason": f"the code has no revision {request.revision}; its newest is {migrator.head()}"},
        )

    def run(url: str) -> dict[str, str]:
        application = get_settings().database_url
        seconds = max(_GRACE_SECONDS, stop_at - time.monotonic() - _GRACE_SECONDS)
        try:
            done = migrator.upgrade(url, target, application_url=application, seconds=seconds)
        except MadeByNewer as newer:
            # A rollback. The newer schema serves this version, too (docs/OPERATIONS.md).
            logger.warning("the database was made by a newer Tenantgate", extra={"context": newer.detail})
            if application is not None:
                ensure_login(url, application)
            return {"SchemaRevision": str(newer.detail["revision"]) if isinstance(newer.detail, Mapping) else ""}
        return {"SchemaRevision": done.after or ""}

    left = stop_at - time.monotonic()
    return within(left, lambda: as_owner(run, wait_seconds=min(WRITER_WAIT_SECONDS, left - 2 * _GRACE_SECONDS)))


def _reason(error: TenantgateError) -> str:
    """Return the error's public text: no value, URL or password. `private` is only for the log."""
    detail = error.detail
    if isinstance(detail, Mapping):
        detail = ", ".join(f"{name}: {value}" for name, value in detail.items())
    message = error.error.message
    reason = "" if error.reason.lower() == message.lower() else error.reason
    parts = (f"{error.error.code} {message}", reason, str(detail or ""), error.error.remedy)
    return ". ".join(part.rstrip(".") for part in parts if part) + "."


def _remaining(context: Any) -> float:
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    return remaining() / 1000 if callable(remaining) else _MINUTES_15
