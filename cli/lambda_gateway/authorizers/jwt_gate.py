"""Run API Gateway's own JWT authorizers, without a function.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-jwt-authorizer.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

from lambda_gateway.authorizers.identity import value_of
from lambda_gateway.authorizers.jwt_tokens import (
    InvalidToken,
    UnverifiedToken,
    as_texts,
    check_audience,
    check_claims,
    check_times,
    scopes_of,
)
from lambda_gateway.authorizers.key_sets import (
    HTTP_LIFETIME,
    REST_LIFETIME,
    Fetch,
    KeySet,
    KeysUnavailable,
)
from lambda_gateway.authorizers.results import Allowed, Authorization, Decision, Denied, MissingIdentity, Reason
from lambda_gateway.events.request import Request
from lambda_gateway.model import Api, JwtAuthorizer, Kind, Route

_SCHEME = "bearer "


class JwtGate:
    """One JWT authorizer of `api`.

    fetch  returns the JSON value at a URL; default: by HTTP
    now    the time in epoch seconds, which the token's claims are compared with
    clock  the time by which an issuer's keys expire
    """

    def __init__(
        self,
        api: Api,
        authorizer: JwtAuthorizer,
        *,
        fetch: Fetch | None = None,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._authorizer = authorizer
        self._now = now
        self._is_rest = api.kind is Kind.REST
        lifetime = REST_LIFETIME if self._is_rest else HTTP_LIFETIME
        self._keys = {
            issuer.url: KeySet(issuer.url, lifetime=lifetime, exact=self._is_rest, fetch=fetch, clock=clock)
            for issuer in authorizer.issuers
        }

    async def decide(self, request: Request, route: Route, path_parameters: Mapping[str, str]) -> Decision:
        """Decide on the request. An allowed one has the context `claims`, for an HTTP API also `scopes`."""
        del path_parameters
        name = self._authorizer.name
        source = self._authorizer.identity_source
        sent = value_of(source, self._api, request, route)
        if not sent:
            missing = MissingIdentity(source)
            return Denied(
                Reason.UNAUTHORIZED,
                challenge="" if self._is_rest else "Bearer",
                authorization=Authorization("", Reason.UNAUTHORIZED, missing, trace_id=request.trace_id, jwt=name),
            )
        try:
            claims = await self._verified(_without_scheme(sent))
        except (InvalidToken, KeysUnavailable) as problem:
            return self._denied(request, route, Reason.UNAUTHORIZED, str(problem))
        scopes = scopes_of(claims)
        if route.scopes and not set(route.scopes) & set(scopes):
            return self._denied(request, route, Reason.INSUFFICIENT_SCOPE, "the token has none of the route's scopes")
        seen = Authorization("", trace_id=request.trace_id, jwt=name)
        if self._is_rest:
            return Allowed({"claims": claims}, authorization=seen)
        return Allowed({"claims": as_texts(claims), "scopes": scopes if route.scopes else None}, authorization=seen)

    def forget(self, functions: Collection[str]) -> None:
        """Do nothing: the decisions depend on no function."""

    async def _verified(self, text: str) -> Mapping[str, object]:
        token = UnverifiedToken(text, self._authorizer.algorithms)
        issuer = token.issuer_among(self._authorizer.issuers)
        key = await self._keys[issuer.url].key(token.key_id)
        if key is None:
            raise InvalidToken("the issuer publishes no key with the token's kid")
        claims = token.verified(key)
        check_audience(claims, issuer.audiences, or_client=not self._is_rest)
        check_times(claims, self._now())
        check_claims(claims, issuer.claims)
        return claims

    def _denied(self, request: Request, route: Route, reason: Reason, problem: str) -> Denied:
        challenge = ""
        if reason is Reason.UNAUTHORIZED and not self._is_rest:
            scope = " ".join(route.scopes)
            challenge = f'Bearer scope="{scope}" error="invalid_token" error_description="{problem}"'
        seen = Authorization("", reason, trace_id=request.trace_id, jwt=self._authorizer.name, problem=problem)
        return Denied(reason, challenge=challenge, authorization=seen)


def _without_scheme(value: str) -> str:
    """Return the token, without the scheme `Bearer` if it is there."""
    return value[len(_SCHEME) :].strip() if value[: len(_SCHEME)].lower() == _SCHEME else value.strip()
