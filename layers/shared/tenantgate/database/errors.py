"""Failures of the database and its migrations."""

from __future__ import annotations

from tenantgate.errors.base import TenantgateError, register

SYS_001 = register(
    "SYS_001",
    503,
    "The database can't be reached",
    cause="PostgreSQL is down, unreachable or out of connections.",
    remedy="Try again shortly. Operators: see the readiness check and `DATABASE_URL`.",
)


SYS_007 = register(
    "SYS_007",
    409,
    "Another migration is running",
    cause="Somebody else holds the database's migration lock, and kept it for half a minute.",
    remedy="Wait until it has ended, and run yours again.",
)


SYS_008 = register(
    "SYS_008",
    500,
    "A migration failed",
    cause="PostgreSQL refused one of its statements, or the login that it prepares can't be made. The failing "
    "migration left nothing behind.",
    remedy="`error.detail` says where it stopped and why. Fix the migration or the data, and run it again. Where "
    "permission was denied, `DATABASE_OWNER_URL` (or `DATABASE_URL` by itself) must be the owner's URL.",
)


class DatabaseUnreachable(TenantgateError):
    error = SYS_001


class MigrationBusy(TenantgateError):
    error = SYS_007


class MigrationFailed(TenantgateError):
    error = SYS_008
