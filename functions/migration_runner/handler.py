"""Run migrations. Invoked directly with an event such as `{"action": "upgrade", "revision": "head"}`.

    upgrade    revision: `head` by default     → {"action", "before", "after"}
    downgrade  revision: required              → {"action", "before", "after"}
    current                                    → {"action", "revision", "head"}

After an upgrade, the user in `DATABASE_URL` gets its login and the application's privileges.

A failure is a failed invocation (`FunctionError`) with `RunnerFailed`. Its message is JSON, the one shape of all errors
with the remedy: `{"error": {"code", "message", "detail", "request_id"}, "remedy"}`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from functions.migration_runner.event import parse_event
from tenantgate.context import RequestContext, begin_request, choose_request_id
from tenantgate.database import migrator
from tenantgate.database.roles import ensure_login
from tenantgate.errors.base import InternalError, TenantgateError, error_body
from tenantgate.observability.logging import configure_logging
from tenantgate.settings.environment import get_settings, read_variables
from tenantgate.settings.notes import log_notes

logger = logging.getLogger(__name__)
configure_logging(level=get_settings().effective_log_level, service="migration_runner")
log_notes(get_settings(), read_variables())


class RunnerFailed(Exception):
    """The failure that Lambda reports as `errorType` and `errorMessage`."""

    def __init__(self, error: TenantgateError, *, request_id: str) -> None:
        super().__init__(json.dumps({**error_body(error, request_id=request_id), "remedy": error.error.remedy}))


def lambda_handler(event: object, context: Any) -> dict[str, object]:
    """Run the event's action. Raises `RunnerFailed`, so that a pipeline can't mistake a failure for a success."""
    request_id = choose_request_id(getattr(context, "aws_request_id", None))
    begin_request(RequestContext(request_id=request_id))
    try:
        action, revision = parse_event(event)
        result = _ACTIONS[action](revision)
    except TenantgateError as error:
        logger.error("refused: %s", error, extra={"context": {"error_code": error.error.code, **error.private}})
        failed = error
    except Exception:
        logger.exception("the migration runner failed")
        failed = InternalError()
    else:
        logger.info("%s done", action, extra={"context": result})
        return {"action": action, **result}
    # Outside the `except`: the runtime prints the chain of causes, and a driver's error repeats values.
    raise RunnerFailed(failed, request_id=request_id)


def _upgrade(revision: str | None) -> dict[str, object]:
    done = migrator.upgrade(migrator.owner_url(), revision or "head")
    if (application := get_settings().database_url) is not None:
        ensure_login(migrator.owner_url(), application)
    return {"before": done.before, "after": done.after}


def _downgrade(revision: str | None) -> dict[str, object]:
    done = migrator.downgrade(migrator.owner_url(), revision or "")
    return {"before": done.before, "after": done.after}


def _current(_: str | None) -> dict[str, object]:
    return {"revision": migrator.current(migrator.owner_url()), "head": migrator.head()}


_ACTIONS: dict[str, Callable[[str | None], dict[str, object]]] = {
    "upgrade": _upgrade,
    "downgrade": _downgrade,
    "current": _current,
}
