"""Rows of the provider's tables as what they stand for."""

from __future__ import annotations

from tenantgate.database.moments import whole_seconds
from tenantgate.database.unit import Row
from tenantgate.openid_provider.models import AuthorizationCode, BrowserSession, RefreshToken


def code(row: Row) -> AuthorizationCode:
    return AuthorizationCode(
        digest=row["code_hash"],
        client_id=row["client_id"],
        redirect_uri=row["redirect_uri"],
        scope=row["scope"],
        tenant_id=row["tenant_id"],
        user_id=str(row["user_id"]),
        sid=str(row["sid"]),
        auth_time=whole_seconds(row["auth_time"]),
        code_challenge=row["code_challenge"],
        nonce=row["nonce"],
        expires_at=whole_seconds(row["expires_at"]),
    )


def refresh_token(row: Row) -> RefreshToken:
    return RefreshToken(
        family_id=str(row["id"]),
        digest=row["token_hash"],
        code_digest=row["code_hash"],
        client_id=row["client_id"],
        scope=row["scope"],
        tenant_id=row["tenant_id"],
        user_id=str(row["user_id"]),
        sid=str(row["sid"]),
        auth_time=whole_seconds(row["auth_time"]),
        expires_at=whole_seconds(row["expires_at"]),
        ends_at=whole_seconds(row["ends_at"]),
    )


def browser_session(row: Row) -> BrowserSession:
    return BrowserSession(
        digest=row["cookie_hash"],
        sid=str(row["sid"]),
        tenant_id=row["tenant_id"],
        user_id=str(row["user_id"]),
        auth_time=whole_seconds(row["auth_time"]),
        expires_at=whole_seconds(row["expires_at"]),
    )
