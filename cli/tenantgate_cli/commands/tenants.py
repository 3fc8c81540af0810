"""`tenantgate tenants`: the registry of a database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.text import Text

from tenantgate.database.pool import PooledDatabase
from tenantgate.errors.base import ValidationFailed
from tenantgate.tenants.errors import TenantExists, TenantUnknown
from tenantgate.tenants.models import Applied, Tenant
from tenantgate.tenants.service import TenantService
from tenantgate.tenants.wiring import tenant_service
from tenantgate_cli.console import Failure, out, printable, say
from tenantgate_cli.results import print_result
from tenantgate_cli.stack.deployment import Deployment, deployment, explained

# The options by the fields that they change.
_OPTIONS = {
    "tenant_id": "the tenant's id",
    "name": "--name",
    "session_idle_minutes": "--idle-minutes",
    "session_absolute_hours": "--absolute-hours",
    "allowed_issuers": "--issuers",
}


def read_changes(
    name: str | None, idle_minutes: str | None, absolute_hours: str | None, issuers: str | None
) -> dict[str, object]:
    """Return the fields that the options change; None for one that returns to its default. Raises Failure."""
    changes: dict[str, object] = {}
    if name is not None:
        changes["name"] = None if name == "none" else name
    if idle_minutes is not None:
        changes["session_idle_minutes"] = _time_out("--idle-minutes", idle_minutes)
    if absolute_hours is not None:
        changes["session_absolute_hours"] = _time_out("--absolute-hours", absolute_hours)
    if issuers is not None:
        listed = tuple(dict.fromkeys(issuer.strip() for issuer in issuers.split(",") if issuer.strip()))
        changes["allowed_issuers"] = None if listed == ("any",) else listed
    return changes


def show_all(data_dir: Path, url: str | None, *, as_json: bool) -> None:
    """Print all tenants."""

    async def work(service: TenantService) -> list[Tenant]:
        return [tenant async for tenant in service.tenants()]

    found = _run(work, deployment(data_dir, url))
    if as_json:
        print_result(tenants=[_members(tenant) for tenant in found])
        return
    if not found:
        say("no tenant is registered")
        return
    rows = [("tenant", "name", "status", "idle", "absolute", "issuers"), *(_row(tenant) for tenant in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        # One line each, however narrow the terminal: users copy the ids, and programs read the lines.
        say(line, style="bold" if number == 0 else None)


def _row(tenant: Tenant) -> tuple[str, ...]:
    return (
        printable(tenant.tenant_id),
        printable(tenant.name or ""),
        tenant.status,
        "" if tenant.session_idle_minutes is None else f"{tenant.session_idle_minutes} min",
        "" if tenant.session_absolute_hours is None else f"{tenant.session_absolute_hours} h",
        printable(", ".join(tenant.allowed_issuers or ())),
    )


def show_one(tenant_id: str, data_dir: Path, url: str | None, *, as_json: bool) -> None:
    """Print a tenant, its limits and the number of its sessions."""
    place = deployment(data_dir, url)
    tenant, sessions = _run(lambda service: service.show(tenant_id), place)
    if as_json:
        print_result(tenant=_members(tenant), sessions=sessions)
        return
    settings = place.settings
    idle, absolute = tenant.session_idle_minutes, tenant.session_absolute_hours
    lines = {
        "tenant": tenant.tenant_id,
        "name": tenant.name or "none",
        "status": tenant.status,
        "idle": f"{idle} minutes" if idle else f"SESSION_IDLE_MINUTES (here {settings.session_idle_minutes})",
        "absolute": f"{absolute} hours"
        if absolute
        else f"SESSION_ABSOLUTE_HOURS (here {settings.session_absolute_hours})",
        "issuers": ", ".join(tenant.allowed_issuers) if tenant.allowed_issuers else "every trusted one",
        "sessions": f"{sessions} stored",
        "registered": f"{datetime.fromtimestamp(tenant.created_at, UTC):%Y-%m-%d %H:%M} UTC",
    }
    for name, value in lines.items():
        say(Text(f"{name:<11}", style="bold") + Text(printable(value)))


def add(tenant_id: str, changes: Mapping[str, object], data_dir: Path, url: str | None, *, as_json: bool) -> None:
    """Register a tenant with these limits. Raises Failure."""
    place = deployment(data_dir, url)
    _require_issuers(place, changes)
    tenant = replace(Tenant(tenant_id), **changes)  # type: ignore[arg-type]
    added = _run(lambda service: service.add(tenant), place)
    if as_json:
        print_result(tenant={name: value for name, value in _members(added).items() if name != "created_at"})
    else:
        say(f"{printable(added.tenant_id)} is registered")


def change(tenant_id: str, changes: Mapping[str, object], data_dir: Path, url: str | None, *, as_json: bool) -> None:
    """Change a tenant. Raises Failure, also if the change is in PostgreSQL and not yet in Valkey."""
    if not changes:
        raise Failure("nothing was changed", "add an option: --name, --idle-minutes, --absolute-hours or --issuers")
    place = deployment(data_dir, url)
    _require_issuers(place, changes)

    def work(service: TenantService) -> Awaitable[Applied]:
        status = changes.get("status")
        if status == "suspended":
            return service.suspend(tenant_id)
        return service.activate(tenant_id) if status == "active" else service.change(tenant_id, changes)

    quiet = as_json or not out.is_terminal
    with nullcontext() if quiet else out.status(f"changing {printable(tenant_id)} …"):
        applied = _run(work, place)
    note = _note(applied, place)
    if not applied.everywhere and place.settings.redis_url is not None:
        raise Failure(note, "run this command again when Valkey is back")
    if as_json:
        print_result(
            tenant=_members(applied.tenant),
            stopped=applied.stopped,
            resumed=applied.resumed,
            everywhere=applied.everywhere,
            note=note,
        )
        return
    say(f"{printable(tenant_id)} is {applied.tenant.status}")
    if note:
        say(note)


def _note(applied: Applied, place: Deployment) -> str:
    seconds = place.settings.session_cache_seconds
    if applied.everywhere:
        parts = [
            f"{applied.stopped} of its stored sessions are refused" if applied.stopped else "",
            f"{applied.resumed} of its stored sessions are accepted" if applied.resumed else "",
        ]
        said = " and ".join(filter(None, parts))
        return f"{said}, by the authorizer too" if said else ""
    reason = "REDIS_URL isn't set here" if place.settings.redis_url is None else "Valkey can't be reached"
    return (
        f"It is in effect for every reader of PostgreSQL. {reason}: an authorizer with Valkey goes by its entries for "
        f"up to {seconds} s (SESSION_CACHE_SECONDS)"
    )


def _require_issuers(place: Deployment, changes: Mapping[str, object]) -> None:
    if changes.get("allowed_issuers") is not None and not place.is_complete:
        raise Failure(
            "the trusted issuers of this deployment aren't known here",
            "set OIDC_ISSUER_URL, OIDC_CLIENT_ID and TRUSTED_ISSUERS as in the deployment",
        )


def _run[T](work: Callable[[TenantService], Awaitable[T]], place: Deployment) -> T:
    """Run `work` with the deployment's registry. Raises Failure."""

    async def run() -> T:
        from tenantgate.cache.client import ValkeyCache  # noqa: PLC0415  (redis takes a while to import)

        database = PooledDatabase(place.database_url)
        cache = None if (cache_url := place.settings.cache_url) is None else ValkeyCache(cache_url)
        try:
            return await work(tenant_service(place.settings, database, cache))
        finally:
            await database.dispose()
            if cache is not None:
                await cache.dispose()

    with explained(place.database_url):
        try:
            return asyncio.run(run())
        except ValidationFailed as error:
            raise _refused(error) from None
        except TenantUnknown as error:
            raise Failure(f"{_named(error)} isn't registered", "tenantgate tenants list") from None
        except TenantExists as error:
            raise Failure(f"{_named(error)} is registered already", "tenantgate tenants set …") from None


def _refused(error: ValidationFailed) -> Failure:
    detail = error.detail if isinstance(error.detail, list) else []
    return Failure("\n".join(f"{_OPTIONS[str(item['field'])]} {item['problem']}" for item in detail))


def _named(error: TenantUnknown | TenantExists) -> str:
    return printable(str(error.private["tenant_id"]))


def _members(tenant: Tenant) -> dict[str, object]:
    return {
        "id": tenant.tenant_id,
        "name": tenant.name,
        "status": tenant.status,
        "session_idle_minutes": tenant.session_idle_minutes,
        "session_absolute_hours": tenant.session_absolute_hours,
        "allowed_issuers": None if tenant.allowed_issuers is None else [*tenant.allowed_issuers],
        "created_at": tenant.created_at,
    }


def _time_out(option: str, text: str) -> int | None:
    if text == "default":
        return None
    if not (text.isascii() and text.isdigit() and 0 < len(text) <= 6):
        raise Failure(f"{option} must be a whole number, or `default`")
    return int(text)
