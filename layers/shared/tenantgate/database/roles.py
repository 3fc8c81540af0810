"""The application role's login. The first migration creates the role with its rights, this module lets it log in.

Depending on `DATABASE_URL`:

- a user and a password (a container host, RDS without IAM): `ensure_login` sets that user's password as a SCRAM
  verifier, so that no statement and no server log contains the password;
- a user without a password, on RDS: the user gets `rds_iam`, and logs in with IAM tokens;
- on a developer's machine `EmbeddedPostgres` has already created the login, and `ensure_login` leaves it unchanged.

A user with another name than `tenantgate_app` becomes a member of that role and so has the same rights.
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
from tenantgate.database.owner import locked_connection, server_message, sqlstate

APPLICATION_ROLE = "tenantgate_app"
_SCRAM_ITERATIONS = 4096
_ATTEMPTS = 20
# Unique violation, duplicate object, deadlock (PostgreSQL, appendix A).
_RACES = frozenset({"23505", "42710", "40P01"})
# Equal to those that the first migration sets on `tenantgate_app`: members don't inherit them.
_TIME_LIMITS = {
    "statement_timeout": "10s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "30s",
}


def ensure_login(owner_url: str, application_url: str) -> None:
    """Let the user of `application_url` log in as the application; the owner must be allowed to create roles.

    Call it after the migrations. It is idempotent, and a changed password takes effect. Raises `MigrationFailed` if the
    owner lacks the right, `DatabaseUnreachable`. Blocks, as the migrations do.
    """
    asyncio.run(_ensure_login(owner_url, application_url))


async def _ensure_login(owner_url: str, application_url: str) -> None:
    async with locked_connection(owner_url) as connection:
        await open_application_login(connection, owner_url, application_url)


async def open_application_login(connection: AsyncConnection, owner_url: str, application_url: str) -> None:
    """Do the work of `ensure_login` on a connection with the migration lock."""
    target = make_url(application_url)
    if target.username is None or target.username == make_url(owner_url).username:
        # The same user for both: there is no login to create. The readiness check reports the problem.
        return
    if target.password is not None and not target.password.isascii():
        # Other characters need SASLprep (RFC 4013), which clients implement differently.
        raise MigrationFailed(
            "the login can't be made",
            detail={"role": target.username, "reason": "its password must have only ASCII characters"},
        )
    await open_login(connection, target.username, target.password)


async def open_login(
    connection: AsyncConnection, user: str, password: str | None, *, reset_settings: bool = False
) -> None:
    """Create or change the login as `ensure_login` does, on a connection with the migration lock; commits.

    `reset_settings` undoes `ALTER ROLE … SET`, which a role may run on itself: an attacker's `search_path` must not
    survive the attack.

    The lock belongs to the database, roles belong to the server: if another database's start changes the same role at
    the same time, this waits and tries again.
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
                    "the login can't be made", detail={"role": user, "reason": server_message(error)}
                ) from error
        else:
            return
        await asyncio.sleep(random.uniform(0.01, 0.1) * (attempt + 1))  # noqa: S311  (jitter, not a secret)


def _is_race(error: exc.DBAPIError) -> bool:
    """Tell whether another connection changed the same role first."""
    state = sqlstate(error)
    return state in _RACES or (state == "XX000" and "concurrently" in str(error.orig))


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
    """Compute PostgreSQL's stored form of an ASCII password (RFC 5803, RFC 7677). It doesn't allow a login."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _SCRAM_ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    keys = f"{base64.b64encode(stored).decode()}:{base64.b64encode(server).decode()}"
    return f"SCRAM-SHA-256${_SCRAM_ITERATIONS}:{base64.b64encode(salt).decode()}${keys}"
