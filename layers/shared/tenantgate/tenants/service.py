"""The registry: adding, changing, suspending and activating tenants."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from tenantgate.audit.models import Event, StoredEvent
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.base import ValidationFailed
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.tenants.errors import TenantExists, TenantUnknown
from tenantgate.tenants.models import LONGEST_ID, LONGEST_NAME, Applied, Changes, Tenant, TenantRules
from tenantgate.tokens.tenant import DEPLOYMENT

_PAGE = 500


class TenantStore(Protocol):
    """A store of tenants. Every method raises `DatabaseUnreachable`."""

    async def page(self, *, after: str, limit: int) -> Sequence[Tenant]:
        """Return up to `limit` tenants whose ids come after `after`, in the order of their ids."""
        ...

    async def find(self, tenant_id: str) -> Tenant | None: ...

    async def add(self, tenant: Tenant, event: StoredEvent) -> bool:
        """Add a tenant and record its audit event; return False if its id is taken."""
        ...

    async def change(self, tenant_id: str, changes: Changes, event: StoredEvent) -> Tenant | None:
        """Set these fields, record the audit event, and return the tenant; None if it is unknown."""
        ...


class TenantSessions(Protocol):
    """The sessions of a tenant, as far as the registry decides on them."""

    async def apply_admission(self, tenant_id: str) -> tuple[int, int]:
        """Tell Valkey which sessions the registry refuses and accepts now; return both numbers.

        Raises `CacheUnavailable`.
        """
        ...

    async def count(self, tenant_id: str) -> int:
        """Return the number of stored sessions."""
        ...


class TenantService:
    """Every method raises `DatabaseUnreachable`, those with a tenant id `TenantUnknown`.

    A change is in PostgreSQL first, and so decides at once wherever it is read. Then the list of revocations is
    published, and the entries of refused sessions in Valkey are replaced by tombstones, because the authorizer reads
    only Valkey. If this fails, repeat the change.
    """

    def __init__(
        self,
        store: TenantStore,
        sessions: TenantSessions,
        rules: TenantRules,
        publish: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """Take the parts. `publish` publishes the list of revocations, or raises `CacheUnavailable`; None: no cache."""
        self.rules = rules
        self._store = store
        self._sessions = sessions
        self._publish = publish

    async def tenants(self) -> AsyncIterator[Tenant]:
        """Yield every tenant, in the order of the ids."""
        after = ""
        while page := await self._store.page(after=after, limit=_PAGE):
            for tenant in page:
                yield tenant
            after = page[-1].tenant_id

    async def show(self, tenant_id: str) -> tuple[Tenant, int]:
        """Return a tenant and the number of its stored sessions."""
        tenant = await self._store.find(tenant_id)
        if tenant is None:
            raise TenantUnknown(tenant_id=tenant_id)
        return tenant, await self._sessions.count(tenant_id)

    async def add(self, tenant: Tenant) -> Tenant:
        """Register a tenant. Raises `TenantExists`, and `ValidationFailed` with every problem."""
        problems = {} if self._may_be_asserted(tenant.tenant_id) else {"tenant_id": self._form()}
        problems |= self._problems(_policy_of(tenant))
        _require_none(problems)
        event = Event(
            "TENANT_REGISTERED",
            tenant.tenant_id,
            actor="operator",
            resource_type="tenant",
            resource_id=tenant.tenant_id,
        )
        if not await self._store.add(tenant, event.stored(None)):
            raise TenantExists(tenant_id=tenant.tenant_id)
        if self._publish is not None:
            # A failure only delays the tenant's first requests: the republisher publishes every second.
            with suppress(CacheUnavailable, DatabaseUnreachable):
                await self._publish()
        return tenant

    async def change(self, tenant_id: str, changes: Changes) -> Applied:
        """Change name, session policy or allowed issuers. Raises `ValidationFailed` with every problem."""
        _require_none(self._problems(changes))
        return await self._change(tenant_id, changes)

    async def suspend(self, tenant_id: str) -> Applied:
        """Refuse the tenant's sessions and sign-ins."""
        return await self._change(tenant_id, {"status": "suspended"})

    async def activate(self, tenant_id: str) -> Applied:
        """Accept the tenant's sign-ins again, and its sessions that have not timed out."""
        return await self._change(tenant_id, {"status": "active"})

    async def _change(self, tenant_id: str, changes: Changes) -> Applied:
        event = Event(
            "TENANT_CHANGED",
            tenant_id,
            actor="operator",
            resource_type="tenant",
            resource_id=tenant_id,
            detail={"changed": sorted(changes), "status": changes.get("status")},
        )
        tenant = await self._store.change(tenant_id, changes, event.stored(None))
        if tenant is None:
            raise TenantUnknown(tenant_id=tenant_id)
        # Also if nothing changed: an earlier call may have failed after PostgreSQL.
        if not {"status", "allowed_issuers"} & changes.keys():
            return Applied(tenant)
        try:
            # First: it decides on bearer tokens, too.
            if self._publish is not None:
                await self._publish()
            stopped, resumed = await self._sessions.apply_admission(tenant_id)
        except CacheUnavailable:
            return Applied(tenant, everywhere=False)
        return Applied(tenant, stopped, resumed)

    def _problems(self, changes: Changes) -> dict[str, str]:
        found = {name: _PROBLEMS[name](value, self.rules) for name, value in changes.items() if value is not None}
        return {name: problem for name, problem in found.items() if problem}

    def _may_be_asserted(self, tenant_id: str) -> bool:
        return (
            0 < len(tenant_id) <= LONGEST_ID
            and tenant_id != DEPLOYMENT
            and tenant_id.isprintable()
            and self.rules.matches.fullmatch(tenant_id) is not None
        )

    def _form(self) -> str:
        return (
            f"must match TENANT_ID_PATTERN ({self.rules.matches.pattern}), at most {LONGEST_ID} printable characters: "
            "no token could name this tenant"
        )


def _policy_of(tenant: Tenant) -> Changes:
    return {name: getattr(tenant, name) for name in _PROBLEMS}


def _name(value: object, _: TenantRules) -> str:
    fits = isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable()
    return "" if fits else f"must be 1 to {LONGEST_NAME} printable characters"


def _idle(value: object, rules: TenantRules) -> str:
    return _time_out(value, rules.session_idle_minutes, "SESSION_IDLE_MINUTES")


def _absolute(value: object, rules: TenantRules) -> str:
    return _time_out(value, rules.session_absolute_hours, "SESSION_ABSOLUTE_HOURS")


def _time_out(value: object, longest: int, setting: str) -> str:
    if isinstance(value, int) and 0 < value <= longest:
        return ""
    return f"must be from 1 to {longest}, which is {setting}: a tenant's policy can only shorten it"


def _issuers(value: object, rules: TenantRules) -> str:
    if not isinstance(value, tuple) or not value:
        return "must have at least one issuer; suspend the tenant to refuse all"
    foreign = [issuer for issuer in value if issuer not in rules.issuers]
    if not foreign:
        return ""
    return f"{', '.join(foreign)} isn't trusted. Trusted are {', '.join(rules.issuers)}"


_PROBLEMS: Mapping[str, Callable[[object, TenantRules], str]] = {
    "name": _name,
    "session_idle_minutes": _idle,
    "session_absolute_hours": _absolute,
    "allowed_issuers": _issuers,
}


def _require_none(problems: Mapping[str, str]) -> None:
    if problems:
        raise ValidationFailed(detail=[{"field": name, "problem": problem} for name, problem in problems.items()])
