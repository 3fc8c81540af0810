"""Read a template's WebSocket APIs, in CloudFormation's form and in SAM's.

    AWS::ApiGatewayV2::Api with Stage, Route, Integration, Authorizer and RouteResponse
    AWS::Serverless::WebSocketApi

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-overview.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from lambda_gateway.authorizers.identity import readable
from lambda_gateway.events.websocket import CONNECT, DISCONNECT
from lambda_gateway.model import DEFAULT_ROUTE, Api, Authorizer, FunctionSpec, Kind, Payload, Route, TemplateError
from lambda_gateway.template.api_parts import V2, ApiParts, properties_of
from lambda_gateway.template.resources import Resources
from lambda_gateway.template.unserved import is_websocket
from lambda_gateway.template.values import boolean, mapping, number, strings

_API, _SAM_API = "AWS::ApiGatewayV2::Api", "AWS::Serverless::WebSocketApi"
_SAM_STAGE = "default"
# Milliseconds: API Gateway's default and limit.
_TIMEOUT = 29000
_SELECTION = re.compile(r"\$(?:\{request\.body\.([\w.-]+)\}|request\.body\.([\w.-]+))")
_NOT_EMULATED = ("ApiKeyRequired", "ModelSelectionExpression", "RequestModels", "RequestParameters")


def websocket_apis(resources: Resources, functions: Mapping[str, FunctionSpec]) -> Iterator[Api]:
    """Yield the APIs. Raises TemplateError."""
    reader = _Reader(resources, functions)
    for name in resources.of_kind(_API):
        if is_websocket(resources, name):
            yield reader.api(name)
    for name in resources.of_kind(_SAM_API):
        yield reader.sam_api(name)


class _Reader(ApiParts):
    __slots__ = ()

    def api(self, name: str) -> Api:
        """Read an API in CloudFormation's form."""
        where = properties_of(name)
        stage = self.one_stage(f"{V2}Stage", name)
        authorizers = {part: self._authorizer(part) for part in self.parts(f"{V2}Authorizer", name)}
        api = Api(
            name=name,
            routes=tuple(self._route(part, authorizers) for part in self.parts(f"{V2}Route", name)),
            authorizers=authorizers,
            kind=Kind.WEBSOCKET,
            stage=_stage(self.value(stage, "StageName"), f"{properties_of(stage)}.StageName"),
            stage_variables=_texts(self.value(stage, "StageVariables"), f"{properties_of(stage)}.StageVariables"),
            selection=_selection(self.value(name, "RouteSelectionExpression"), where),
        )
        return _checked(api, where)

    def sam_api(self, name: str) -> Api:
        """Read an API in SAM's form, whose authorizer guards $connect."""
        where = properties_of(name)
        auth = mapping(self.value(name, "Auth"), f"{where}.Auth")
        kind = str(auth.get("AuthType", "NONE"))
        authorizers: dict[str, Authorizer] = {}
        if kind == "CUSTOM":
            authorizer = f"{name}ConnectAuthorizer"
            sources = _sources(auth.get("IdentitySource"), f"{where}.Auth.IdentitySource")
            function = self.function(auth.get("AuthArn"), f"{where}.Auth.AuthArn")
            authorizers[authorizer] = Authorizer(authorizer, function, sources, 0, Payload.REQUEST, simple=False)
        elif kind != "NONE":
            raise TemplateError(f"{where}.Auth.AuthType: {kind}: only CUSTOM and NONE are emulated")
        routes = [
            self._sam_route(key, mapping(given, f"{where}.Routes.{key}"), f"{where}.Routes.{key}")
            for key, given in mapping(self.value(name, "Routes"), f"{where}.Routes").items()
        ]
        guard = next(iter(authorizers), None)
        if guard and all(route.method != CONNECT for route in routes):
            raise TemplateError(f"{where}.Auth: an authorizer needs the route {CONNECT}")
        api = Api(
            name=name,
            routes=tuple(replace(route, authorizer=guard) if route.method == CONNECT else route for route in routes),
            authorizers=authorizers,
            kind=Kind.WEBSOCKET,
            stage=_stage(self.value(name, "StageName", _SAM_STAGE), f"{where}.StageName"),
            stage_variables=_texts(self.value(name, "StageVariables"), f"{where}.StageVariables"),
            selection=_selection(self.value(name, "RouteSelectionExpression"), where),
        )
        return _checked(api, where)

    def _sam_route(self, key: str, given: Mapping[str, object], where: str) -> Route:
        _check_emulated(given, where)
        # SAM makes no route response, so that the function's response is never sent.
        return Route(
            method=key,
            path="",
            function=self.function(given.get("FunctionArn"), f"{where}.FunctionArn"),
            timeout=number(given.get("IntegrationTimeout", _TIMEOUT), f"{where}.IntegrationTimeout") / 1000,
        )

    def _route(self, name: str, authorizers: Mapping[str, Authorizer]) -> Route:
        where = properties_of(name)
        _check_emulated(self.resources.properties(name), where)
        key = str(self.value(name, "RouteKey", ""))
        kind = str(self.value(name, "AuthorizationType", "NONE"))
        authorizer: str | None = None
        if kind == "CUSTOM":
            authorizer = str(self.value(name, "AuthorizerId"))
            if authorizer not in authorizers:
                raise TemplateError(f"{where}.AuthorizerId: {authorizer}: isn't an authorizer of this API")
            if key != CONNECT:
                raise TemplateError(f"{where}.AuthorizationType: only the route {CONNECT} can have an authorizer")
        elif kind != "NONE":
            raise TemplateError(f"{where}.AuthorizationType: {kind}: only CUSTOM and NONE are emulated")
        integration = self.integration_of(name)
        milliseconds = self.value(integration, "TimeoutInMillis", _TIMEOUT)
        return Route(
            method=key,
            path="",
            function=self.proxied_function(integration),
            authorizer=authorizer,
            timeout=number(milliseconds, f"{properties_of(integration)}.TimeoutInMillis") / 1000,
            responds=self._responds(name),
        )

    def _responds(self, route: str) -> bool:
        if self.value(route, "RouteResponseSelectionExpression") is None:
            return False
        return any(self.value(name, "RouteId") == route for name in self.resources.of_kind(f"{V2}RouteResponse"))

    def _authorizer(self, name: str) -> Authorizer:
        where = properties_of(name)
        kind = self.value(name, "AuthorizerType")
        if kind != "REQUEST":
            raise TemplateError(f"{where}.AuthorizerType: {kind}: a WebSocket API needs REQUEST")
        ttl = self.value(name, "AuthorizerResultTtlInSeconds", 0)
        if number(ttl, f"{where}.AuthorizerResultTtlInSeconds"):
            raise TemplateError(f"{where}.AuthorizerResultTtlInSeconds: a WebSocket API caches no results")
        sources = _sources(self.value(name, "IdentitySource"), f"{where}.IdentitySource")
        function = self.function(self.value(name, "AuthorizerUri"), f"{where}.AuthorizerUri")
        return Authorizer(name, function, sources, 0, Payload.REQUEST, simple=False)


