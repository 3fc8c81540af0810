"""The provider's stores on PostgreSQL. Signing keys belong to no tenant, everything else belongs to one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from tenantgate.database.moments import moment
from tenantgate.database.unit import Database, Row, Unit
from tenantgate.openid_provider.models import (
    SIGNING_ALGORITHMS,
    AuthorizationCode,
    BrowserSession,
    RefreshToken,
    StoredKey,
)
from tenantgate.openid_provider.storage.rows import browser_session, code, refresh_token

# Used and expired codes stay for a while, so that a reuse can be investigated.
_CODES_KEPT = timedelta(hours=1)

_LOAD_KEYS = "SELECT kid, algorithm, sealed_jwk FROM provider_signing_keys ORDER BY algorithm"
# The second of two concurrent statements waits for the first to commit, and then adds nothing.
_ADD_KEY = """
INSERT INTO provider_signing_keys (kid, algorithm, sealed_jwk) VALUES ($1, $2, $3) ON CONFLICT (algorithm) DO NOTHING
"""
_REMOVE_KEY = "DELETE FROM provider_signing_keys WHERE kid = $1"

_FORGET_CODES = "DELETE FROM provider_authorization_codes WHERE tenant_id = $1 AND expires_at < $2"
_SAVE_CODE = """
INSERT INTO provider_authorization_codes (
    tenant_id, code_hash, client_id, redirect_uri, scope, user_id, sid, auth_time, code_challenge, nonce, expires_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""
# One statement: PostgreSQL lets one of several concurrent redemptions change the row. The others wait for its commit
# and then find `redeemed_at` set.
_REDEEM_CODE = """
UPDATE provider_authorization_codes SET redeemed_at = $4
WHERE tenant_id = $1 AND code_hash = $2 AND client_id = $3 AND redeemed_at IS NULL AND expires_at > $4
RETURNING
    tenant_id, code_hash, client_id, redirect_uri, scope, user_id, sid, auth_time, code_challenge, nonce, expires_at
"""

_FORGET_FAMILIES = "DELETE FROM provider_refresh_tokens WHERE tenant_id = $1 AND expires_at < $2"
# A revocation deletes the code first. Either it waits for this statement's lock and then finds the family, or it was
# faster and this statement finds no code.
_SAVE_FAMILY = """
INSERT INTO provider_refresh_tokens (
    tenant_id, id, token_hash, code_hash, client_id, scope, user_id, sid, auth_time, expires_at, ends_at
)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11
FROM provider_authorization_codes WHERE tenant_id = $1 AND code_hash = $4 FOR KEY SHARE
RETURNING id
"""
_FIND_FAMILY = """
SELECT tenant_id, id, token_hash, code_hash, client_id, scope, user_id, sid, auth_time, expires_at, ends_at
FROM provider_refresh_tokens WHERE tenant_id = $1 AND token_hash = $2
"""
_FIND_FAMILY_OF_USED = """
SELECT
    family.tenant_id, family.id, family.token_hash, family.code_hash, family.client_id, family.scope, family.user_id,
    family.sid, family.auth_time, family.expires_at, family.ends_at
FROM provider_used_refresh_tokens AS used
JOIN provider_refresh_tokens AS family ON family.tenant_id = used.tenant_id AND family.id = used.family_id
WHERE used.tenant_id = $1 AND used.token_hash = $2
"""
# One statement: PostgreSQL lets one of several concurrent rotations change the row. The others wait for its commit and
# then find another `token_hash`. A revocation deletes the row, so none follows it.
_ROTATE = """
WITH rotated AS (
    UPDATE provider_refresh_tokens SET token_hash = $4, expires_at = $5
    WHERE tenant_id = $1 AND id = $2 AND token_hash = $3
    RETURNING tenant_id, id
)
INSERT INTO provider_used_refresh_tokens (tenant_id, family_id, token_hash)
SELECT tenant_id, id, $3 FROM rotated
RETURNING family_id
"""
_REVOKE = "DELETE FROM provider_refresh_tokens WHERE tenant_id = $1 AND id = $2 RETURNING id"
_REMOVE_CODE = "DELETE FROM provider_authorization_codes WHERE tenant_id = $1 AND code_hash = $2 AND client_id = $3"
_REMOVE_CODES_OF_SESSION = "DELETE FROM provider_authorization_codes WHERE tenant_id = $1 AND sid = $2"
_REVOKE_FOR_CODE = "DELETE FROM provider_refresh_tokens WHERE tenant_id = $1 AND code_hash = $2 AND client_id = $3"
_REVOKE_FOR_SESSION = "DELETE FROM provider_refresh_tokens WHERE tenant_id = $1 AND sid = $2"

_FORGET_BROWSER_SESSIONS = "DELETE FROM provider_browser_sessions WHERE tenant_id = $1 AND expires_at < $2"
_SAVE_BROWSER_SESSION = """
INSERT INTO provider_browser_sessions (tenant_id, cookie_hash, sid, user_id, auth_time, expires_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""
_FIND_BROWSER_SESSION = """
SELECT tenant_id, cookie_hash, sid, user_id, auth_time, expires_at FROM provider_browser_sessions
WHERE tenant_id = $1 AND cookie_hash = $2
"""
_REMOVE_BROWSER_SESSION = "DELETE FROM provider_browser_sessions WHERE tenant_id = $1 AND cookie_hash = $2 RETURNING id"

_OF_USER = """
SELECT 'authorization_code' AS kind, id, client_id, scope, auth_time, expires_at FROM provider_authorization_codes
WHERE tenant_id = $1 AND user_id = $2
UNION ALL
SELECT 'refresh_token', id, client_id, scope, auth_time, expires_at FROM provider_refresh_tokens
WHERE tenant_id = $1 AND user_id = $2
UNION ALL
SELECT 'browser_session', id, NULL, NULL, auth_time, expires_at FROM provider_browser_sessions
WHERE tenant_id = $1 AND user_id = $2
"""
_REMOVE_OF_USER = """
WITH codes AS (DELETE FROM provider_authorization_codes WHERE tenant_id = $1 AND user_id = $2 RETURNING id),
tokens AS (DELETE FROM provider_refresh_tokens WHERE tenant_id = $1 AND user_id = $2 RETURNING id),
browsers AS (DELETE FROM provider_browser_sessions WHERE tenant_id = $1 AND user_id = $2 RETURNING id)
SELECT id FROM codes UNION ALL SELECT id FROM tokens UNION ALL SELECT id FROM browsers
"""


class KeyRepository:
    """The key store on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> list[StoredKey]:
        async with self._database.untenanted() as unit:
            rows = await unit.fetch_all(_LOAD_KEYS)
        return [
            StoredKey(row["kid"], algorithm, row["sealed_jwk"])
            for row in rows
            for algorithm in SIGNING_ALGORITHMS
            if algorithm == row["algorithm"]
        ]

    async def add(self, key: StoredKey) -> None:
        async with self._database.untenanted() as unit:
            await unit.execute(_ADD_KEY, key.kid, key.algorithm, key.sealed_jwk)

    async def remove(self, kid: str) -> None:
        async with self._database.untenanted() as unit:
            await unit.execute(_REMOVE_KEY, kid)


class CodeRepository:
    """The code store on PostgreSQL: one transaction per call, inside the tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, code: AuthorizationCode) -> None:
        expires_at = moment(code.expires_at)
        async with self._database.tenant(code.tenant_id) as unit:
            await unit.execute(_FORGET_CODES, code.tenant_id, expires_at - _CODES_KEPT)
            await unit.execute(
                _SAVE_CODE,
                code.tenant_id,
                code.digest,
                code.client_id,
                code.redirect_uri,
                code.scope,
                UUID(code.user_id),
                UUID(code.sid),
                moment(code.auth_time),
                code.code_challenge,
                code.nonce,
                expires_at,
            )

    async def redeem(self, digest: bytes, *, tenant_id: str, client_id: str, now: int) -> AuthorizationCode | None:
        async with self._database.tenant(tenant_id) as unit:
            row = await unit.fetch_one(_REDEEM_CODE, tenant_id, digest, client_id, moment(now))
        return None if row is None else code(row)


class RefreshTokenRepository:
    """The refresh token store on PostgreSQL: one transaction per call, inside the tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, token: RefreshToken) -> bool:
        auth_time = moment(token.auth_time)
        async with self._database.tenant(token.tenant_id) as unit:
            await unit.execute(_FORGET_FAMILIES, token.tenant_id, auth_time)
            row = await unit.fetch_one(
                _SAVE_FAMILY,
                token.tenant_id,
                UUID(token.family_id),
                token.digest,
                token.code_digest,
                token.client_id,
                token.scope,
                UUID(token.user_id),
                UUID(token.sid),
                auth_time,
                moment(token.expires_at),
                moment(token.ends_at),
            )
        return row is not None

    async def find(self, digest: bytes, *, tenant_id: str) -> RefreshToken | None:
        async with self._database.tenant(tenant_id) as unit:
            row = await unit.fetch_one(_FIND_FAMILY, tenant_id, digest)
            row = row or await unit.fetch_one(_FIND_FAMILY_OF_USED, tenant_id, digest)
        return None if row is None else refresh_token(row)

    async def rotate(self, token: RefreshToken, successor: RefreshToken) -> bool:
        values = token.digest, successor.digest, moment(successor.expires_at)
        async with self._database.tenant(token.tenant_id) as unit:
            row = await unit.fetch_one(_ROTATE, token.tenant_id, UUID(token.family_id), *values)
        return row is not None

    async def revoke(self, token: RefreshToken) -> bool:
        async with self._database.tenant(token.tenant_id) as unit:
            row = await unit.fetch_one(_REVOKE, token.tenant_id, UUID(token.family_id))
        return row is not None

    async def revoke_for_code(self, digest: bytes, *, tenant_id: str, client_id: str) -> None:
        async with self._database.tenant(tenant_id) as unit:
            await unit.execute(_REMOVE_CODE, tenant_id, digest, client_id)
            await unit.execute(_REVOKE_FOR_CODE, tenant_id, digest, client_id)

    async def revoke_for_session(self, sid: str, *, tenant_id: str) -> None:
        async with self._database.tenant(tenant_id) as unit:
            await unit.execute(_REMOVE_CODES_OF_SESSION, tenant_id, UUID(sid))
            await unit.execute(_REVOKE_FOR_SESSION, tenant_id, UUID(sid))


