"""The resources that an API in CloudFormation's form consists of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lambda_gateway.model import FunctionSpec, TemplateError
from lambda_gateway.template.intrinsics import function_name
from lambda_gateway.template.resources import Resources

V1, V2 = "AWS::ApiGateway::", "AWS::ApiGatewayV2::"
_URI = re.compile(r".*/functions/([^/]+)/invocations")


@dataclass(frozen=True, slots=True)
class ApiParts:
    """Reader of the parts of any API. Every method raises TemplateError."""

    resources: Resources
    functions: Mapping[str, FunctionSpec]

    def parts(self, kind: str, api: str) -> list[str]:
        """Return the API's resources of this CloudFormation type by their logical ids."""
        return [name for name in self.resources.of_kind(kind) if self.value(name, _member(kind)) == api]

    def value(self, name: str, key: str, default: object = None) -> object:
        """Return a resolved property of a resource."""
        given = self.resources.properties(name).get(key, default)
        return self.resources.resolve(given, f"{properties_of(name)}.{key}")

    def one_stage(self, kind: str, api: str) -> str:
        """Return the API's only stage by its logical id."""
        stages = self.parts(kind, api)
        if len(stages) != 1:
            found = "none" if not stages else f"{len(stages)}, {', '.join(stages)}"
            raise TemplateError(
                f"{properties_of(api)}: needs one {kind} whose {_member(kind)} is {api}; the template has {found}"
            )
        return stages[0]

    def function(self, uri: object, where: str) -> str:
        """Return the function's name from its ARN or from the URI by which API Gateway invokes it."""
        match = _URI.fullmatch(str(uri))
        arn = match.group(1) if match else uri
        function = function_name(arn)
        if function not in self.functions:
            raise TemplateError(f"{where}: {arn}: isn't a function of this template")
        return function

    def proxied_function(self, integration: str) -> str:
        """Return the function behind an AWS::ApiGatewayV2::Integration."""
        kind = self.value(integration, "IntegrationType")
        if kind != "AWS_PROXY":
            raise TemplateError(f"{properties_of(integration)}.IntegrationType: {kind}: only AWS_PROXY is emulated")
        return self.function(self.value(integration, "IntegrationUri"), f"{properties_of(integration)}.IntegrationUri")

    def integration_of(self, route: str) -> str:
        """Return the AWS::ApiGatewayV2::Integration of a route by its logical id."""
        integration = str(self.value(route, "Target", "")).removeprefix("integrations/")
        if self.resources.kind(integration) != f"{V2}Integration":
            raise TemplateError(f"{properties_of(route)}.Target: must be integrations/ and an {V2}Integration")
        return integration


def _member(kind: str) -> str:
    """Return the property that names the API of a resource."""
    return "RestApiId" if kind.startswith(V1) else "ApiId"


def properties_of(name: str) -> str:
    """Return the place of a resource's properties, for messages."""
    return f"Resources.{name}.Properties"
