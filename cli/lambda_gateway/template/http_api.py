"""Read a template's HTTP APIs in SAM's form: routes, authorizers, CORS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lambda_gateway.model import (
    ANY_METHOD,
    Api,
    Authorizer,
    Cors,
    FunctionSpec,
    Payload,
    Route,
    TemplateError,
)
from lambda_gateway.template.authorizers import AuthorizerEntry, authorizer_entries, lambda_authorizer
from lambda_gateway.template.jwt_authorizers import http_jwt_authorizer
from lambda_gateway.template.resources import ApiEvent, Resources
from lambda_gateway.template.values import boolean, mapping, method_of, number, strings

IMPLICIT = "ServerlessHttpApi"
# Seconds: API Gateway's default for an authorizer with identity sources.
DEFAULT_TTL = 300
_KINDS = {
    "Headers": "$request.header.",
    "QueryStrings": "$request.querystring.",
    "StageVariables": "$stageVariables.",
    "Context": "$context.",
}


def http_api(name: str, resources: Resources, events: Iterable[ApiEvent], functions: Mapping[str, FunctionSpec]) -> Api:
    """Read the API with this logical id, or the implicit one. Raises TemplateError."""
    where = f"Resources.{name}.Properties"
    given = resources.properties(name) if name in resources else resources.globals("HttpApi")
    if "DefinitionBody" in given or "DefinitionUri" in given:
        raise TemplateError(f"{where}: OpenAPI definitions are not supported; give the functions HttpApi events")
    auth = resources.resolved_map(given.get("Auth", {}), f"{where}.Auth")
    scopes = _authorizer_scopes(auth, where)
    routes = tuple(_route(event, auth.get("DefaultAuthorizer"), scopes) for event in events)
    variables = resources.resolved_map(given.get("StageVariables", {}), f"{where}.StageVariables")
    return Api(
        name=name,
        routes=routes,
        authorizers={
            entry: _authorizer(lambda_authorizer(entry, properties, functions, place))
            for entry, properties, place in authorizer_entries(auth, where)
            if not _is_jwt(properties)
        },
        jwt_authorizers={
            entry: http_jwt_authorizer(entry, properties["JwtConfiguration"], properties.get("IdentitySource"), place)
            for entry, properties, place in authorizer_entries(auth, where)
            if _is_jwt(properties)
        },
        cors=cors_of(resources.resolve(given.get("CorsConfiguration"), f"{where}.CorsConfiguration"), where),
        stage_variables={variable: str(value) for variable, value in variables.items()},
    )


def _route(event: ApiEvent, default_authorizer: object, scopes: Mapping[str, tuple[str, ...]]) -> Route:
    given, where = event.given, event.where
    version = str(given.get("PayloadFormatVersion", "2.0"))
    if version != "2.0":
        raise TemplateError(f"{where}.PayloadFormatVersion: {version}: only 2.0 is emulated")
    path = given.get("Path")
    authorizer = event.authorizer(default_authorizer)
    own_scopes = strings(mapping(given.get("Auth"), f"{where}.Auth").get("AuthorizationScopes"))
    if own_scopes and authorizer not in scopes:
        raise TemplateError(f"{where}.Auth.AuthorizationScopes: only a JWT authorizer checks scopes")
    return Route(
        method=method_of(given.get("Method", ANY_METHOD), where),
        path=None if path in (None, "$default", "/$default") else str(path),
        function=event.function,
        authorizer=authorizer,
        timeout=number(given.get("TimeoutInMillis", 30000), f"{where}.TimeoutInMillis") / 1000,
        scopes=own_scopes or scopes.get(authorizer or "", ()),
    )


def _authorizer_scopes(auth: Mapping[str, object], where: str) -> dict[str, tuple[str, ...]]:
    """Return the scopes that each JWT authorizer requires on routes without their own."""
    return {
        name: strings(given.get("AuthorizationScopes"))
        for name, given, _ in authorizer_entries(auth, where)
        if _is_jwt(given)
    }


def _is_jwt(authorizer: Mapping[str, object]) -> bool:
    return "JwtConfiguration" in authorizer


def _authorizer(entry: AuthorizerEntry) -> Authorizer:
    given, where = entry.given, entry.where
    version = str(given.get("AuthorizerPayloadFormatVersion"))
    if version not in (Payload.V1, Payload.V2):
        raise TemplateError(f'{where}.AuthorizerPayloadFormatVersion: must be "1.0" or "2.0"')
    simple = boolean(given.get("EnableSimpleResponses"), default=False)
    if simple and version == Payload.V1:
        raise TemplateError(f"{where}.EnableSimpleResponses: needs AuthorizerPayloadFormatVersion 2.0")
    sources = entry.identity_sources(_KINDS)
    ttl = entry.ttl(DEFAULT_TTL if sources else 0, sources)
    return Authorizer(entry.name, entry.function, sources, ttl, Payload(version), simple)


def cors_of(resolved: object, where: str) -> Cors | None:
    """Read the CORS configuration. Raises TemplateError."""
    if resolved is None or resolved is False:
        return None
    if resolved is True:
        return Cors(allow_origins=("*",))
    place = f"{where}.CorsConfiguration"
    given = mapping(resolved, place)
    cors = Cors(
        allow_origins=strings(given.get("AllowOrigins")),
        allow_methods=strings(given.get("AllowMethods")),
        allow_headers=strings(given.get("AllowHeaders")),
        expose_headers=strings(given.get("ExposeHeaders")),
        max_age=int(number(given["MaxAge"], f"{place}.MaxAge")) if "MaxAge" in given else None,
        allow_credentials=boolean(given.get("AllowCredentials"), default=False),
    )
    if cors.allow_credentials and "*" in cors.allow_origins:
        raise TemplateError(f"{place}: AllowCredentials needs origins by name; API Gateway rejects *")
    return cors
