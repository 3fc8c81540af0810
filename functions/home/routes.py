"""`GET /`: the home page, which starts a sign-in or shows the session of the browser."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.sessions.errors import SessionEnded
from tenantgate.web.accept import prefers_html
from tenantgate.web.cookies import SESSION_COOKIE, clear_cookie
from tenantgate.web.models import StrictModel
from tenantgate.web.pages.show_pages import ShowPages
from tenantgate.web.responses import error_responses

if TYPE_CHECKING:
    from tenantgate.sessions.models import Session

router = APIRouter(tags=["health"])


class StatusResponse(StrictModel):
    status: Literal["ok"] = "ok"


@router.get(
    "/",
    operation_id="root",
    summary="Home page",
    response_model=StatusResponse,
    dependencies=[ShowPages],
    responses=error_responses(DatabaseUnreachable, SecretsUnavailable),
)
async def root(request: Request) -> Response:
    """Return `{"status":"ok"}`; a browser gets a page to sign in, or one that shows the signed-in user."""
    if not prefers_html(request.headers.get("accept")):
        return JSONResponse({"status": "ok"}, headers={"vary": "Accept"})
    from tenantgate.web.pages.rendering import page  # noqa: PLC0415  (Jinja2 is only for browsers)

    cookie = request.cookies.get(SESSION_COOKIE)
    session = await _live_session(cookie) if cookie else None
    response = page("home.html", session=_displayed(session) if session else None)
    response.headers["vary"] = "Accept, Cookie"
    if cookie and session is None:
        clear_cookie(request, SESSION_COOKIE)
    return response


async def _live_session(cookie: str) -> Session | None:
    from tenantgate.sessions.wiring import session_service  # noqa: PLC0415  (only a signed-in browser needs it)

    try:
        return await (await session_service()).find_live(cookie)
    except SessionEnded:
        return None


def _displayed(session: Session) -> dict[str, Any]:
    return {
        "user_id": session.user_id,
        "tenant_id": session.tenant_id,
        "issuer": session.issuer,
        "expires": datetime.fromtimestamp(session.expires_at, UTC),
        "claims": [
            (name, json.dumps(value, ensure_ascii=False)) for name, value in _claims(session.tokens.access_token)
        ],
    }


def _claims(token: str) -> list[tuple[str, object]]:
    """Read the claims for display: the token was verified before it was sealed into the session."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, IndexError):
        return []
    return list(claims.items()) if isinstance(claims, dict) else []
