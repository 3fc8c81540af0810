"""PostgreSQL as the application's role: its rights, row-level security, TLS, and the schema's revision."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import asyncpg

from tenantgate.database.connection import Connection, connect
from tenantgate.database.known_revisions import KNOWN_REVISIONS
from tenantgate.urls import is_loopback
from tenantgate_cli.doctor.configuration import Configuration
from tenantgate_cli.outcomes import Finding, failed, ok, skipped, warning

SECONDS = 5.0
_ROLE = """
SELECT current_user AS name, r.rolsuper AS super, r.rolbypassrls AS bypasses,
       current_setting('server_version') AS version,
       coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS tls,
       EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
               AND pg_has_role(current_user, c.relowner, 'MEMBER')
               AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')) AS owns
FROM pg_roles r WHERE r.rolname = current_user
"""
# A table with a policy separates tenants; it must do so for its owner, too.
_TABLES = """
SELECT c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AS forced
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
  AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)
ORDER BY c.relname
"""
_MIGRATED = "SELECT coalesce(has_table_privilege(to_regclass('alembic_version'), 'SELECT'), false)"
_REVISION = "SELECT version_num FROM alembic_version"
UNSAFE_FIX = "use the application's role in DATABASE_URL, and the owner's in DATABASE_OWNER_URL"
_MIGRATE_FIX = "tenantgate migrate up"


def database(of: Configuration) -> Finding:
    """Check the role: it must not be able to read other tenants' rows, and its connection must have TLS."""
    url = of.settings.database_url
    if url is None:
        return skipped("DATABASE_URL is not set: only the authorizer works without a database")

    async def work(connection: Connection) -> Finding:
        row = await connection.fetchrow(_ROLE)
        unsafe = [word for name, word in _UNSAFE.items() if row[name]]
        if unsafe:
            return failed(f"the role {row['name']} {', and '.join(unsafe)}", UNSAFE_FIX)
        text = f"PostgreSQL {row['version']}, role {row['name']}, {'TLS' if row['tls'] else 'no TLS'}"
        return _protected(of, url, text, tls=row["tls"])

    return on_database(url, work)


_UNSAFE = {
    "super": "is a superuser",
    "bypasses": "bypasses row-level security",
    "owns": "owns tables, and could switch row-level security off",
}


def row_security(of: Configuration) -> Finding:
    """Check that each table with a policy forces it."""
    url = of.settings.database_url
    if url is None:
        return skipped("DATABASE_URL is not set")

    async def work(connection: Connection) -> Finding:
        rows = await connection.fetch(_TABLES)
        if not rows:
            return failed("no table has a policy", _MIGRATE_FIX)
        open_tables = [row["name"] for row in rows if not row["forced"]]
        if open_tables:
            names = ", ".join(open_tables)
            fix = f"as the owner: ALTER TABLE {open_tables[0]} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
            return failed(f"row-level security isn't forced on {names}", fix)
        return ok(f"forced on {len(rows)} tables")

    return on_database(url, work)


def schema(of: Configuration) -> Finding:
    """Compare the schema's revision with the newest one of this code."""
    url = of.settings.database_url
    if url is None:
        return skipped("DATABASE_URL is not set")

    async def work(connection: Connection) -> Finding:
        revision = await connection.fetchval(_REVISION) if await connection.fetchval(_MIGRATED) else None
        newest = KNOWN_REVISIONS[-1]
        if revision == newest:
            return ok(f"revision {revision}, the newest")
        if revision is None or revision in KNOWN_REVISIONS:
            return failed(f"revision {revision or 'none'}, and this code needs {newest}", _MIGRATE_FIX)
        return warning(f"revision {revision} is newer than this code ({newest})", "deploy the version that made it")

    return on_database(url, work)


def on_database(url: str, work: Callable[[Connection], Awaitable[Finding]]) -> Finding:
    """Connect and run `work`. A database that can't be reached is a failure."""
    return asyncio.run(_on_database(url, work))


async def _on_database(url: str, work: Callable[[Connection], Awaitable[Finding]]) -> Finding:
    try:
        connection = await connect(url, attempt_seconds=SECONDS, statement_seconds=SECONDS)
        try:
            return await work(connection)
        finally:
            connection.terminate()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        where = urlsplit(url)
        text = str(error).split("\n", 1)[0] or "no response in time"
        fix = "start PostgreSQL, or correct user, password and sslmode in the URL"
        return failed(f"{where.hostname}:{where.port or 5432}: {type(error).__name__}: {text}", fix)


def _protected(of: Configuration, url: str, text: str, *, tls: bool) -> Finding:
    if is_loopback(urlsplit(url).hostname or "localhost"):
        return ok(text)
    if not tls:
        return warning(text, "add ?sslmode=verify-full to DATABASE_URL, unless the network is private")
    if of.settings.database_tls != "verify-full":
        return warning(
            f"{text}, but the server isn't verified", "set DATABASE_TLS=verify-full, and sslmode=verify-full"
        )
    return ok(text)
