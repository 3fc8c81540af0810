"""The caller, as a parameter of a route.

`CurrentPrincipal`: for routes behind the authorizer. From its context, when API Gateway ran it; in the container, from
the check of the route rules; otherwise from the bearer token.
`verified_caller(session, revocations)`: for routes that verify the caller themselves, by bearer token or session
cookie.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, NamedTuple, Protocol

from fastapi import Depends, Request

from tenantgate.context import current_request
from tenantgate.errors.tokens import TokenError, TokenExpired
from tenantgate.identity.bearer import BearerCredential, bearer_token
from tenantgate.identity.principal import Principal
from tenantgate.tokens.waiting import awaited
from tenantgate.tokens.wiring import token_verifier
from tenantgate.web.cookies import session_cookie
from tenantgate.web.counted import count_caller

if TYPE_CHECKING:
    from tenantgate.revoked.snapshot import Snapshot

# Set in a request's scope, which no client can write, when the caller was verified before the route runs.
CALLER_KEY = "tenantgate.caller"


class VerifiedCaller(NamedTuple):
    """A caller, and the CSRF token of its session; None for a bearer token."""

    principal: Principal
    csrf_token: str | None = None


class FoundSession(Protocol):
    """The live session behind a cookie."""

    @property
    def csrf_token(self) -> str: ...

    def principal(self) -> Principal: ...


class Revocations(Protocol):
    """The current list of revocations. `current` raises `RevocationUnknown`."""

    async def refresh(self) -> None: ...

    def current(self) -> Snapshot: ...


# Returns the running event loop's list. A domain provides it.
type RevocationSource = Callable[[], Revocations]
# Finds the session of a cookie's value; raises `SessionEnded` and its own errors. Domains provide it.
type SessionCredential = Callable[[str], Awaitable[FoundSession]]


async def get_current_user(request: Request) -> Principal:
    """Identify the caller. Raises AuthenticationRequired, a TokenError or `RateLimited`.

    The authorizer's context comes with API Gateway's event and never with the HTTP request, so no client can write it.
    """
    event = request.scope.get("aws.event")
    if event is not None and (context := (event["requestContext"].get("authorizer") or {}).get("lambda")):
        return await _admitted(request, Principal.from_context(context))
    return (await verify_caller(request)).principal


async def verify_caller(
    request: Request, session: SessionCredential | None = None, revocations: RevocationSource | None = None
) -> VerifiedCaller:
    """Identify the caller by verifying its credential here: the bearer token, or a cookie if `session` is given.

    If there is an `Authorization` header, only that decides. Waits for a missing key as in `tokens/waiting.py`. A
    change by cookie also needs the page's origin and the CSRF token. Without `revocations`, no bearer token counts as
    revoked. Raises `AuthenticationRequired`, `CrossSiteRequest`, a `TokenError`, `RevocationUnknown`, and the errors of
    `session`.
    """
    if isinstance(verified := request.scope.get(CALLER_KEY), VerifiedCaller):
        return verified
    authorization = request.headers.get("authorization")
    if session is not None and authorization is None and (secret := session_cookie(request)) is not None:
        return await _by_session(request, secret, session)
    try:
        principal = await _by_bearer(_bearer(request), bearer_token(authorization), revocations)
    except TokenError as refused:
        refused.presented = True
        raise
    return VerifiedCaller(await _admitted(request, principal))


def verified_caller(
    session: SessionCredential, revocations: RevocationSource
) -> Callable[[Request], Awaitable[VerifiedCaller]]:
    """Return the dependency of a route that accepts a bearer token or a session cookie."""

    async def verified(request: Request) -> VerifiedCaller:
        return await verify_caller(request, session, revocations)

    return verified


async def _by_bearer(bearer: BearerCredential, token: str, revocations: RevocationSource | None) -> Principal:
    try:
        principal, proof = await awaited(lambda: bearer.verify(token, fetch=False))
    except TokenExpired as expired:
        current = None if revocations is None else revocations()
        if current is not None:
            await current.refresh()
        bearer.name_caller(expired, token, None if current is None else current.current)
        raise
    if revocations is not None:
        # Only for a caller that proved something: others must cause no reading.
        current = revocations()
        await current.refresh()
        bearer.require_unrevoked(proof, principal.tenant_id, token, current.current())
    return principal


async def _by_session(request: Request, secret: str, session: SessionCredential) -> VerifiedCaller:
    from tenantgate.web.csrf import SAFE_METHODS, require_csrf_token  # noqa: PLC0415  (only cookies need these)
    from tenantgate.web.origins import require_same_site  # noqa: PLC0415

    changes = request.method not in SAFE_METHODS
    if changes:
        # Before the session is read: another site's page learns nothing about it, and doesn't mark it as used.
        require_same_site(request)
    found = await session(secret)
    if changes:
        require_csrf_token(request, found.csrf_token)
    return VerifiedCaller(await _admitted(request, found.principal()), found.csrf_token)


def _bearer(request: Request) -> BearerCredential:
    """The bearer tokens that the application accepts, built from its settings at first use."""
    state = request.app.state
    known: BearerCredential | None = getattr(state, "bearer", None)
    if known is None:
        policy = request.app.settings.token_policy
        known = state.bearer = BearerCredential(token_verifier(policy), policy)
    return known


async def _admitted(request: Request, principal: Principal) -> Principal:
    """Note the verified caller for the log and for code that has only the request, and count it.

    Raises `RateLimited`.
    """
    request.state.tenant_id = principal.tenant_id
    context = current_request()
    context.user_id, context.tenant_id, context.caller = principal.user_id, principal.tenant_id, principal
    await count_caller(request.scope, principal)
    return principal


CurrentPrincipal = Annotated[Principal, Depends(get_current_user)]
