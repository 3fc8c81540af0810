"""Read a template's REST APIs in SAM's form: routes, Lambda authorizers, gateway responses, and SAM's CORS."""

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
from lambda_gateway.template.authorizers import AuthorizerEntry, authorizer_entries, lambda_authorizer
from lambda_gateway.template.resources import ApiEvent, Resources
from lambda_gateway.template.values import boolean, mapping, method_of, number, strings

IMPLICIT = "ServerlessRestApi"
_IMPLICIT_STAGE = "Prod"
# Seconds: API Gateway's default.
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
    """Read the API with this logical id, or the implicit one. Raises TemplateError."""
    where = f"Resources.{name}.Properties"
    given = resources.properties(name) if name in resources else resources.globals("Api")
    if "DefinitionBody" in given or "DefinitionUri" in given:
        raise TemplateError(f"{where}: OpenAPI definitions are not supported; give the functions Api events")
    stage = str(resources.resolve(given.get("StageName", _IMPLICIT_STAGE), f"{where}.StageName"))
    auth = resources.resolved_map(given.get("Auth", {}), f"{where}.Auth")
    for unsupported in ("ResourcePolicy", "ApiKeyRequired", "UsagePlan"):
        if auth.get(unsupported):
            raise TemplateError(f"{where}.Auth.{unsupported}: is not emulated")
    default = auth.get("DefaultAuthorizer")
    routes = [_route(event, default) for event in events]
    cors = resources.resolve(given.get("Cors"), f"{where}.Cors")
    guard = default if boolean(auth.get("AddDefaultAuthorizerToCorsPreflight"), default=True) else None
    variables = resources.resolved_map(given.get("Variables", {}), f"{where}.Variables")
    return Api(
        name=name,
        routes=(*routes, *_preflights(routes, cors, guard, f"{where}.Cors")),
        authorizers={
            entry: _authorizer(lambda_authorizer(entry, properties, functions, place))
            for entry, properties, place in authorizer_entries(auth, where)
        },
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


def _authorizer(entry: AuthorizerEntry) -> Authorizer:
    payload = str(entry.given.get("FunctionPayloadType", Payload.TOKEN))
    if payload not in (Payload.TOKEN, Payload.REQUEST):
        raise TemplateError(f"{entry.where}.FunctionPayloadType: {payload}: must be TOKEN or REQUEST")
    validation: re.Pattern[str] | None = None
    if payload == Payload.TOKEN:
        sources: tuple[str, ...] = (f"method.request.header.{entry.identity.get('Header', 'Authorization')}",)
        validation = _expression(entry.identity.get("ValidationExpression"), entry.where)
    else:
        sources = entry.identity_sources(_KINDS)
    ttl = entry.ttl(_DEFAULT_TTL, sources)
    return Authorizer(entry.name, entry.function, sources, ttl, Payload(payload), False, validation)


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
            raise TemplateError(f"{place}: API Gateway has no such response type")
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
    """Yield an OPTIONS route for every path without one."""
    if not cors:
        return
    given = mapping(cors, where) if isinstance(cors, dict) else {"AllowOrigin": cors}
    if unknown := sorted(set(given) - _CORS_MEMBERS):
        raise TemplateError(f"{where}: SAM doesn't know {', '.join(unknown)}")
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
        raise TemplateError(f"{where}: AllowCredentials needs an origin by name; SAM rejects *")
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
        raise TemplateError(f"{where}: {text}: API Gateway needs a value in single quotes here: \"'{text}'\"")
    return text[1:-1]
