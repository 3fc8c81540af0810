"""Migrations, by plain invocation: `{"action": "upgrade", "revision": "head"}`.

    upgrade    revision: `head` by default     → {"action", "before", "after"}
    downgrade  revision: required              → {"action", "before", "after"}
    current                                    → {"action", "revision", "head"}

After an upgrade, the user in `DATABASE_URL` gets its login and the application's rights. Failures are answered in the
one shape of all errors, `{"error": {"code", "message", "detail", "request_id"}}`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from tenantgate.context import RequestContext, begin_request, choose_request_id
from tenantgate.database import migrator
from tenantgate.database.roles import ensure_login
from tenantgate.errors import InternalError, TenantgateError, error_body
from tenantgate.observability.logging import configure_logging
from tenantgate.service_errors import ValidationFailed
from tenantgate.settings import get_settings

logger = logging.getLogger(__name__)
configure_logging(level=get_settings().effective_log_level, service="migration_runner")


def lambda_handler(event: object, context: Any) -> dict[str, object]:
    request_id = choose_request_id(getattr(context, "aws_request_id", None))
    begin_request(RequestContext(request_id=request_id))
    try:
        action, revision = _asked(event)
        answer = _ACTIONS[action](revision)
    except TenantgateError as error:
        logger.warning("refused: %s", error, extra={"context": {"code": error.error.code, **error.private}})
        return error_body(error, request_id=request_id)
    except Exception:
        logger.exception("the migration runner failed")
        return error_body(InternalError(), request_id=request_id)
    logger.info("%s done", action, extra={"context": answer})
    return {"action": action, **answer}


def _asked(event: object) -> tuple[str, str | None]:
    """Action and revision of the event; `ValidationFailed` lists everything that is wrong with it."""
    if not isinstance(event, Mapping):
        raise ValidationFailed(detail=[_problem("event", 'must be an object such as {"action": "current"}')])
    problems: list[Mapping[str, object]] = [
        _problem(str(name), "is not known") for name in event.keys() - {"action", "revision"}
    ]
    action, revision = event.get("action"), event.get("revision")
    if not isinstance(action, str) or action not in _ACTIONS:
        problems.append(_problem("action", f"must be one of {', '.join(_ACTIONS)}"))
    if revision is not None and not (isinstance(revision, str) and 0 < len(revision) <= 64):
        problems.append(_problem("revision", "must be a text of 1 to 64 characters"))
    if action == "downgrade" and revision is None:
        # Going down drops data: how far is never guessed.
        problems.append(_problem("revision", "must be given for a downgrade, such as -1 or base"))
    if action == "current" and revision is not None:
        problems.append(_problem("revision", "doesn't go with current"))
    if problems:
        raise ValidationFailed(detail=problems)
    return str(action), revision


def _problem(field: str, message: str) -> Mapping[str, object]:
    return {"field": field[:64], "problem": message}


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
