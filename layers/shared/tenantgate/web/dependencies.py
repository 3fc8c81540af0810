"""Who is calling, as parameters of a route.

`CurrentPrincipal`: whoever the authorizer let in when API Gateway ran it, else whoever the bearer token names.
`VerifiedPrincipal`: always from the token itself, for endpoints whose answer is about the token.
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

# Set in a request's scope, which no client can write, by what verified the bearer token before the route runs.
PRINCIPAL_KEY = "tenantgate.principal"


async def get_current_user(request: Request) -> Principal:
    """The caller; raises AuthenticationRequired or a TokenError.

    The authorizer's context comes with API Gateway's event, never with the HTTP request: no client can write it.
    """
    event = request.scope.get("aws.event")
    if event is not None and (granted := (event["requestContext"].get("authorizer") or {}).get("lambda")):
        return _entered(request, Principal.from_context(granted))
    return await get_verified_user(request)


async def get_verified_user(request: Request) -> Principal:
    """The caller, by verifying the bearer token here; a missing key is awaited, see `tokens/waiting.py`."""
    if isinstance(verified := request.scope.get(PRINCIPAL_KEY), Principal):
        return verified
    authorization, credentials = request.headers.get("authorization"), _credentials(request)
    principal = await awaited(lambda: credentials.authenticate(authorization, fetch=False))
    return _entered(request, principal)


def _credentials(request: Request) -> Credentials:
    """The credentials that the application accepts, built from its settings at first use."""
    state = request.app.state
    credentials: Credentials | None = getattr(state, "credentials", None)
    if credentials is None:
        policy = request.app.settings.token_policy
        credentials = state.credentials = Credentials(BearerCredential(token_verifier(policy), policy))
    return credentials


def _entered(request: Request, principal: Principal) -> Principal:
    request.state.tenant_id = principal.tenant_id
    context = current_request()
    context.user_id, context.tenant_id = principal.user_id, principal.tenant_id
    return principal


CurrentPrincipal = Annotated[Principal, Depends(get_current_user)]
VerifiedPrincipal = Annotated[Principal, Depends(get_verified_user)]
