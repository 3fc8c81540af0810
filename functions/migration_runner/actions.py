"""The actions of a direct invocation, as the database's owner."""

from __future__ import annotations

from collections.abc import Callable

from tenantgate.database import migrator
from tenantgate.database.owner_login import as_owner
from tenantgate.settings.environment import get_settings


def _upgrade(revision: str | None) -> dict[str, object]:
    application = get_settings().database_url
    done = as_owner(lambda url: migrator.upgrade(url, revision or "head", application_url=application))
    return {"before": done.before, "after": done.after}


def _downgrade(revision: str | None) -> dict[str, object]:
    done = as_owner(lambda url: migrator.downgrade(url, revision or ""))
    return {"before": done.before, "after": done.after}


def _dry_run(revision: str | None) -> dict[str, object]:
    return {"sql": as_owner(lambda url: migrator.upgrade_sql(url, revision or "head"))}


def _current(_: str | None) -> dict[str, object]:
    return {"revision": as_owner(migrator.current), "head": migrator.head()}


ACTIONS: dict[str, Callable[[str | None], dict[str, object]]] = {
    "upgrade": _upgrade,
    "downgrade": _downgrade,
    "dry-run": _dry_run,
    "current": _current,
}
