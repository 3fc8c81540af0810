"""Read a template's HTTP APIs: routes, Lambda authorizers, CORS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lambda_gateway.model import ANY_METHOD, Api, Authorizer, Cors, FunctionSpec, Payload, Route, TemplateError
from lambda_gateway.template.authorizers import AuthorizerEntry, lambda_authorizers
from lambda_gateway.template.resources import ApiEvent, Resources
from lambda_gateway.template.values import boolean, mapping, method_of, number, strings

IMPLICIT = "ServerlessHttpApi"
# Seconds: API Gateway's default for an authorizer with identity sources.
_DEFAULT_TTL = 300
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
    routes = tuple(_route(event, auth.get("DefaultAuthorizer")) for event in events)
    variables = resources.resolved_map(given.get("StageVariables", {}), f"{where}.StageVariables")
    return Api(
        name=name,
        routes=routes,
        authorizers={entry.name: _authorizer(entry) for entry in lambda_authorizers(auth, functions, where)},
        cors=_cors(resources.resolve(given.get("CorsConfiguration"), f"{where}.CorsConfiguration"), where),
        stage_variables={variable: str(value) for variable, value in variables.items()},
    )


def _route(event: ApiEvent, default_authorizer: object) -> Route:
    given, where = event.given, event.where
    version = str(given.get("PayloadFormatVersion", "2.0"))
    if version != "2.0":
        raise TemplateError(f"{where}.PayloadFormatVersion: {version}: only 2.0 is emulated")
    path = given.get("Path")
    return Route(
        method=method_of(given.get("Method", ANY_METHOD), where),
        path=None if path in (None, "$default", "/$default") else str(path),
        function=event.function,
        authorizer=event.authorizer(default_authorizer),
        timeout=number(given.get("TimeoutInMillis", 30000), f"{where}.TimeoutInMillis") / 1000,
    )


def _authorizer(entry: AuthorizerEntry) -> Authorizer:
    given, where = entry.given, entry.where
    version = str(given.get("AuthorizerPayloadFormatVersion"))
    if version not in (Payload.V1, Payload.V2):
        raise TemplateError(f'{where}.AuthorizerPayloadFormatVersion: must be "1.0" or "2.0"')
    simple = boolean(given.get("EnableSimpleResponses"), default=False)
    if simple and version == Payload.V1:
        raise TemplateError(f"{where}.EnableSimpleResponses: needs AuthorizerPayloadFormatVersion 2.0")
    sources = entry.identity_sources(_KINDS)
    ttl = entry.ttl(_DEFAULT_TTL if sources else 0, sources)
    return Authorizer(entry.name, entry.function, sources, ttl, Payload(version), simple)


def _cors(resolved: object, where: str) -> Cors | None:
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
