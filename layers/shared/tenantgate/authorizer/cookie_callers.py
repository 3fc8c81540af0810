"""Callers that are known by their session cookie.

A browser sends the cookie with every request to its host, including requests that another site's page makes. So a
change by cookie needs two proofs of its own page: the browser's statement of the page's origin, and the session's CSRF
token, which only an allowed origin can read (OWASP "CSRF Prevention", Fetch Metadata). A WebSocket handshake can carry
no CSRF token; it needs the origin, since a page of any site may open a WebSocket to any host.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from tenantgate.authorizer.events import WEBSOCKET, AuthorizerCall
from tenantgate.errors.access import CrossSiteRequest, CsrfTokenMissing, CsrfTokenWrong
from tenantgate.errors.base import Word
from tenantgate.identity.presented import presented_session

if TYPE_CHECKING:
    from tenantgate.identity.principal import Principal
    from tenantgate.identity.session import CachedSessions
    from tenantgate.revoked.snapshot import Snapshot

# RFC 9110 §9.2.1, without TRACE, which API Gateway doesn't pass on. $connect is none of them.
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class CookieCallers:
    """Turns a session cookie into the principal of its session."""

    def __init__(
        self,
        sessions: CachedSessions,
        origins: Collection[str],
        revocations: Callable[[], Snapshot],
        *,
        region: str | None = None,
    ) -> None:
        """Take the sessions, and the origins whose pages may make changes, each in its serialized form.

        `revocations` returns the current ones, or raises `RevocationUnknown`. With `region`, the address that API
        Gateway gave the API in this region is one of the origins, too: for deployments without `PUBLIC_BASE_URL`.
        """
        self._sessions = sessions
        self._origins = origins
        self._region = region
        self._revocations = revocations

    def principal(self, call: AuthorizerCall, secret: str) -> Principal:
        """Return the caller of a request with this session cookie.

        Raises `CrossSiteRequest` for a change from another site, and for one without the session's CSRF token;
        `SessionEnded`, `TenantNotAllowed`; `CacheUnavailable` and `RevocationUnknown`.
        """
        changes = call.method not in _SAFE_METHODS
        if changes:
            # Before the session is read: another site's page learns nothing about it, and doesn't mark it as used.
            self._require_same_site(call)
        found = self._sessions.find(secret)
        if changes and call.kind != WEBSOCKET:
            _require_csrf_token(call, found.entry.csrf_token)
        # The entry may outlive what ends the session: the end of its user, its tenant, or its issuer there.
        self._revocations().require_session(presented_session(found.entry))
        self._sessions.mark_used(found)
        return found.entry.principal()

    def _require_same_site(self, call: AuthorizerCall) -> None:
        """Raise `CrossSiteRequest` unless the request comes from an allowed origin; the web functions' own rule."""
        origin = call.header("origin")
        if origin is not None:
            if origin not in self._origins and not self._is_own(call, origin):
                raise CrossSiteRequest("the page's origin isn't allowed", expected=sorted(self._origins), actual=origin)
            return
        site = call.header("sec-fetch-site")
        if site not in ("same-origin", "none"):
            actual = site if site is None else f"Sec-Fetch-Site: {site}"
            raise CrossSiteRequest("the request names no origin", expected=sorted(self._origins), actual=actual)

    def _is_own(self, call: AuthorizerCall, origin: str) -> bool:
        if self._region is None:
            return False
        from tenantgate.own_address import own_address  # noqa: PLC0415  (most deployments have PUBLIC_BASE_URL)

        return origin == own_address(call.event.get("requestContext"), self._region)


def _require_csrf_token(call: AuthorizerCall, expected: str) -> None:
    # Imported here: most requests by cookie change nothing.
    from tenantgate.crypto.comparison import same_text  # noqa: PLC0415

    sent = call.header("x-csrf-token")
    if not sent:
        raise CsrfTokenMissing("the header X-CSRF-Token is missing", actual=Word("missing"))
    if not same_text(sent, expected):
        raise CsrfTokenWrong("X-CSRF-Token isn't the session's", actual=Word("another text"))