class BrowserSessionRepository:
    """The browser session store on PostgreSQL: one transaction per call, inside the tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, session: BrowserSession) -> None:
        auth_time = moment(session.auth_time)
        async with self._database.tenant(session.tenant_id) as unit:
            await unit.execute(_FORGET_BROWSER_SESSIONS, session.tenant_id, auth_time)
            await unit.execute(
                _SAVE_BROWSER_SESSION,
                session.tenant_id,
                session.digest,
                UUID(session.sid),
                UUID(session.user_id),
                auth_time,
                moment(session.expires_at),
            )

    async def find(self, digest: bytes, *, tenant_id: str) -> BrowserSession | None:
        async with self._database.tenant(tenant_id) as unit:
            row = await unit.fetch_one(_FIND_BROWSER_SESSION, tenant_id, digest)
        return None if row is None else browser_session(row)

    async def remove(self, digest: bytes, *, tenant_id: str) -> bool:
        async with self._database.tenant(tenant_id) as unit:
            row = await unit.fetch_one(_REMOVE_BROWSER_SESSION, tenant_id, digest)
        return row is not None


class ExpiredRepository:
    """The rows that have expired. Each kind is also removed when another row of it is saved in the tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def remove(self, tenant_id: str, *, now: float) -> None:
        at = moment(now)
        async with self._database.tenant(tenant_id) as unit:
            await unit.execute(_FORGET_CODES, tenant_id, at - _CODES_KEPT)
            await unit.execute(_FORGET_FAMILIES, tenant_id, at)
            await unit.execute(_FORGET_BROWSER_SESSIONS, tenant_id, at)


class UserRowsRepository:
    """All rows of a user, by kind."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_user(self, tenant_id: str, user_id: UUID) -> Sequence[Row]:
        async with self._database.tenant(tenant_id) as unit:
            return await unit.fetch_all(_OF_USER, tenant_id, user_id)

    @staticmethod
    async def remove_in(unit: Unit, tenant_id: str, user_id: UUID) -> int:
        """Remove them inside a unit of work in the tenant; return their number."""
        return len(await unit.fetch_all(_REMOVE_OF_USER, tenant_id, user_id))
