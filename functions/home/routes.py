"""`GET /`: the home page, which starts a sign-in or shows the session of the browser."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from tenantgate.crypto.errors import KeyServiceUnavailable
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.access import AuthenticationRequired, SessionEnded
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.web.accept import prefers_html
from tenantgate.web.cookies import SESSION_COOKIE, clear_cookie, session_cookie
from tenantgate.web.counted import count_caller
from tenantgate.web.models import StrictModel
from tenantgate.web.pages.show_pages import ShowPages
from tenantgate.web.responses import error_responses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tenantgate.sessions.models import Session, StoredSession

# Set by the page's own script before it sends the browser to the provider, which returns it here without a parameter:
# providers compare the whole URL. It selects a heading and means nothing else, so a forged one is harmless.
SIGNED_OUT_COOKIE = "__Host-tg_signed_out"

router = APIRouter(tags=["health"])


class StatusResponse(StrictModel):
    status: Literal["ok"] = "ok"


@router.get(
    "/",
    operation_id="root",
    summary="Home page",
    response_model=StatusResponse,
    dependencies=[ShowPages],
    responses={
        200: {"content": {"text/html": {"schema": {"type": "string"}}}},
        **error_responses(DatabaseUnreachable, SecretsUnavailable, KeyServiceUnavailable),
    },
)
async def root(request: Request) -> Response:
    """Return `{"status":"ok"}`; a browser gets a page to sign in, or one that shows the signed-in user."""
    if not prefers_html(request.headers.get("accept")):
        return JSONResponse({"status": "ok"}, headers={"vary": "Accept"})
    from tenantgate.web.pages.rendering import page  # noqa: PLC0415  (Jinja2 is only for browsers)

    session, own, has_useless_cookie = await _live_session(request)
    signed_out = session is None and SIGNED_OUT_COOKIE in request.cookies
    response = page(
        "home.html", session=_displayed(request, session, own), signed_out=signed_out, marker=SIGNED_OUT_COOKIE
    )
    response.headers["vary"] = "Accept, Cookie"
    if has_useless_cookie:
        clear_cookie(request, SESSION_COOKIE)
    if SIGNED_OUT_COOKIE in request.cookies:
        clear_cookie(request, SIGNED_OUT_COOKIE)
    return response


async def _live_session(request: Request) -> tuple[Session | None, Sequence[StoredSession], bool]:
    """Return the cookie's session, all sessions of its user, and whether there is a cookie without a session.

    Raises `RateLimited`: the session is verified, so the request counts for its user and tenant.
    """
    try:
        secret = session_cookie(request)
    except AuthenticationRequired:
        # The page offers a sign-in, which replaces the cookie.
        return None, (), True
    if secret is None:
        return None, (), False
    # Only a signed-in browser needs these.
    from tenantgate.sessions.errors import EndedOnlyInPart, SecretReused  # noqa: PLC0415
    from tenantgate.sessions.wiring import session_service  # noqa: PLC0415

    try:
        service = await session_service()
        session = await service.find_live(secret)
        await count_caller(request.scope, session.user)
        return session, await service.of_user(session.user), False
    except (SessionEnded, SecretReused, EndedOnlyInPart):
        return None, (), True


def _displayed(request: Request, session: Session | None, own: Sequence[StoredSession]) -> dict[str, Any] | None:
    if session is None:
        return None
    from functions.home.displayed import displayed  # noqa: PLC0415  (only a signed-in browser needs it)

    return displayed(session, own, request.app.settings, now=time.time())
