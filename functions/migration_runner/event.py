"""What an invocation of the migration runner asks for."""

from __future__ import annotations

from collections.abc import Mapping

from tenantgate.errors.base import ValidationFailed

ACTIONS = ("upgrade", "downgrade", "current")


def asked(event: object) -> tuple[str, str | None]:
    """Action and revision of the event; `ValidationFailed` lists everything that is wrong with it."""
    if not isinstance(event, Mapping):
        raise ValidationFailed(detail=[_problem("event", 'must be an object such as {"action": "current"}')])
    problems: list[Mapping[str, object]] = [
        _problem(str(name), "is not known") for name in event.keys() - {"action", "revision"}
    ]
    action, revision = event.get("action"), event.get("revision")
    if not isinstance(action, str) or action not in ACTIONS:
        problems.append(_problem("action", f"must be one of {', '.join(ACTIONS)}"))
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
