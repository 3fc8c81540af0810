"""The end session endpoint (OpenID Connect RP-Initiated Logout 1.0 and Back-Channel Logout 1.0)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from authlib.common.urls import add_params_to_uri

from tenantgate.errors.access import RedirectNotAllowed
from tenantgate.openid_provider.errors import AuthorizationRequestRefused
from tenantgate.openid_provider.models import BrowserSession, Client, Parameters
from tenantgate.openid_provider.protocol.forms import FormTokens
from tenantgate.openid_provider.protocol.hints import IdTokenHints
from tenantgate.openid_provider.protocol.keys import TokenRefused
from tenantgate.openid_provider.protocol.logout_tokens import LogoutDelivery, LogoutTokens
from tenantgate.openid_provider.protocol.requests import Submitted
from tenantgate.openid_provider.storage.browser_sessions import BrowserSessions
from tenantgate.openid_provider.storage.refresh_tokens import RefreshTokens

_FORM = "sign-out"


@dataclass(frozen=True, slots=True)
class SignedOut:
    """The browser session has ended. Send the browser to `location`, or show a page if it is None."""

    location: str | None


@dataclass(frozen=True, slots=True)
class SignOutNeedsConsent:
    """Ask the user: nothing proves that the client made the request, and any site could sign its visitors out (§6)."""

    form_token: str


class EndSessionService:
    """Ends browser sessions. Made for each request: `hints` and `logout_tokens` hold the current keys.

    The codes and refresh tokens of a live session end with it, even those with `offline_access`: no user consents here
    to access after the sign-out. The client gets a logout token before the browser gets the response.
    """

    def __init__(
        self,
        *,
        client: Client,
        browser_sessions: BrowserSessions,
        refresh_tokens: RefreshTokens,
        forms: FormTokens,
        hints: IdTokenHints,
        logout_tokens: LogoutTokens,
        deliver: LogoutDelivery,
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._browser_sessions = browser_sessions
        self._refresh_tokens = refresh_tokens
        self._forms = forms
        self._hints = hints
        self._logout_tokens = logout_tokens
        self._deliver = deliver
        self._clock = clock

    async def end(self, submitted: Submitted, *, cookie: str | None) -> SignedOut | SignOutNeedsConsent:
        """Sign the browser out, or ask the user first.

        Raises `AuthorizationRequestRefused` or `RedirectNotAllowed` for any invalid parameter: nothing ends then, and
        the browser is redirected nowhere (§4).
        """
        values = submitted.values
        if submitted.is_repeated_or_too_long():
            raise AuthorizationRequestRefused(detail="a parameter is too long or given more than once")
        hint = self._hint(values)
        location = self._location(values)
        session = await self._browser_sessions.find_live(cookie)
        if session is not None and not _was_issued_in(session, hint):
            return SignOutNeedsConsent(self._forms.seal(_FORM, {"location": location or ""}))
        await self._end(session, cookie)
        return SignedOut(location)

    async def confirm(self, form_token: str, *, cookie: str | None) -> SignedOut:
        """Sign the browser out after the user agreed. Raises `SignInFormRefused` for a form that is out of date."""
        form = self._forms.open(_FORM, form_token)
        await self._end(await self._browser_sessions.find_live(cookie), cookie)
        return SignedOut(form["location"] or None)

    async def _end(self, session: BrowserSession | None, cookie: str | None) -> None:
        if session is not None:
            # First, so that a user whose sign-out fails here is still signed in, and can repeat it.
            await self._refresh_tokens.revoke_for_session(session)
        # Of several concurrent sign-outs, one sends the logout token.
        if await self._browser_sessions.end(cookie) and session is not None:
            token = self._logout_tokens.issue(session, self._client, now=int(self._clock()))
            await self._deliver(self._client.backchannel_logout_uri, token)

    def _hint(self, values: Parameters) -> Mapping[str, object] | None:
        """Return the claims of the client's ID token; None without one. Raises `AuthorizationRequestRefused`."""
        client_id = values.get("client_id", self._client.client_id)
        if client_id != self._client.client_id:
            raise AuthorizationRequestRefused(detail="client_id is not known here")
        if not values.get("id_token_hint"):
            return None
        try:
            claims = self._hints.claims(values["id_token_hint"])
        except TokenRefused as error:
            raise AuthorizationRequestRefused(detail="id_token_hint is not of this provider") from error
        if claims.get("aud") != client_id:
            raise AuthorizationRequestRefused(detail="id_token_hint was issued to another client")
        return claims

    def _location(self, values: Parameters) -> str | None:
        uri = values.get("post_logout_redirect_uri")
        if not uri:
            return None
        # The hint or client_id names the client whose redirect URIs are allowed (§2).
        if not (values.get("id_token_hint") or values.get("client_id")):
            return None
        if not self._client.allows_post_logout_redirect(uri):
            raise RedirectNotAllowed(redirect_uri=uri)
        state = values.get("state")
        return str(add_params_to_uri(uri, [("state", state)])) if state else uri


def _was_issued_in(session: BrowserSession, hint: Mapping[str, object] | None) -> bool:
    """Tell whether the hint is an ID token of this browser session.

    It then proves that the request comes from a client in which this user signed in. An ID token of another user, or of
    an earlier session, proves nothing: anyone who got hold of it could sign this browser out by a link (§2, §6).
    """
    return hint is not None and hint.get("sub") == session.user_id and hint.get("sid") == session.sid
