"""A login for this database only, for hosting platforms that provide just the owner's URL.

The server must not run as the owner: row-level security doesn't bind a superuser, and an owner can remove it. So the
container creates a role for this one database, a member of `tenantgate_app`, and connects as that role. Its password is
derived from the owner's: every replica computes the same one, and it is stored nowhere. After a change of the owner's
password, the next start sets a new one.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit, urlunsplit

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from tenantgate.database.connection import connect
from tenantgate.database.errors import MigrationFailed
from tenantgate.database.failures import DRIVER_ERRORS
from tenantgate.database.owner import locked_connection
from tenantgate.database.roles import APPLICATION_ROLE, open_login

REMEDY = (
    "set DATABASE_OWNER_URL to the owner's URL, and DATABASE_URL to that of another login, a member of "
    + APPLICATION_ROLE
)
# The powers of a role, its own or by membership.
_POWERS = """
SELECT r.rolname, CASE
    WHEN r.rolsuper THEN 'is a superuser'
    WHEN r.rolbypassrls THEN 'may bypass row-level security'
    WHEN r.rolcreaterole THEN 'may create roles'
    WHEN r.rolreplication THEN 'may replicate'
    WHEN r.rolname LIKE 'pg\\_%' THEN 'reaches beyond one database'
    ELSE 'owns the database or something in it'
END
FROM pg_catalog.pg_roles r
WHERE pg_catalog.pg_has_role(CAST(:role AS name), r.oid, 'MEMBER')
AND (r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolreplication
     -- Everyone who owns the database is a member of this one.
     OR (r.rolname LIKE 'pg\\_%' AND r.rolname <> 'pg_database_owner')
     OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relowner = r.oid AND c.relpersistence <> 't')
     -- A schema's owner may drop and replace the tables in it; a function's may change what others run.
     OR EXISTS (SELECT FROM pg_catalog.pg_namespace n
                WHERE n.nspowner = r.oid AND r.rolname <> 'pg_database_owner')
     OR EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.proowner = r.oid)
     OR EXISTS (SELECT FROM pg_catalog.pg_database d WHERE d.datdba = r.oid AND d.datname = current_database()))
ORDER BY r.rolname <> :role, r.rolname
LIMIT 1
"""


def ensure_own_login(owner_url: str) -> str:
    """Create this database's login, or set its password, and return its URL. Call it after the migrations.

    The URL is the owner's with another user and password. Raises `MigrationFailed`, with reason and remedy in its
    detail, if the owner's URL has no password, the owner may not create roles, a role of that name has more rights than
    the application, or the login doesn't work; and `DatabaseUnreachable`. Blocks, as the migrations do.
    """
    return asyncio.run(_ensure_own_login(owner_url))


def role_name(database: str) -> str:
    """Return the login's name. Roles belong to the server, so it contains the database's name, within 63 bytes."""
    readable = re.sub(r"[^a-z0-9]+", "_", database.lower())[:32].strip("_")
    return f"tenantgate_{readable}_{hashlib.sha256(database.encode()).hexdigest()[:12]}"


def derived_password(owner_password: str, *, role: str, database: str) -> str:
    """Derive 43 characters of base64url by HKDF with SHA-256 (RFC 5869); names can't contain the NUL between them."""
    info = b"\0".join((b"tenantgate database login", role.encode(), database.encode()))
    key = HKDF(SHA256(), 32, salt=None, info=info).derive(owner_password.encode())
    return base64.urlsafe_b64encode(key).rstrip(b"=").decode()


async def _ensure_own_login(owner_url: str) -> str:
    parts = urlsplit(owner_url)
    if not parts.password:
        raise _failed("the owner's URL has no password to derive the login's from")
    async with locked_connection(owner_url) as connection:
        database = str(await connection.scalar(text("SELECT current_database()")))
        role = role_name(database)
        password = derived_password(unquote(parts.password), role=role, database=database)
        for existing in (role, APPLICATION_ROLE):
            await _require_harmless(connection, existing)
        try:
            await open_login(connection, role, password, reset_settings=True)
        except MigrationFailed as error:
            reason = error.detail["reason"] if isinstance(error.detail, Mapping) else error
            raise _failed(str(reason), role=role) from error
    host = parts.netloc.rpartition("@")[2]
    url = urlunsplit(("postgresql", f"{role}:{password}@{host}", parts.path, parts.query, ""))
    await _require_login(url, role)
    return url


async def _require_harmless(connection: AsyncConnection, role: str) -> None:
    """Reject an existing role with more than the application's rights."""
    if not await connection.scalar(text("SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = :role"), {"role": role}):
        return
    found = (await connection.execute(text(_POWERS), {"role": role})).first()
    await connection.rollback()
    if found is not None:
        through, power = found
        member = "" if through == role else f"is a member of {through}, which "
        raise _failed(f"the role {role} {member}{power}", role=role)


async def _require_login(url: str, role: str) -> None:
    # A pooler may have its own list of users, or connect to the server as another user.
    try:
        connection = await connect(url)
        try:
            user = await connection.fetchval("SELECT current_user")
        finally:
            connection.terminate()
    except DRIVER_ERRORS as error:
        raise _failed(f"the login was created, but can't be used: {error}", role=role) from error
    if user != role:
        raise _failed(f"the login was created, but its connection belongs to {user}", role=role)


def _failed(reason: str, **detail: str) -> MigrationFailed:
    return MigrationFailed("no login to serve with", detail={"reason": reason, "remedy": REMEDY, **detail})
