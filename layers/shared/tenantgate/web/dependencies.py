"""The caller, as a parameter of a route.

`CurrentPrincipal`: from the authorizer's context when API Gateway ran the authorizer, otherwise from the bearer token.
`VerifiedPrincipal`: always from the token, for endpoints that report on it.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from tenantgate.context import current_request
from tenantgate.identity.bearer import BearerCredential
from tenantgate.identity.credential import Credentials
from tenantgate.identity.principal import Principal
from tenantgate.tokens.waiting import awaited
from tenantgate.tokens.wiring import token_verifier

# Set in a request's scope, which no client can write, when the bearer token was verified before the route runs.
PRINCIPAL_KEY = "tenantgate.principal"


async def get_current_user(request: Request) -> Principal:
    """Identify the caller. Raises AuthenticationRequired or a TokenError.

    The authorizer's context comes with API Gateway's event and never with the HTTP request, so no client can write it.
    """
    event = request.scope.get("aws.event")
    if event is not None and (context := (event["requestContext"].get("authorizer") or {}).get("lambda")):
        return _noted(request, Principal.from_context(context))
    return await get_verified_user(request)


async def get_verified_user(request: Request) -> Principal:
    """Identify the caller by verifying the bearer token here. Waits for a missing key as in `tokens/waiting.py`."""
    if isinstance(verified := request.scope.get(PRINCIPAL_KEY), Principal):
        return verified
    authorization, credentials = request.headers.get("authorization"), _credentials(request)
    principal = await awaited(lambda: credentials.authenticate(authorization, fetch=False))
    return _noted(request, principal)


def _credentials(request: Request) -> Credentials:
    """The credentials that the application accepts, built from its settings at first use."""
    state = request.app.state
    credentials: Credentials | None = getattr(state, "credentials", None)
    if credentials is None:
        policy = request.app.settings.token_policy
        credentials = state.credentials = Credentials(BearerCredential(token_verifier(policy), policy))
    return credentials


def _noted(request: Request, principal: Principal) -> Principal:
    """Note the caller for the log and for code that has only the request."""
    request.state.tenant_id = principal.tenant_id
    context = current_request()
    context.user_id, context.tenant_id = principal.user_id, principal.tenant_id
    return principal


CurrentPrincipal = Annotated[Principal, Depends(get_current_user)]
VerifiedPrincipal = Annotated[Principal, Depends(get_verified_user)]
