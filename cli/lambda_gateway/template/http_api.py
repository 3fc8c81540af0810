"""Reads a template's HTTP APIs: routes, Lambda authorizers, CORS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lambda_gateway.authorizers.identity import readable
from lambda_gateway.model import (
    ANY_METHOD,
    LONGEST_TTL,
    Api,
    Authorizer,
    Cors,
    FunctionSpec,
    Payload,
    Route,
    TemplateError,
)
from lambda_gateway.template.intrinsics import function_name
from lambda_gateway.template.resources import ApiEvent, Resources, authorizer_function
from lambda_gateway.template.values import boolean, mapping, method_of, number, strings

IMPLICIT = "ServerlessHttpApi"
# API Gateway's own, for an authorizer that has identity sources and says nothing of it.
_DEFAULT_TTL = 300
_KINDS = {
    "Headers": "$request.header.",
    "QueryStrings": "$request.querystring.",
    "StageVariables": "$stageVariables.",
    "Context": "$context.",
}


def http_api(name: str, resources: Resources, events: Iterable[ApiEvent], functions: Mapping[str, FunctionSpec]) -> Api:
    """The API of this logical id, or the implicit one. Raises TemplateError."""
    where = f"Resources.{name}.Properties"
    given = resources.properties(name) if name in resources else resources.globals("HttpApi")
    if "DefinitionBody" in given or "DefinitionUri" in given:
        raise TemplateError(f"{where}: an OpenAPI definition isn't read; give the functions HttpApi events")
    auth = resources.resolved_map(given.get("Auth", {}), f"{where}.Auth")
    routes = tuple(_route(event, auth.get("DefaultAuthorizer")) for event in events)
    variables = resources.resolved_map(given.get("StageVariables", {}), f"{where}.StageVariables")
    return Api(
        name=name,
        routes=routes,
        authorizers=_authorizers(auth, functions, where),
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


def _authorizers(
    auth: Mapping[str, object], functions: Mapping[str, FunctionSpec], where: str
) -> dict[str, Authorizer]:
    authorizers: dict[str, Authorizer] = {}
    for name, value in mapping(auth.get("Authorizers"), f"{where}.Auth.Authorizers").items():
        place = f"{where}.Auth.Authorizers.{name}"
        given = mapping(value, place)
        function = authorizer_function(given, functions, function_name(given.get("FunctionArn")), place)
        version = str(given.get("AuthorizerPayloadFormatVersion"))
        if version not in (Payload.V1, Payload.V2):
            raise TemplateError(f'{place}.AuthorizerPayloadFormatVersion: must be "1.0" or "2.0"')
        simple = boolean(given.get("EnableSimpleResponses"), default=False)
        if simple and version == Payload.V1:
            raise TemplateError(f"{place}.EnableSimpleResponses: needs AuthorizerPayloadFormatVersion 2.0")
        identity = mapping(given.get("Identity"), f"{place}.Identity")
        sources = identity_sources(identity, _KINDS, place)
        ttl = time_to_live(identity.get("ReauthorizeEvery", _DEFAULT_TTL if sources else 0), sources, place)
        authorizers[name] = Authorizer(name, function, sources, ttl, Payload(version), simple)
    return authorizers


def identity_sources(identity: Mapping[str, object], kinds: Mapping[str, str], place: str) -> tuple[str, ...]:
    """The mapping expressions, in the order in which SAM writes them."""
    sources = tuple(f"{prefix}{name}" for kind, prefix in kinds.items() for name in strings(identity.get(kind)))
    for source in sources:
        if not readable(source):
            raise TemplateError(f"{place}.Identity: {source}: no request has this")
    return sources


def time_to_live(given: object, sources: tuple[str, ...], place: str) -> int:
    """Seconds that an answer is cached."""
    ttl = int(number(given, f"{place}.Identity.ReauthorizeEvery"))
    if not 0 <= ttl <= LONGEST_TTL:
        raise TemplateError(f"{place}.Identity.ReauthorizeEvery: must be 0 to {LONGEST_TTL} seconds")
    if ttl and not sources:
        raise TemplateError(f"{place}.Identity: a cached answer needs an identity source (ReauthorizeEvery 0)")
    return ttl


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
        raise TemplateError(f"{place}: AllowCredentials needs origins by name; API Gateway refuses *")
    return cors
