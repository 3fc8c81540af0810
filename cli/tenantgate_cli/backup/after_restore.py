"""The rule for credentials after a restore: all of them end.

A restored database has forgotten what happened after its moment: sign-outs, revocations, rotations. Its sessions and
refresh tokens may be those that a user ended, or that a thief's use has ended. So, before anyone can use the database:

- sessions, codes, browser sessions and refresh tokens are deleted;
- a revocation of every tenant refuses each token, and each copy of a session in Valkey, that was issued up to now;
- the epoch of revocations becomes the number of milliseconds since 1970, if that is higher: higher than any epoch that
  a process or Valkey has seen, since a change only adds one. A lower one would not be accepted for a minute.

What can't be restored is repeated by hand: revoked key ids, suspended tenants and their issuers, since that moment.
"""

from __future__ import annotations

from tenantgate.database.connection import Connection
from tenantgate.revoked.names import EVERY_TENANT

# The longest that a deployment can allow (JWT_MAX_LIFETIME_MINUTES, JWT_LEEWAY_SECONDS); its own may be shorter.
KEPT_SECONDS = 24 * 3600 + 300
# By foreign keys, `session_secrets` and `provider_used_refresh_tokens` go with these.
_CREDENTIALS = (
    *("sessions", "session_lookup"),
    *("provider_authorization_codes", "provider_browser_sessions", "provider_refresh_tokens"),
)
_NEXT_EPOCH = (
    "UPDATE public.revocation_epoch"
    " SET epoch = greatest(epoch, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) + 1 RETURNING epoch"
)
_REVOKE = (
    "INSERT INTO public.revocations AS r (kind, name, revoked_at, expires_at, epoch)"
    " VALUES ('tenant', $1, clock_timestamp(), clock_timestamp() + make_interval(secs => $2), $3)"
    " ON CONFLICT (name) DO UPDATE SET revoked_at = excluded.revoked_at, expires_at = excluded.expires_at,"
    " epoch = excluded.epoch"
)


async def end_all_credentials(connection: Connection) -> None:
    """End them in the caller's transaction, which sees every tenant's rows."""
    for table in _CREDENTIALS:
        await connection.execute(f"DELETE FROM public.{table}")  # noqa: S608  (constants)
    # Last: what was issued up to this moment is refused.
    epoch = await connection.fetchval(_NEXT_EPOCH)
    if epoch is None:
        epoch = await connection.fetchval(
            "INSERT INTO public.revocation_epoch (epoch)"
            " VALUES (floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) RETURNING epoch"
        )
    await connection.execute(_REVOKE, EVERY_TENANT, float(KEPT_SECONDS), epoch)
