"""A tenant of the registry, and changes to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

type Status = Literal["active", "suspended"]

# Tokens have no longer tenant id (`tokens/tenant.py`).
LONGEST_ID = 128
LONGEST_NAME = 256


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant. None: the deployment's time-out, or every trusted issuer. `created_at`: epoch seconds."""

    tenant_id: str
    name: str | None = None
    status: Status = "active"
    session_idle_minutes: int | None = None
    session_absolute_hours: int | None = None
    allowed_issuers: tuple[str, ...] | None = None
    created_at: int = 0


@dataclass(frozen=True, slots=True)
class TenantRules:
    """The deployment's limits. A tenant may have shorter time-outs, and only these issuers.

    `matches`: `TENANT_ID_PATTERN`, for `fullmatch`.
    """

    session_idle_minutes: int = 30
    session_absolute_hours: int = 12
    issuers: tuple[str, ...] = ()
    matches: re.Pattern[str] = field(default_factory=lambda: re.compile(".+"))


@dataclass(frozen=True, slots=True)
class Applied:
    """A tenant after a change.

    `stopped`, `resumed`: its stored sessions that are refused or accepted now; both 0 if the change concerned none.
    `everywhere`: the authorizer knows. Otherwise it accepts what it accepted before, until the entries in Valkey end.
    """

    tenant: Tenant
    stopped: int = 0
    resumed: int = 0
    everywhere: bool = True


# The new value of each changed field of a `Tenant`.
type Changes = Mapping[str, object]
