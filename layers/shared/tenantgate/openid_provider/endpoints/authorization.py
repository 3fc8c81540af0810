"""The authorization endpoint and its sign-in form (OpenID Connect Core §3.1.2)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from authlib.oauth2 import OAuth2Error
from authlib.oidc.core.errors import LoginRequiredError

from tenantgate.openid_provider.errors import SignInFormRefused
from tenantgate.openid_provider.models import Client, Parameters, ProtocolResponse, User
from tenantgate.openid_provider.protocol.forms import FormTokens
from tenantgate.openid_provider.protocol.grants import ProtocolRequest, SignedInUser
from tenantgate.openid_provider.protocol.hints import IdTokenHints
from tenantgate.openid_provider.protocol.requests import (
    MAX_PARAMETER_CHARACTERS,
    Submitted,
    check_client_and_redirect,
    check_request,
    max_age,
    understood,
)
from tenantgate.openid_provider.protocol.server import ProtocolServer
from tenantgate.openid_provider.storage.browser_sessions import BrowserSessions
from tenantgate.openid_provider.storage.personas import Persona
from tenantgate.openid_provider.storage.stores import CodeStore
from tenantgate.openid_provider.storage.users import UserDirectory

_log = logging.getLogger(__name__)

_FORM = "sign-in"


@dataclass(frozen=True, slots=True)
class SignInNeeded:
    """Show the sign-in page. The form sends `form_token` back; the sign-in ends at `redirect_uri`.

    `personas` may sign in without a password.
    """

    form_token: str
    client_name: str
    redirect_uri: str
    personas: Sequence[Persona] = ()
    username: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The user has signed in: send `response`, and set `cookie` for the lifetime of a browser session."""

    response: ProtocolResponse
    cookie: str


class AuthorizationService:
    """Decides on authorization requests and sign-ins.

    Made for each request: `server` and `client` hold the current keys and secret.
    """

    def __init__(
        self,
        *,
        server: ProtocolServer,
        client: Client,
        audiences: Collection[str],
        users: UserDirectory,
        codes: CodeStore,
        browser_sessions: BrowserSessions,
        forms: FormTokens,
        hints: IdTokenHints,
        clock: Callable[[], float],
    ) -> None:
        self._server = server
        self._client = client
        self._audiences = audiences
        self._users = users
        self._codes = codes
        self._browser_sessions = browser_sessions
        self._forms = forms
        self._hints = hints
        self._clock = clock

    async def authorize(self, submitted: Submitted, *, cookie: str | None) -> ProtocolResponse | SignInNeeded:
        """Return a redirect to the client with a code or an error, or ask for a sign-in.

        Raises `AuthorizationRequestRefused` or `RedirectNotAllowed` if the redirect URI can't be trusted.
        """
        redirect_uri = check_client_and_redirect(submitted, self._client)
        try:
            check_request(submitted, self._audiences)
            return await self._authorize(understood(submitted.values), cookie=cookie)
        except OAuth2Error as error:
            state = submitted.values.get("state", "")
            error.redirect_uri = redirect_uri
            error.state = state if len(state) <= MAX_PARAMETER_CHARACTERS else None
            return self._server.error_response(error)

    async def sign_in(
        self, *, form_token: str, username: str, password: str, cookie: str | None
    ) -> SignedIn | SignInNeeded:
        """Check the password, start a browser session and issue the code.

        Raises `SignInFormRefused` for a form that has expired or was changed.
        """
        values = self._forms.open(_FORM, form_token)
        user = self._users.authenticate(username, password)
        if user is None:
            _log.warning("a sign-in at the provider failed")
            return self._page(values, username=username, failed=True)
        return await self._start(user, values, cookie)

    async def sign_in_as(self, *, form_token: str, persona_id: str, cookie: str | None) -> SignedIn:
        """Sign a persona in without a password, with the form of the sign-in page.

        The tokens are those of a sign-in with the password, which is published. Raises `SignInFormRefused` also for an
        id that no button has: only local development has personas.
        """
        values = self._forms.open(_FORM, form_token)
        offered = [persona.id for persona in self._users.personas()]
        user = self._users.find(persona_id) if persona_id in offered else None
        if user is None:
            raise SignInFormRefused(form=_FORM, problem="unknown persona")
        return await self._start(user, values, cookie)

    async def _start(self, user: User, values: Parameters, cookie: str | None) -> SignedIn:
        started = await self._browser_sessions.start(user, replacing=cookie)
        # The user has just signed in: keeping `prompt` would show the form again, and again after that.
        request = self._request({name: value for name, value in values.items() if name != "prompt"})
        response = await self._grant(request, SignedInUser(user, started.session))
        return SignedIn(response, started.cookie)

    async def _authorize(self, values: Parameters, *, cookie: str | None) -> ProtocolResponse | SignInNeeded:
        signed_in = await self._signed_in(values, cookie)
        request = self._request(values)
        self._server.get_consent_grant(request, end_user=signed_in)
        prompt = values.get("prompt", "")
        if signed_in is not None and prompt in ("", "none"):
            return await self._grant(request, signed_in)
        if prompt == "none":
            raise LoginRequiredError
        return self._page(values, username=values.get("login_hint", ""))

    async def _signed_in(self, values: Parameters, cookie: str | None) -> SignedInUser | None:
        """Find the user of this browser session; None unless it satisfies `max_age` and `id_token_hint`."""
        session = await self._browser_sessions.find_live(cookie)
        user = self._users.find(session.user_id) if session is not None else None
        if session is None or user is None:
            return None
        longest = max_age(values)
        # max_age=0 means "sign in now", even within the same second (OpenID Connect Core §3.1.2.1).
        if longest is not None and (longest == 0 or self._clock() - session.auth_time > longest):
            return None
        if (hint := values.get("id_token_hint")) and self._hints.subject_of(hint) != user.id:
            return None
        return SignedInUser(user, session)

    async def _grant(self, request: ProtocolRequest, signed_in: SignedInUser) -> ProtocolResponse:
        grant = self._server.get_consent_grant(request, end_user=signed_in)
        self._log_withheld(request, signed_in.user)
        response: ProtocolResponse = self._server.create_authorization_response(request, signed_in, grant)
        if request.issued is not None:
            await self._codes.save(request.issued)
        return response

    def _log_withheld(self, request: ProtocolRequest, user: User) -> None:
        """Log the scopes that another user would get: the token response only has the granted ones."""
        requested = self._client.get_allowed_scope(request.payload.scope) or ""
        if withheld := set(requested.split()) - set(user.allowed_scope(requested).split()):
            _log.warning(
                "the user doesn't have every requested scope", extra={"context": {"withheld": sorted(withheld)}}
            )

    def _request(self, values: Parameters) -> ProtocolRequest:
        return ProtocolRequest("GET", self._server.endpoint("authorize"), values, {}, now=int(self._clock()))

    def _page(self, values: Parameters, *, username: str, failed: bool = False) -> SignInNeeded:
        return SignInNeeded(
            form_token=self._forms.seal(_FORM, values),
            client_name=self._client.client_id,
            redirect_uri=values["redirect_uri"],
            personas=self._users.personas(),
            username=username,
            failed=failed,
        )
