"""Sessions, in memory and at rest. Times are epoch seconds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple
from uuid import UUID

from tenantgate.audit.declarations import Actor
from tenantgate.audit.models import StoredUser
from tenantgate.errors.tokens import TenantNotAllowed
from tenantgate.identity.principal import Principal


class User(NamedTuple):
    """A person is known by all three: another tenant or issuer may use the same subject."""

    tenant_id: str
    issuer: str
    user_id: str

    @classmethod
    def of(cls, principal: Principal) -> User:
        return cls(principal.tenant_id, principal.issuer, principal.user_id)


@dataclass(frozen=True, slots=True)
class SessionPolicy:
    """The deployment's limits. `cache_seconds`: the life of an entry in Valkey. `grace_seconds`: after a rotation.

    `leeway_seconds`: for which an access token is accepted after its expiry. `registers_tenants`: a tenant that a
    trusted issuer names is registered at its first sign-in.
    """

    idle_seconds: int = 30 * 60
    absolute_seconds: int = 12 * 3600
    cache_seconds: int = 300
    grace_seconds: int = 10
    leeway_seconds: int = 60
    registers_tenants: bool = True


class TenantState(NamedTuple):
    """A tenant as the registry knows it. A policy can only shorten the deployment's limits."""

    status: Literal["active", "suspended"] = "active"
    idle_minutes: int | None = None
    absolute_hours: int | None = None
    allowed_issuers: tuple[str, ...] | None = None

    def admits(self, issuer: str) -> bool:
        """Tell whether the tenant's users may sign in by this issuer now."""
        return self.status == "active" and (self.allowed_issuers is None or issuer in self.allowed_issuers)


class End(NamedTuple):
    """The reason for the end of a session before its time-out, and who wanted it. For its audit event and log line."""

    reason: Literal[
        "sign_out", "ended", "new_sign_in", "secret_reused", "revoked", "refresh_refused", "provider_sign_out", "erased"
    ]
    actor: Actor


SIGN_OUT = End("sign_out", "user")
BY_USER = End("ended", "user")
BY_OPERATOR = End("ended", "operator")
REPLACED = End("new_sign_in", "user")
REUSED = End("secret_reused", "system")
REVOKED = End("revoked", "system")
REFRESH_REFUSED = End("refresh_refused", "provider")
BY_PROVIDER = End("provider_sign_out", "provider")
ERASED = End("erased", "user")
ERASED_BY_OPERATOR = End("erased", "operator")


class Grants(NamedTuple):
    """The rights of a session. A session whose grants change gets a new id."""

    scopes: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    acr: str | None = None
    amr: tuple[str, ...] = ()

    @classmethod
    def of(cls, principal: Principal, *, acr: str | None, amr: tuple[str, ...]) -> Grants:
        return cls(tuple(sorted(principal.scopes)), tuple(sorted(principal.roles)), acr, amr)


@dataclass(frozen=True, slots=True)
class SignIn:
    """The verified ID token of a sign-in: `issuer` and `subject`, `sid` if it has one, and how the user signed in.

    `issued_at`: the time of the ID token by the provider's clock.

    `device` and `address` are shown to the user. `address` is masked already.
    """

    issuer: str
    subject: str
    issued_at: int = 0
    sid: str | None = None
    acr: str | None = None
    amr: tuple[str, ...] = ()
    auth_time: int | None = None
    device: str | None = None
    address: str | None = None

    @property
    def lookup_texts(self) -> Sequence[str]:
        """The texts by which a logout token finds the session."""
        texts = [subject_text(self.issuer, self.subject)]
        return texts if self.sid is None else [sid_text(self.issuer, self.sid), *texts]


def sid_text(issuer: str, sid: str) -> str:
    """Return the text for a session of the provider (OpenID Connect Back-Channel Logout §2.1)."""
    return f"sid\0{issuer}\0{sid}"


def subject_text(issuer: str, subject: str) -> str:
    """Return the text for all sessions of a subject."""
    return f"sub\0{issuer}\0{subject}"


