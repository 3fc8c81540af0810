"""Reads a template's REST APIs: routes, Lambda authorizers, gateway responses, and CORS as SAM would make it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from lambda_gateway.model import (
    ANY_METHOD,
    Api,
    Authorizer,
    FunctionSpec,
    GatewayResponse,
    Kind,
    Payload,
    Route,
    TemplateError,
)
from lambda_gateway.responses.gateway_responses import NAMES
from lambda_gateway.template.http_api import identity_sources, time_to_live
from lambda_gateway.template.intrinsics import function_name
from lambda_gateway.template.resources import ApiEvent, Resources, authorizer_function
from lambda_gateway.template.values import boolean, mapping, method_of, number, strings

IMPLICIT = "ServerlessRestApi"
_IMPLICIT_STAGE = "Prod"
# API Gateway's own, for an authorizer that says nothing of it.
_DEFAULT_TTL = 300
_KINDS = {
    "Headers": "method.request.header.",
    "QueryStrings": "method.request.querystring.",
    "StageVariables": "stageVariables.",
    "Context": "context.",
}
_CORS_MEMBERS = {"AllowMethods", "AllowHeaders", "AllowOrigin", "MaxAge", "AllowCredentials"}
_ALL_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


def rest_api(name: str, resources: Resources, events: Iterable[ApiEvent], functions: Mapping[str, FunctionSpec]) -> Api:
    """The API of this logical id, or the implicit one. Raises TemplateError."""
    where = f"Resources.{name}.Properties"
    given = resources.properties(name) if name in resources else resources.globals("Api")
    if "DefinitionBody" in given or "DefinitionUri" in given:
        raise TemplateError(f"{where}: an OpenAPI definition isn't read; give the functions Api events")
    stage = str(resources.resolve(given.get("StageName", _IMPLICIT_STAGE), f"{where}.StageName"))
    auth = resources.resolved_map(given.get("Auth", {}), f"{where}.Auth")
    for unknown in ("ResourcePolicy", "ApiKeyRequired", "UsagePlan"):
        if auth.get(unknown):
            raise TemplateError(f"{where}.Auth.{unknown}: isn't emulated")
    default = auth.get("DefaultAuthorizer")
    routes = [_route(event, default) for event in events]
    cors = resources.resolve(given.get("Cors"), f"{where}.Cors")
    guard = default if boolean(auth.get("AddDefaultAuthorizerToCorsPreflight"), default=True) else None
    variables = resources.resolved_map(given.get("Variables", {}), f"{where}.Variables")
    return Api(
        name=name,
        routes=(*routes, *_preflights(routes, cors, guard, f"{where}.Cors")),
        authorizers=_authorizers(auth, functions, where),
        kind=Kind.REST,
        stage=stage,
        stage_variables={variable: str(value) for variable, value in variables.items()},
        gateway_responses=_gateway_responses(
            resources.resolved_map(given.get("GatewayResponses", {}), f"{where}.GatewayResponses"), where
        ),
        binary_types=tuple(
            kind.replace("~1", "/").lower()
            for kind in strings(resources.resolve(given.get("BinaryMediaTypes"), f"{where}.BinaryMediaTypes"))
        ),
    )


def _route(event: ApiEvent, default_authorizer: object) -> Route:
    given, where = event.given, event.where
    if "Path" not in given or "Method" not in given:
        raise TemplateError(f"{where}: an event of type Api needs Path and Method")
    return Route(
        method=method_of(given["Method"], where),
        path=str(given["Path"]),
        function=event.function,
        authorizer=event.authorizer(default_authorizer),
        timeout=number(given.get("TimeoutInMillis", 29000), f"{where}.TimeoutInMillis") / 1000,
    )


def _authorizers(
    auth: Mapping[str, object], functions: Mapping[str, FunctionSpec], where: str
) -> dict[str, Authorizer]:
    authorizers: dict[str, Authorizer] = {}
    for name, value in mapping(auth.get("Authorizers"), f"{where}.Auth.Authorizers").items():
        place = f"{where}.Auth.Authorizers.{name}"
        given = mapping(value, place)
        function = authorizer_function(given, functions, function_name(given.get("FunctionArn")), place)
        payload = str(given.get("FunctionPayloadType", Payload.TOKEN))
        if payload not in (Payload.TOKEN, Payload.REQUEST):
            raise TemplateError(f"{place}.FunctionPayloadType: {payload}: must be TOKEN or REQUEST")
        identity = mapping(given.get("Identity"), f"{place}.Identity")
        validation: re.Pattern[str] | None = None
        if payload == Payload.TOKEN:
            sources: tuple[str, ...] = (f"method.request.header.{identity.get('Header', 'Authorization')}",)
            validation = _expression(identity.get("ValidationExpression"), place)
        else:
            sources = identity_sources(identity, _KINDS, place)
        ttl = time_to_live(identity.get("ReauthorizeEvery", _DEFAULT_TTL), sources, place)
        authorizers[name] = Authorizer(name, function, sources, ttl, Payload(payload), False, validation)
    return authorizers


def _expression(given: object, place: str) -> re.Pattern[str] | None:
    try:
        return None if given is None else re.compile(str(given))
    except re.error as error:
        raise TemplateError(f"{place}.Identity.ValidationExpression: {error}") from error


def _gateway_responses(given: Mapping[str, object], where: str) -> dict[str, GatewayResponse]:
    responses: dict[str, GatewayResponse] = {}
    for kind, value in given.items():
        place = f"{where}.GatewayResponses.{kind}"
        if kind not in NAMES:
            raise TemplateError(f"{place}: there is no response of this type")
        body = mapping(value, place)
        parameters = mapping(body.get("ResponseParameters"), f"{place}.ResponseParameters")
        headers = mapping(parameters.get("Headers"), f"{place}.ResponseParameters.Headers")
        templates = mapping(body.get("ResponseTemplates"), f"{place}.ResponseTemplates")
        status = body.get("StatusCode")
        responses[kind] = GatewayResponse(
            status=None if status is None else int(number(status, f"{place}.StatusCode")),
            headers={name: str(expression) for name, expression in headers.items()},
            templates={content_type: str(template) for content_type, template in templates.items()},
        )
    return responses


def _preflights(routes: Iterable[Route], cors: object, authorizer: object, where: str) -> Iterable[Route]:
    """An OPTIONS method for every path that has none of its own."""
    if not cors:
        return
    given = mapping(cors, where) if isinstance(cors, dict) else {"AllowOrigin": cors}
    if foreign := sorted(set(given) - _CORS_MEMBERS):
        raise TemplateError(f"{where}: SAM knows no {', '.join(foreign)}")
    methods: dict[str, set[str]] = {}
    for route in routes:
        methods.setdefault(route.path or "/", set()).add(route.method)
    for path, known in methods.items():
        if "OPTIONS" not in known:
            yield Route(
                method="OPTIONS",
                path=path,
                function="",
                authorizer=None if authorizer is None else str(authorizer),
                mock_headers=_cors_headers(given, known, where),
            )


def _cors_headers(given: Mapping[str, object], methods: set[str], where: str) -> tuple[tuple[str, str], ...]:
    allowed = ",".join(_ALL_METHODS if ANY_METHOD in methods else sorted({*methods, "OPTIONS"}))
    credentials = given.get("AllowCredentials") is True
    origin = given.get("AllowOrigin", "'*'")
    if credentials and origin == "'*'":
        raise TemplateError(f"{where}: AllowCredentials needs an origin by name; SAM refuses *")
    headers = {
        "access-control-allow-origin": origin,
        "access-control-allow-headers": given.get("AllowHeaders"),
        "access-control-allow-methods": given.get("AllowMethods") or f"'{allowed}'",
        "access-control-max-age": given.get("MaxAge"),
        "access-control-allow-credentials": "'true'" if credentials else None,
    }
    return tuple((name, _unquoted(value, where)) for name, value in headers.items() if value not in (None, ""))


def _unquoted(value: object, where: str) -> str:
    text = str(value)
    if len(text) < 2 or text[0] != "'" or text[-1] != "'":
        raise TemplateError(f"{where}: {text}: API Gateway takes a value in single quotes here: \"'{text}'\"")
    return text[1:-1]
