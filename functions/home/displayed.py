"""The signed-in page's view of a session: the user, the claims, the user's sessions, in local development the token."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tenantgate.web.pages.moments import moment
from tenantgate.web.pages.printable import printable

if TYPE_CHECKING:
    from tenantgate.sessions.models import Session, StoredSession
    from tenantgate.settings.model import Settings

_TIMES = frozenset({"exp", "iat", "nbf", "auth_time", "updated_at"})
_LONGEST_NAME = 200
# The page shows the sessions that were used last. All of them can be ended at once.
_MOST_SESSIONS = 50
# Only characters without a meaning in any shell: users paste the line that contains the token.
_SAFE_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")


def displayed(session: Session, own: Sequence[StoredSession], settings: Settings, *, now: float) -> dict[str, Any]:
    """Return the context of `home.html`. `own`: all sessions of the user. `now`: epoch seconds.

    Name and email come from the tokens that the session keeps for other reasons: no more personal data is stored.
    """
    access_token = session.tokens.access_token
    claims, identity = _claims(access_token), _claims(session.tokens.id_token)
    return {
        "name": _text(identity, "name") or _text(claims, "name"),
        "email": _text(identity, "email") or _text(claims, "email"),
        "user_id": session.user.user_id,
        "tenant_id": session.user.tenant_id,
        "issuer": session.user.issuer,
        "expires": moment(session.expires_at, now=now),
        "claims": [
            (
                printable(name, longest=_LONGEST_NAME),
                printable(value),
                moment(value, now=now) if name in _TIMES and type(value) in (int, float) else None,
            )
            for name, value in claims.items()
        ],
        "developer": _for_developers(access_token, settings),
        "csrf_token": session.csrf_token,
        "own": [_of_user(stored, session, now=now) for stored in own[:_MOST_SESSIONS]],
        "more": max(0, len(own) - _MOST_SESSIONS),
    }


def _of_user(stored: StoredSession, current: Session, *, now: float) -> dict[str, Any]:
    """Describe one of the user's sessions."""
    return {
        "id": str(stored.id),
        "is_current": stored.id == current.id,
        "device": stored.device or "Unknown device",
        "address": stored.address,
        "created": moment(stored.created_at, now=now),
        "used": moment(stored.last_used_at, now=now),
    }


def _for_developers(access_token: str, settings: Settings) -> dict[str, str] | None:
    """Return the token and a command that uses it, only where no other machine can reach this stack."""
    if not settings.is_local_development or not _SAFE_TOKEN.match(access_token):
        return None
    url = f"{settings.public_base_url}/api/v1/auth/me"
    return {"token": access_token, "curl": f'curl -H "Authorization: Bearer {access_token}" {url}'}


def _claims(token: str) -> Mapping[str, Any]:
    """Read the claims for display: the token was verified before it was sealed into the session."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, IndexError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    return printable(value, longest=_LONGEST_NAME).strip() or None if isinstance(value, str) else None
