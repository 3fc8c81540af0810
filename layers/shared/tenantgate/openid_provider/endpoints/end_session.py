"""RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0)."""

from __future__ import annotations

from dataclasses import dataclass

from authlib.common.urls import add_params_to_uri

from tenantgate.errors.access import RedirectNotAllowed
from tenantgate.openid_provider.errors import AuthorizationRequestRefused
from tenantgate.openid_provider.models import Client, Parameters
from tenantgate.openid_provider.protocol.forms import FormTokens
from tenantgate.openid_provider.protocol.hints import IdTokenHints
from tenantgate.openid_provider.protocol.keys import TokenRefused
from tenantgate.openid_provider.protocol.requests import MAX_PARAMETER_CHARACTERS, Submitted
from tenantgate.openid_provider.storage.browser_sessions import BrowserSessions

_FORM = "sign-out"


@dataclass(frozen=True, slots=True)
class SignedOut:
    """The browser session has ended. `location`: where to send the browser; None: say so on a page of ours."""

    location: str | None


@dataclass(frozen=True, slots=True)
class SignOutNeedsConsent:
    """Nothing proves that the application asked, so the person is asked: else any page could sign people out (§6)."""

    form_token: str


class EndSessionService:
    def __init__(
        self, *, client: Client, browser_sessions: BrowserSessions, forms: FormTokens, hints: IdTokenHints
    ) -> None:
        self._client = client
        self._browser_sessions = browser_sessions
        self._forms = forms
        self._hints = hints

    async def end(self, submitted: Submitted, *, cookie: str | None) -> SignedOut | SignOutNeedsConsent:
        """Sign the browser out. A request with any fault is refused whole and redirects nowhere (§4)."""
        values = submitted.values
        if submitted.repeated or any(len(value) > MAX_PARAMETER_CHARACTERS for value in values.values()):
            raise AuthorizationRequestRefused(detail="a parameter is too long or given more than once")
        proven = self._check_hint(values)
        location = self._location(values)
        if not proven and await self._browser_sessions.find_live(cookie) is not None:
            return SignOutNeedsConsent(self._forms.seal(_FORM, {"location": location or ""}))
        await self._browser_sessions.end(cookie)
        return SignedOut(location)

    async def confirm(self, form_token: str, *, cookie: str | None) -> SignedOut:
        """The person said yes on our page."""
        about = self._forms.open(_FORM, form_token)
        await self._browser_sessions.end(cookie)
        return SignedOut(about["location"] or None)

    def _check_hint(self, values: Parameters) -> bool:
        """Whether an ID token of ours, issued to the client, proves whose request this is."""
        client_id = values.get("client_id", self._client.client_id)
        if client_id != self._client.client_id:
            raise AuthorizationRequestRefused(detail="client_id is not known here")
        if not values.get("id_token_hint"):
            return False
        try:
            audience = self._hints.claims(values["id_token_hint"]).get("aud")
        except TokenRefused as error:
            raise AuthorizationRequestRefused(detail="id_token_hint is not of this provider") from error
        if audience != client_id:
            raise AuthorizationRequestRefused(detail="id_token_hint was issued to another client")
        return True

    def _location(self, values: Parameters) -> str | None:
        uri = values.get("post_logout_redirect_uri")
        if not uri:
            return None
        # Without a hint the client must at least be named, or nobody knows whose redirect URIs count (§2).
        if not (values.get("id_token_hint") or values.get("client_id")):
            return None
        if not self._client.allows_post_logout_redirect(uri):
            raise RedirectNotAllowed(redirect_uri=uri)
        state = values.get("state")
        return str(add_params_to_uri(uri, [("state", state)])) if state else uri
