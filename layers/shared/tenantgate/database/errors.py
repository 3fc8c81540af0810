"""Failures of the database and its migrations."""

from __future__ import annotations

from tenantgate.errors.base import TenantgateError, register

SYS_001 = register(
    "SYS_001",
    503,
    "The database can't be reached",
    cause="PostgreSQL is down, unreachable or out of connections. The readiness check also returns this code if the "
    "database's schema is older than the code (`checks.schema` is `failed`).",
    remedy="Try again shortly. Operators: see the readiness check and `DATABASE_URL`. If `checks.schema` is `failed`, "
    "run the migrations (docs/OPERATIONS.md).",
)


SYS_007 = register(
    "SYS_007",
    409,
    "Another migration is running",
    cause="Another process has held the database's migration lock for half a minute.",
    remedy="Wait until it has finished, then run the migration again.",
)


SYS_008 = register(
    "SYS_008",
    500,
    "A migration failed",
    cause="PostgreSQL rejected one of its statements, or the application's login can't be created. The failed "
    "migration was rolled back.",
    remedy="`error.detail` has the revision and the reason. Fix the migration or the data, and run it again. If "
    "permission was denied, or the role must be the owner, set `DATABASE_OWNER_URL` (or "
    "`DATABASE_URL`, if it is the only one) to the owner's URL.",
)


SYS_013 = register(
    "SYS_013",
    409,
    "The database was made by a newer Tenantgate",
    cause="The database's revision is not one of this version's migrations: a newer version, or another branch, has "
    "migrated it.",
    remedy="Run the version that migrated it, or use it to migrate down first. A rollback needs neither: this version "
    "serves with the newer schema (docs/OPERATIONS.md).",
)


class DatabaseUnreachable(TenantgateError):
    error = SYS_001
    retry_after = 1


class MigrationBusy(TenantgateError):
    error = SYS_007


class MigrationFailed(TenantgateError):
    error = SYS_008


class MadeByNewer(TenantgateError):
    """The database's revision is unknown here. `detail`: `revision`, and `newest_known` of this version."""

    error = SYS_013
