"""Settings of sessions and tenants."""

from __future__ import annotations

from typing import Literal

from pydantic import ValidationInfo, field_validator

from tenantgate.settings.audit import AuditSettings
from tenantgate.settings.fields import setting

type TenantRegistration = Literal["open", "closed"]


class SessionSettings(AuditSettings):
    """Time-outs of sessions, and the registration of tenants. A tenant's own policy can only shorten a time-out."""

    session_idle_minutes: int = setting(
        "Minutes without use after which a session ends. At most 1440.",
        injected_by="template parameter `SessionIdleMinutes`",
        default=30,
        ge=1,
        le=1440,
    )
    session_absolute_hours: int = setting(
        "Hours after the sign-in at which a session ends, used or not. At most 720.",
        injected_by="template parameter `SessionAbsoluteHours`",
        default=12,
        ge=1,
        le=720,
    )
    session_cache_seconds: int = setting(
        "Seconds for which the authorizer may accept a session without another reading of PostgreSQL. At most 3600.",
        injected_by="template parameter `SessionCacheSeconds`",
        default=300,
        ge=10,
        le=3600,
    )
    session_reuse_grace_seconds: int = setting(
        "Seconds for which the cookie before a refresh stays good, for requests that were sent before the refresh "
        "ended. Later, its use ends the session. At most 60.",
        injected_by="template parameter `SessionReuseGraceSeconds`",
        default=10,
        ge=1,
        le=60,
    )
    tenant_registration: TenantRegistration = setting(
        "`open`: a tenant that a trusted issuer names is registered at its first sign-in. `closed`: only tenants that "
        "`tenantgate tenants add` registered may sign in.",
        injected_by="template parameter `TenantRegistration`",
        default="open",
    )

    @field_validator("tenant_registration", mode="before")
    @classmethod
    def _folded_registration(cls, value: object, info: ValidationInfo) -> object:
        return value.strip().lower() if isinstance(value, str) else value
