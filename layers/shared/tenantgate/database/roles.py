"""How the application's role gets its login. The first migration makes the role and its rights; this opens the door.

Three ways, by what `DATABASE_URL` holds:

- a user and a password (a container host, RDS without IAM): `ensure_login` gives that user the password, as a SCRAM
  verifier, so that the password itself is in no statement and no log of the server;
- a user without a password, on RDS: the user gets `rds_iam`, and logs in with IAM tokens;
- on a developer's machine `EmbeddedPostgres` has made the login already, and `ensure_login` changes nothing of it.

A user with another name than `tenantgate_app` is made its member and has the same rights by that.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import random

from sqlalchemy import exc, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection

from tenantgate.database.errors import MigrationFailed
from tenantgate.database.migrator import locked_connection, told

APPLICATION_ROLE = "tenantgate_app"
_SCRAM_ITERATIONS = 4096
_ATTEMPTS = 20
# Unique violation, duplicate object, deadlock (PostgreSQL, appendix A).
_RACES = frozenset({"23505", "42710", "40P01"})
# Those that the first migration sets on `tenantgate_app`: a member doesn't inherit them.
_TIME_LIMITS = {
    "statement_timeout": "10s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "30s",
}


def ensure_login(owner_url: str, application_url: str) -> None:
    """Let the user of `application_url` log in as the application; needs an owner that may create roles.

    Run it after the migrations; again and again does no harm, and a changed password takes effect. Raises
    `MigrationFailed` when the owner may not do it, `DatabaseUnreachable`. Blocks, as the migrations do.
    """
    asyncio.run(_ensure_login(owner_url, application_url))


async def _ensure_login(owner_url: str, application_url: str) -> None:
    target = make_url(application_url)
    if target.username is None or target.username == make_url(owner_url).username:
        # One user for both: nothing to open. The readiness check says what is wrong with that.
        return
    if target.password is not None and not target.password.isascii():
        # Others would need SASLprep (RFC 4013), on which clients differ.
        raise MigrationFailed(
            "the login can't be made",
            detail={"role": target.username, "reason": "its password must be made of ASCII characters"},
        )
    async with locked_connection(owner_url) as connection:
        await open_login(connection, target.username, target.password)


async def open_login(
    connection: AsyncConnection, user: str, password: str | None, *, reset_settings: bool = False
) -> None:
    """Do what `ensure_login` promises, on a connection that holds the migration's lock; commits.

    `reset_settings` undoes what `ALTER ROLE … SET` left, which a role may run on itself: a `search_path` that finds no
    table would outlive the break-in that wrote it.

    That lock is the database's, roles are the server's: what another database's start does to the same role at this
    moment is waited out.
    """
    for attempt in range(_ATTEMPTS):
        try:
            await _open(connection, user, password, reset_settings)
            await connection.commit()
        except exc.DBAPIError as error:
            if error.connection_invalidated:
                raise
            await connection.rollback()
            if attempt == _ATTEMPTS - 1 or not _is_race(error):
                raise MigrationFailed(
                    "the login can't be made", detail={"role": user, "reason": told(error)}
                ) from error
        else:
            return
        await asyncio.sleep(random.uniform(0.01, 0.1) * (attempt + 1))  # noqa: S311  (spread, not secret)


def _is_race(error: exc.DBAPIError) -> bool:
    """Tell whether another connection changed the same role first."""
    sqlstate = getattr(error.orig, "sqlstate", None)
    return sqlstate in _RACES or (sqlstate == "XX000" and "concurrently" in told(error))


async def _open(connection: AsyncConnection, user: str, password: str | None, reset_settings: bool) -> None:
    database = str(await connection.scalar(text("SELECT current_database()")))
    if not await _role_exists(connection, user):
        await _run(connection, "CREATE ROLE %I LOGIN NOBYPASSRLS", user)
    if password is not None:
        await _run(connection, "ALTER ROLE %I LOGIN PASSWORD %L", user, scram_verifier(password))
    else:
        await _run(connection, "ALTER ROLE %I LOGIN", user)
        if await _role_exists(connection, "rds_iam"):
            await _run(connection, "GRANT %I TO %I", "rds_iam", user)
    if user != APPLICATION_ROLE:
        await _run(connection, "GRANT %I TO %I", APPLICATION_ROLE, user)
    if reset_settings:
        await _run(connection, "ALTER ROLE %I RESET ALL", user)
        await _run(connection, "ALTER ROLE %I IN DATABASE %I RESET ALL", user, database)
    for setting, value in _TIME_LIMITS.items():
        await _run(connection, "ALTER ROLE %I SET %I = %L", user, setting, value)
    await _run(connection, "GRANT CONNECT ON DATABASE %I TO %I", database, user)


async def _run(connection: AsyncConnection, form: str, *names: str) -> None:
    """Run a statement that takes no bound parameters: PostgreSQL itself quotes its names and values."""
    places = ", ".join(f"CAST(:p{number} AS text)" for number in range(len(names)))
    quoted = await connection.scalar(
        text(f"SELECT format(:form, {places})"),
        {"form": form, **{f"p{number}": name for number, name in enumerate(names)}},
    )
    await connection.exec_driver_sql(str(quoted))


async def _role_exists(connection: AsyncConnection, name: str) -> bool:
    found = await connection.scalar(
        text("SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = :name)"), {"name": name}
    )
    return bool(found)


def scram_verifier(password: str) -> str:
    """What PostgreSQL stores for a password of ASCII characters (RFC 5803, RFC 7677): from it nobody can log in."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _SCRAM_ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    keys = f"{base64.b64encode(stored).decode()}:{base64.b64encode(server).decode()}"
    return f"SCRAM-SHA-256${_SCRAM_ITERATIONS}:{base64.b64encode(salt).decode()}${keys}"
