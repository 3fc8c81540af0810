"""Read REST APIs in CloudFormation's form that have a JWT authorizer. SAM's form of a REST API can't express one.

    AWS::ApiGateway::RestApi with Resource, Method, Authorizer, Deployment and Stage

https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-jwt-authorizer-methods.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lambda_gateway.model import Api, FunctionSpec, JwtAuthorizer, Kind, Route, TemplateError
from lambda_gateway.template.api_parts import V1, ApiParts, properties_of
from lambda_gateway.template.jwt_authorizers import rest_jwt_authorizer
from lambda_gateway.template.resources import Resources
from lambda_gateway.template.unserved import is_plain_rest
from lambda_gateway.template.values import boolean, mapping, method_of, number, strings

# Milliseconds: API Gateway's default.
_TIMEOUT = 29000
# Resources inside each other; API Gateway's limit for one API is higher, and a circle has no end.
_MAX_DEPTH = 100


def plain_rest_apis(resources: Resources, functions: Mapping[str, FunctionSpec]) -> Iterator[Api]:
    """Yield the APIs. Raises TemplateError."""
    reader = _Reader(resources, functions)
    for name in resources.of_kind(f"{V1}RestApi"):
        if is_plain_rest(resources, name):
            yield reader.api(name)


class _Reader(ApiParts):
    __slots__ = ()

    def api(self, name: str) -> Api:
        where = properties_of(name)
        for unsupported in ("Body", "BodyS3Location", "Policy"):
            if unsupported in self.resources.properties(name):
                raise TemplateError(f"{where}.{unsupported}: is not emulated; give the API methods")
        if responses := self.parts(f"{V1}GatewayResponse", name):
            raise TemplateError(f"Resources.{responses[0]}: gateway responses of this API are not emulated")
        stage = self.one_stage(f"{V1}Stage", name)
        variables = mapping(self.value(stage, "Variables"), f"{properties_of(stage)}.Variables")
        authorizers = {part: self._authorizer(part) for part in self.parts(f"{V1}Authorizer", name)}
        return Api(
            name=name,
            routes=tuple(self._route(part, name, authorizers) for part in self.parts(f"{V1}Method", name)),
            authorizers={},
            jwt_authorizers=authorizers,
            kind=Kind.REST,
            stage=str(self.value(stage, "StageName")),
            stage_variables={variable: str(value) for variable, value in variables.items()},
            binary_types=tuple(
                kind.replace("~1", "/").lower() for kind in strings(self.value(name, "BinaryMediaTypes"))
            ),
        )

    def _authorizer(self, name: str) -> JwtAuthorizer:
        where = properties_of(name)
        kind = self.value(name, "Type")
        if kind != "JWT":
            raise TemplateError(f"{where}.Type: {kind}: only JWT; declare others in an AWS::Serverless::Api")
        return rest_jwt_authorizer(name, self.resources.resolved_map(self.resources.properties(name), where), where)

    def _route(self, name: str, api: str, authorizers: Mapping[str, JwtAuthorizer]) -> Route:
        where = properties_of(name)
        for unsupported in ("RequestValidatorId", "RequestModels"):
            if unsupported in self.resources.properties(name):
                raise TemplateError(f"{where}.{unsupported}: is not emulated")
        if boolean(self.value(name, "ApiKeyRequired"), default=False):
            raise TemplateError(f"{where}.ApiKeyRequired: is not emulated")
        integration = mapping(self.value(name, "Integration"), f"{where}.Integration")
        if integration.get("Type") != "AWS_PROXY":
            raise TemplateError(f"{where}.Integration.Type: {integration.get('Type')}: only AWS_PROXY is emulated")
        kind = str(self.value(name, "AuthorizationType", "NONE"))
        if kind not in ("JWT", "NONE"):
            raise TemplateError(f"{where}.AuthorizationType: {kind}: only JWT and NONE are emulated")
        authorizer = str(self.value(name, "AuthorizerId")) if kind == "JWT" else None
        if authorizer is not None and authorizer not in authorizers:
            raise TemplateError(f"{where}.AuthorizerId: {authorizer}: isn't an authorizer of this API")
        milliseconds = integration.get("TimeoutInMillis", _TIMEOUT)
        return Route(
            method=method_of(self.value(name, "HttpMethod"), where),
            path=self._path(self.value(name, "ResourceId"), api, where),
            function=self.function(integration.get("Uri"), f"{where}.Integration.Uri"),
            authorizer=authorizer,
            timeout=number(milliseconds, f"{where}.Integration.TimeoutInMillis") / 1000,
            scopes=strings(self.value(name, "AuthorizationScopes")) if authorizer else (),
        )

    def _path(self, resource: object, api: str, where: str) -> str:
        """Return the path of a resource, from its part and those of its parents."""
        parts: list[str] = []
        while resource != f"{api}.RootResourceId":
            name = str(resource)
            if self.resources.kind(name) != f"{V1}Resource" or len(parts) > _MAX_DEPTH:
                raise TemplateError(f"{where}.ResourceId: {name}: isn't a resource of this API")
            parts.append(str(self.value(name, "PathPart")))
            resource = self.value(name, "ParentId")
        return "/" + "/".join(reversed(parts))
