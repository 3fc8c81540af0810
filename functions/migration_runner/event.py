"""Parse the event of the migration runner."""

from __future__ import annotations

from collections.abc import Mapping

from tenantgate.errors.base import ValidationFailed

ACTIONS = ("upgrade", "downgrade", "current", "dry-run")


def parse_event(event: object) -> tuple[str, str | None]:
    """Return the event's action and revision. Raises `ValidationFailed`, which lists every problem."""
    if not isinstance(event, Mapping):
        raise ValidationFailed(detail=[_problem("event", 'must be an object such as {"action": "current"}')])
    problems: list[Mapping[str, object]] = [
        _problem(str(name), "is unknown") for name in event.keys() - {"action", "revision"}
    ]
    action, revision = event.get("action"), event.get("revision")
    if not isinstance(action, str) or action not in ACTIONS:
        problems.append(_problem("action", f"must be one of {', '.join(ACTIONS)}"))
    if revision is not None and not (isinstance(revision, str) and 0 < len(revision) <= 64):
        problems.append(_problem("revision", "must be a string of 1 to 64 characters"))
    if action == "downgrade" and revision is None:
        # A downgrade drops data, so its target has no default.
        problems.append(_problem("revision", "is required for a downgrade, such as -1 or base"))
    if action == "current" and revision is not None:
        problems.append(_problem("revision", "can't be combined with current"))
    if problems:
        raise ValidationFailed(detail=problems)
    return str(action), revision


def _problem(field: str, message: str) -> Mapping[str, object]:
    return {"field": field[:64], "problem": message}
