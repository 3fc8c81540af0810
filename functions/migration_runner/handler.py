"""Run migrations: for CloudFormation, as a custom resource of the stack, or invoked directly with an event.

    {"action": "upgrade", "revision": "head"}    the default revision → {"action", "before", "after"}
    {"action": "downgrade", "revision": "-1"}    revision: required   → {"action", "before", "after"}
    {"action": "dry-run", "revision": "head"}    the default revision → {"action", "sql"}: the SQL of the upgrade
    {"action": "current"}                                             → {"action", "revision", "head"}

After an upgrade, the user in `DATABASE_URL` gets its login and the application's privileges.

A failure of a direct invocation is a failed invocation (`FunctionError`) with `RunnerFailed`. Its message is JSON, the
one shape of all errors with the remedy: `{"error": {"code", "message", "detail", "request_id"}, "remedy"}`.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from functions.migration_runner.actions import ACTIONS
from functions.migration_runner.custom_resource import is_custom_resource
from functions.migration_runner.event import parse_event
from functions.migration_runner.stack_event import respond
from tenantgate.context import RequestContext, begin_request, choose_request_id
from tenantgate.errors.base import InternalError, TenantgateError, error_body
from tenantgate.observability.logging import configure_logging
from tenantgate.settings.environment import get_settings, read_variables
from tenantgate.settings.errors import SettingsError
from tenantgate.settings.notes import log_notes

logger = logging.getLogger(__name__)


class RunnerFailed(Exception):
    """The failure that Lambda reports as `errorType` and `errorMessage`."""

    def __init__(self, error: TenantgateError, *, request_id: str) -> None:
        super().__init__(json.dumps({**error_body(error, request_id=request_id), "remedy": error.error.remedy}))


def _start() -> SettingsError | None:
    # CloudFormation waits for a response, so wrong settings may not stop the function before it can give one.
    try:
        settings = get_settings()
    except SettingsError as error:
        configure_logging(level="INFO", service="migration_runner")
        logger.error("%s", error)
        return error
    configure_logging(level=settings.effective_log_level, service="migration_runner")
    log_notes(settings, read_variables())
    return None


_WRONG_SETTINGS = _start()


def lambda_handler(event: object, context: Any) -> dict[str, object]:
    """Run the event's action. Raises `RunnerFailed`, so that a pipeline can't mistake a failure for a success."""
    request_id = choose_request_id(getattr(context, "aws_request_id", None))
    begin_request(RequestContext(request_id=request_id))
    try:
        if is_custom_resource(event):
            return respond(event, wrong_settings=_WRONG_SETTINGS, context=context)
        if _WRONG_SETTINGS is not None:
            raise _WRONG_SETTINGS
        action, revision = parse_event(event)
        result = ACTIONS[action](revision)
    except TenantgateError as error:
        logger.error("refused: %s", error, extra={"context": {"error_code": error.error.code, **error.private}})
        failed = error
    except Exception:
        logger.exception("the migration runner failed")
        failed = InternalError()
    else:
        logger.info("%s done", action, extra={"context": {k: v for k, v in result.items() if k != "sql"}})
        return {"action": action, **result}
    # Outside the `except`: the runtime prints the chain of causes, and a driver's error repeats values.
    raise RunnerFailed(failed, request_id=request_id)