@dataclass(frozen=True, slots=True, repr=False)
class SessionTokens:
    """The provider's tokens.

    They never leave the server, except that a refresh returns the access token, and that on a local development stack
    the home page shows it. This class has no repr that could show them in a log.
    """

    access_token: str
    id_token: str
    refresh_token: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A session with its tokens opened. `expires_at`: its end by the absolute timeout."""

    id: UUID
    user: User
    auth_time: int
    last_used_at: int
    expires_at: int
    grants: Grants
    csrf_token: str = field(repr=False)
    tokens: SessionTokens


@dataclass(frozen=True, slots=True)
class StartedSession:
    """A new session and its secret, which is not stored."""

    secret: str = field(repr=False)
    session: Session


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session at rest.

    `secret_hash`: the digest (32 bytes) of its current secret. `sealed_tokens`: see `storing/tokens.py`.
    `expires_at`: the end by the deployment's absolute timeout. `previous_hash`: the secret that `rotated_at` replaced.
    `sealed_replay`: what that rotation returned. `lease_holder`: the caller that asks the provider until `lease_until`.
    `issued_tokens`: as in `ending/issued_tokens.py`. `tenant`: None for a tenant that isn't registered. `audit_user`:
    the user as its audit events name it, so that none of them has to wait for a key.
    """

    id: UUID
    tenant_id: str
    user_id: str
    issuer: str
    secret_hash: bytes
    sealed_tokens: str = field(repr=False)
    created_at: int
    expires_at: int
    auth_time: int
    last_used_at: int
    csrf_token: bytes = field(repr=False)
    grants: Grants
    provider_auth_time: int | None = None
    version: int = 1
    previous_hash: bytes | None = None
    rotated_at: float | None = None
    sealed_replay: str | None = field(default=None, repr=False)
    lease_holder: UUID | None = None
    lease_until: float | None = None
    device: str | None = None
    address: str | None = None
    issued_tokens: tuple[bytes, ...] = ()
    audit_user: StoredUser | None = field(default=None, repr=False)
    tenant: TenantState | None = None

    @property
    def user(self) -> User:
        return User(self.tenant_id, self.issuer, self.user_id)

    @property
    def secret_hashes(self) -> tuple[bytes, ...]:
        """The digests under which Valkey may have an entry."""
        return (self.secret_hash,) if self.previous_hash is None else (self.secret_hash, self.previous_hash)

    def ends_at(self, policy: SessionPolicy) -> int:
        """The end by the absolute timeouts of the deployment and the tenant, both as they are now."""
        limit = policy.absolute_seconds
        if self.tenant is not None and self.tenant.absolute_hours is not None:
            limit = min(limit, self.tenant.absolute_hours * 3600)
        return min(self.expires_at, self.auth_time + limit)

    def idle_seconds(self, policy: SessionPolicy) -> int:
        """The idle timeout."""
        if self.tenant is None or self.tenant.idle_minutes is None:
            return policy.idle_seconds
        return min(policy.idle_seconds, self.tenant.idle_minutes * 60)

    def is_refused(self) -> bool:
        """Tell whether its tenant is suspended, or no longer allows its issuer."""
        return self.tenant is not None and not self.tenant.admits(self.issuer)

    def death(self, policy: SessionPolicy, *, now: float) -> str | None:
        """Return why the session can't be used at `now`, or None."""
        if self.ends_at(policy) <= now:
            return "expired"
        if now - self.last_used_at >= self.idle_seconds(policy):
            return "idle"
        return "refused by its tenant" if self.is_refused() else None

    def replays_until(self, policy: SessionPolicy) -> float:
        """The end of the last rotation's grace; 0 without a rotation."""
        return 0.0 if self.rotated_at is None else self.rotated_at + policy.grace_seconds


class SessionSecrets(NamedTuple):
    """The part of a session at rest by which a whole tenant's sessions are stopped or swept.

    `admitted`: its tenant is active and allows its issuer.
    """

    id: UUID
    secret_hashes: tuple[bytes, ...]
    last_used_at: int
    expires_at: int
    admitted: bool


type PageWork = Callable[[Sequence[SessionSecrets]], Awaitable[None]]


def require_admitted(tenant: TenantState | None, principal: Principal) -> None:
    """Raise `TenantNotAllowed` unless the tenant's users may sign in by the principal's issuer."""
    if tenant is None:
        raise TenantNotAllowed("the tenant isn't registered", tenant_id=principal.tenant_id)
    if not tenant.admits(principal.issuer):
        reason = "the tenant is suspended" if tenant.status == "suspended" else "the tenant doesn't allow the issuer"
        raise TenantNotAllowed(reason, tenant_id=principal.tenant_id, issuer=principal.issuer)