def _texts(value: object, where: str) -> dict[str, str]:
    return {name: str(text) for name, text in mapping(value, where).items()}


def _stage(value: object, where: str) -> str:
    if not isinstance(value, str) or not value or value == DEFAULT_ROUTE:
        raise TemplateError(f"{where}: a WebSocket API needs a stage with a name other than $default")
    return value


def _selection(expression: object, where: str) -> tuple[str, ...]:
    match = _SELECTION.fullmatch(str(expression))
    if match is None:
        place = f"{where}.RouteSelectionExpression"
        raise TemplateError(f"{place}: {expression}: only $request.body and a path of members is emulated")
    return tuple((match.group(1) or match.group(2)).split("."))


def _sources(value: object, where: str) -> tuple[str, ...]:
    sources = strings(value)
    for source in sources:
        if not source.startswith("$") and readable(source) and not source.startswith("method."):
            continue
        raise TemplateError(f"{where}: {source}: must be like route.request.header.Authorization")
    return sources


def _check_emulated(given: Mapping[str, object], where: str) -> None:
    for name in _NOT_EMULATED:
        if name in given and (name != "ApiKeyRequired" or boolean(given[name], default=False)):
            raise TemplateError(f"{where}.{name}: is not emulated")


def _checked(api: Api, where: str) -> Api:
    keys = [route.method for route in api.routes]
    for key in keys:
        if keys.count(key) > 1:
            raise TemplateError(f"{where}: two routes have the key {key}")
        if not key or (key.startswith("$") and key not in (CONNECT, DISCONNECT, DEFAULT_ROUTE)):
            raise TemplateError(f"{where}: {key or 'an empty text'} isn't a route key")
    return api
