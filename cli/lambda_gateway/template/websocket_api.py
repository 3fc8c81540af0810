"""Read a template's WebSocket APIs, in CloudFormation's form and in SAM's.

    AWS::ApiGatewayV2::Api with Stage, Route, Integration, Authorizer and RouteResponse
    AWS::Serverless::WebSocketApi

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-overview.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from lambda_gateway.authorizers.identity import readable
from lambda_gateway.events.websocket import CONNECT, DISCONNECT
from lambda_gateway.model import DEFAULT_ROUTE, Api, Authorizer, FunctionSpec, Kind, Payload, Route, TemplateError
from lambda_gateway.template.intrinsics import function_name
from lambda_gateway.template.resources import Resources
from lambda_gateway.template.unserved import is_websocket
from lambda_gateway.template.values import boolean, mapping, number, strings

_API, _SAM_API = "AWS::ApiGatewayV2::Api", "AWS::Serverless::WebSocketApi"
_PART = "AWS::ApiGatewayV2::"
_SAM_STAGE = "default"
# Milliseconds: API Gateway's default and limit.
_TIMEOUT = 29000
_SELECTION = re.compile(r"\$(?:\{request\.body\.([\w.-]+)\}|request\.body\.([\w.-]+))")
_URI = re.compile(r".*/functions/([^/]+)/invocations")
_NOT_EMULATED = ("ApiKeyRequired", "ModelSelectionExpression", "RequestModels", "RequestParameters")


def websocket_apis(resources: Resources, functions: Mapping[str, FunctionSpec]) -> Iterator[Api]:
    """Yield the APIs. Raises TemplateError."""
    reader = _Reader(resources, functions)
    for name in resources.of_kind(_API):
        if is_websocket(resources, name):
            yield reader.api(name)
    for name in resources.of_kind(_SAM_API):
        yield reader.sam_api(name)


@dataclass(frozen=True, slots=True)
class _Reader:
    resources: Resources
    functions: Mapping[str, FunctionSpec]

    def api(self, name: str) -> Api:
        """Read an API in CloudFormation's form."""
        where = _properties(name)
        stages = self._parts("Stage", name)
        if len(stages) != 1:
            found = "none" if not stages else f"{len(stages)}, {', '.join(stages)}"
            raise TemplateError(f"{where}: needs one {_PART}Stage whose ApiId is {name}; the template has {found}")
        authorizers = {part: self._authorizer(part) for part in self._parts("Authorizer", name)}
        api = Api(
            name=name,
            routes=tuple(self._route(part, authorizers) for part in self._parts("Route", name)),
            authorizers=authorizers,
            kind=Kind.WEBSOCKET,
            stage=_stage(self._value(stages[0], "StageName"), f"{_properties(stages[0])}.StageName"),
            stage_variables=_texts(
                self._value(stages[0], "StageVariables"), f"{_properties(stages[0])}.StageVariables"
            ),
            selection=_selection(self._value(name, "RouteSelectionExpression"), where),
        )
        return _checked(api, where)

    def sam_api(self, name: str) -> Api:
        """Read an API in SAM's form, whose authorizer guards $connect."""
        where = _properties(name)
        auth = mapping(self._value(name, "Auth"), f"{where}.Auth")
        kind = str(auth.get("AuthType", "NONE"))
        authorizers: dict[str, Authorizer] = {}
        if kind == "CUSTOM":
            authorizer = f"{name}ConnectAuthorizer"
            sources = _sources(auth.get("IdentitySource"), f"{where}.Auth.IdentitySource")
            function = self._function(auth.get("AuthArn"), f"{where}.Auth.AuthArn")
            authorizers[authorizer] = Authorizer(authorizer, function, sources, 0, Payload.REQUEST, simple=False)
        elif kind != "NONE":
            raise TemplateError(f"{where}.Auth.AuthType: {kind}: only CUSTOM and NONE are emulated")
        routes = [
            self._sam_route(key, mapping(given, f"{where}.Routes.{key}"), f"{where}.Routes.{key}")
            for key, given in mapping(self._value(name, "Routes"), f"{where}.Routes").items()
        ]
        guard = next(iter(authorizers), None)
        if guard and all(route.method != CONNECT for route in routes):
            raise TemplateError(f"{where}.Auth: an authorizer needs the route {CONNECT}")
        api = Api(
            name=name,
            routes=tuple(replace(route, authorizer=guard) if route.method == CONNECT else route for route in routes),
            authorizers=authorizers,
            kind=Kind.WEBSOCKET,
            stage=_stage(self._value(name, "StageName", _SAM_STAGE), f"{where}.StageName"),
            stage_variables=_texts(self._value(name, "StageVariables"), f"{where}.StageVariables"),
            selection=_selection(self._value(name, "RouteSelectionExpression"), where),
        )
        return _checked(api, where)

    def _sam_route(self, key: str, given: Mapping[str, object], where: str) -> Route:
        _check_emulated(given, where)
        # SAM makes no route response, so that the function's response is never sent.
        return Route(
            method=key,
            path="",
            function=self._function(given.get("FunctionArn"), f"{where}.FunctionArn"),
            timeout=number(given.get("IntegrationTimeout", _TIMEOUT), f"{where}.IntegrationTimeout") / 1000,
        )

    def _route(self, name: str, authorizers: Mapping[str, Authorizer]) -> Route:
        where = _properties(name)
        _check_emulated(self.resources.properties(name), where)
        key = str(self._value(name, "RouteKey", ""))
        kind = str(self._value(name, "AuthorizationType", "NONE"))
        authorizer: str | None = None
        if kind == "CUSTOM":
            authorizer = str(self._value(name, "AuthorizerId"))
            if authorizer not in authorizers:
                raise TemplateError(f"{where}.AuthorizerId: {authorizer}: isn't an authorizer of this API")
            if key != CONNECT:
                raise TemplateError(f"{where}.AuthorizationType: only the route {CONNECT} can have an authorizer")
        elif kind != "NONE":
            raise TemplateError(f"{where}.AuthorizationType: {kind}: only CUSTOM and NONE are emulated")
        integration = str(self._value(name, "Target", "")).removeprefix("integrations/")
        if self.resources.kind(integration) != f"{_PART}Integration":
            raise TemplateError(f"{where}.Target: must be integrations/ and an {_PART}Integration")
        milliseconds = self._value(integration, "TimeoutInMillis", _TIMEOUT)
        return Route(
            method=key,
            path="",
            function=self._integration(integration),
            authorizer=authorizer,
            timeout=number(milliseconds, f"{_properties(integration)}.TimeoutInMillis") / 1000,
            responds=self._responds(name),
        )

    def _integration(self, name: str) -> str:
        kind = self._value(name, "IntegrationType")
        if kind != "AWS_PROXY":
            raise TemplateError(f"{_properties(name)}.IntegrationType: {kind}: only AWS_PROXY is emulated")
        return self._function(self._value(name, "IntegrationUri"), f"{_properties(name)}.IntegrationUri")

    def _responds(self, route: str) -> bool:
        if self._value(route, "RouteResponseSelectionExpression") is None:
            return False
        return any(self._value(name, "RouteId") == route for name in self.resources.of_kind(f"{_PART}RouteResponse"))

    def _authorizer(self, name: str) -> Authorizer:
        where = _properties(name)
        kind = self._value(name, "AuthorizerType")
        if kind != "REQUEST":
            raise TemplateError(f"{where}.AuthorizerType: {kind}: a WebSocket API needs REQUEST")
        ttl = self._value(name, "AuthorizerResultTtlInSeconds", 0)
        if number(ttl, f"{where}.AuthorizerResultTtlInSeconds"):
            raise TemplateError(f"{where}.AuthorizerResultTtlInSeconds: a WebSocket API caches no results")
        sources = _sources(self._value(name, "IdentitySource"), f"{where}.IdentitySource")
        function = self._function(self._value(name, "AuthorizerUri"), f"{where}.AuthorizerUri")
        return Authorizer(name, function, sources, 0, Payload.REQUEST, simple=False)

    def _function(self, uri: object, where: str) -> str:
        """Return the function's name from its ARN or from the URI by which API Gateway invokes it."""
        match = _URI.fullmatch(str(uri))
        arn = match.group(1) if match else uri
        function = function_name(arn)
        if function not in self.functions:
            raise TemplateError(f"{where}: {arn}: isn't a function of this template")
        return function

    def _parts(self, kind: str, api: str) -> list[str]:
        """Return the API's resources of this kind by their logical ids."""
        return [name for name in self.resources.of_kind(f"{_PART}{kind}") if self._value(name, "ApiId") == api]

    def _value(self, name: str, key: str, default: object = None) -> object:
        given = self.resources.properties(name).get(key, default)
        return self.resources.resolve(given, f"{_properties(name)}.{key}")


def _properties(name: str) -> str:
    return f"Resources.{name}.Properties"


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
