"""Read HTTP APIs in CloudFormation's form that have a JWT authorizer.

AWS::ApiGatewayV2::Api with Stage, Route, Integration and Authorizer
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from lambda_gateway.authorizers.identity import readable
from lambda_gateway.model import (
    DEFAULT_ROUTE,
    DEFAULT_STAGE,
    Api,
    Authorizer,
    FunctionSpec,
    JwtAuthorizer,
    Payload,
    Route,
    TemplateError,
)
from lambda_gateway.template.api_parts import V2, ApiParts, properties_of
from lambda_gateway.template.http_api import DEFAULT_TTL, cors_of
from lambda_gateway.template.jwt_authorizers import http_jwt_authorizer
from lambda_gateway.template.resources import Resources
from lambda_gateway.template.unserved import is_plain_http
from lambda_gateway.template.values import boolean, mapping, method_of, number, strings

# Milliseconds: API Gateway's default and limit.
_TIMEOUT = 30000


def plain_http_apis(resources: Resources, functions: Mapping[str, FunctionSpec]) -> Iterator[Api]:
    """Yield the APIs. Raises TemplateError."""
    reader = _Reader(resources, functions)
    for name in resources.of_kind(f"{V2}Api"):
        if is_plain_http(resources, name):
            yield reader.api(name)


class _Reader(ApiParts):
    __slots__ = ()

    def api(self, name: str) -> Api:
        where = properties_of(name)
        for unsupported in ("Body", "BodyS3Location", "RouteKey", "Target"):
            if self.value(name, unsupported) is not None:
                raise TemplateError(f"{where}.{unsupported}: is not emulated; give the API routes")
        stage = self.one_stage(f"{V2}Stage", name)
        if self.value(stage, "StageName") != DEFAULT_STAGE:
            raise TemplateError(f"{properties_of(stage)}.StageName: only {DEFAULT_STAGE} is emulated")
        variables = mapping(self.value(stage, "StageVariables"), f"{properties_of(stage)}.StageVariables")
        given = self.parts(f"{V2}Authorizer", name)
        api = Api(
            name=name,
            routes=(),
            authorizers={part: self._authorizer(part) for part in given if not self._is_jwt(part)},
            jwt_authorizers={part: self._jwt_authorizer(part) for part in given if self._is_jwt(part)},
            cors=cors_of(self.value(name, "CorsConfiguration"), where),
            stage_variables={variable: str(value) for variable, value in variables.items()},
        )
        return replace(api, routes=tuple(self._route(part, api) for part in self.parts(f"{V2}Route", name)))

    def _route(self, name: str, api: Api) -> Route:
        where = properties_of(name)
        method, _, path = str(self.value(name, "RouteKey", "")).partition(" ")
        if method != DEFAULT_ROUTE and not path.startswith("/"):
            raise TemplateError(f"{where}.RouteKey: must be like GET /orders, or {DEFAULT_ROUTE}")
        integration = self.integration_of(name)
        place = properties_of(integration)
        version = self.value(integration, "PayloadFormatVersion")
        if str(version) != "2.0":
            raise TemplateError(f"{place}.PayloadFormatVersion: {version}: only 2.0 is emulated")
        authorizer = self._authorizer_of(name, api)
        scopes = strings(self.value(name, "AuthorizationScopes"))
        if scopes and authorizer not in api.jwt_authorizers:
            raise TemplateError(f"{where}.AuthorizationScopes: only a JWT authorizer checks scopes")
        milliseconds = self.value(integration, "TimeoutInMillis", _TIMEOUT)
        return Route(
            method="ANY" if method == DEFAULT_ROUTE else method_of(method, where),
            path=None if method == DEFAULT_ROUTE else path,
            function=self.proxied_function(integration),
            authorizer=authorizer,
            timeout=number(milliseconds, f"{place}.TimeoutInMillis") / 1000,
            scopes=scopes,
        )

    def _authorizer_of(self, route: str, api: Api) -> str | None:
        where = properties_of(route)
        kind = str(self.value(route, "AuthorizationType", "NONE"))
        if kind == "NONE":
            return None
        if kind not in ("JWT", "CUSTOM"):
            raise TemplateError(f"{where}.AuthorizationType: {kind}: only JWT, CUSTOM and NONE are emulated")
        authorizer = str(self.value(route, "AuthorizerId"))
        if authorizer not in {*api.authorizers, *api.jwt_authorizers}:
            raise TemplateError(f"{where}.AuthorizerId: {authorizer}: isn't an authorizer of this API")
        if (authorizer in api.jwt_authorizers) != (kind == "JWT"):
            raise TemplateError(f"{where}.AuthorizationType: {kind}: isn't the type of {authorizer}")
        return authorizer

    def _is_jwt(self, name: str) -> bool:
        return self.value(name, "AuthorizerType") == "JWT"

    def _jwt_authorizer(self, name: str) -> JwtAuthorizer:
        configuration, source = self.value(name, "JwtConfiguration"), self.value(name, "IdentitySource")
        return http_jwt_authorizer(name, configuration, source, properties_of(name))

    def _authorizer(self, name: str) -> Authorizer:
        where = properties_of(name)
        kind = self.value(name, "AuthorizerType")
        if kind != "REQUEST":
            raise TemplateError(f"{where}.AuthorizerType: {kind}: must be JWT or REQUEST")
        sources = strings(self.value(name, "IdentitySource"))
        for source in sources:
            if not source.startswith("$") or not readable(source):
                raise TemplateError(f"{where}.IdentitySource: {source}: must be like $request.header.Authorization")
        version = str(self.value(name, "AuthorizerPayloadFormatVersion"))
        if version not in (Payload.V1, Payload.V2):
            raise TemplateError(f'{where}.AuthorizerPayloadFormatVersion: must be "1.0" or "2.0"')
        ttl = self.value(name, "AuthorizerResultTtlInSeconds", DEFAULT_TTL if sources else 0)
        return Authorizer(
            name,
            self.function(self.value(name, "AuthorizerUri"), f"{where}.AuthorizerUri"),
            sources,
            int(number(ttl, f"{where}.AuthorizerResultTtlInSeconds")),
            Payload(version),
            boolean(self.value(name, "EnableSimpleResponses"), default=False),
        )
