"""Read a SAM template: its APIs, the functions behind them, its exports and imports.

A property that the gateway doesn't support is a TemplateError, so that no difference remains to be found on AWS.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from lambda_gateway.model import Api, FunctionSpec, Template, TemplateError
from lambda_gateway.template import http_api, rest_api, websocket_api
from lambda_gateway.template.document import load_template
from lambda_gateway.template.functions import FunctionReader
from lambda_gateway.template.intrinsics import Resolver
from lambda_gateway.template.plain_http_api import plain_http_apis
from lambda_gateway.template.plain_rest_api import plain_rest_apis
from lambda_gateway.template.resources import ApiEvent, Resources, api_events
from lambda_gateway.template.subscriptions import subscriptions
from lambda_gateway.template.unserved import unserved_apis
from lambda_gateway.template.values import mapping

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def read_template(
    path: Path,
    variables: Mapping[str, str] | None = None,
    secrets: Mapping[str, Mapping[str, str]] | None = None,
    *,
    stack: str | None = None,
    after: Template | None = None,
) -> Template:
    """Read the template at `path`. Raises TemplateError.

    variables  the values for this machine. Each parameter gets the value of its name (TableName: TABLE_NAME), and so
               does each environment variable that the template declares for a function. Functions get no others.
    secrets    replace Secrets Manager: by the name of a variable that holds a secret's id, the values of that secret.
               They become variables of the functions for which the template declares that variable.
    stack      the stack's name; default: the name of the template's folder
    after      a stack that exists already: its exports can be imported, and its functions can be authorizers. The names
               of this template's functions then begin with the stack's name.
    """
    return _Reader(path.resolve(), dict(variables or {}), dict(secrets or {}), stack, after).read()


def variable_name(parameter: str) -> str:
    """Return TABLE_NAME for TableName."""
    return _WORD.sub("_", parameter).upper()


class _Reader:
    def __init__(
        self,
        path: Path,
        variables: Mapping[str, str],
        secrets: Mapping[str, Mapping[str, str]],
        stack: str | None,
        after: Template | None,
    ) -> None:
        self._path = path
        self._after = after
        self._stack = path.parent.name.replace("_", "-") if stack is None else stack
        document = load_template(path)
        parameters = {
            name: variables[variable_name(name)]
            for name in mapping(document.get("Parameters"), "Parameters")
            if variable_name(name) in variables
        }
        self._names = {name: self._qualified(name) for name in mapping(document["Resources"], "Resources")}
        resolver = Resolver(
            document,
            parameters,
            stack=self._stack,
            exports=after.exports if after else {},
            ssm=after.parameters if after else {},
            function_names=self._names,
        )
        self._resources = Resources(document, resolver, path)
        self._functions = FunctionReader(self._resources, variables, secrets)

    def read(self) -> Template:
        functions = {
            self._names[name]: self._functions.read(name, self._names[name])
            for name in self._resources.of_kind("AWS::Serverless::Function")
        }
        if self._after and (taken := sorted(set(functions) & set(self._after.functions))):
            raise TemplateError(f"{self._path}: {', '.join(taken)}: another stack has a function with this name")
        known = {**(self._after.functions if self._after else {}), **functions}
        apis = self._apis(known)
        for api in apis:
            _check_authorizers(api)
        return Template(
            paths=(self._path,),
            apis=apis,
            functions=functions,
            exports=self._exports(),
            parameters=self._parameters(),
            unserved=tuple(unserved_apis(self._resources)),
            subscriptions=tuple(subscriptions(self._resources, functions)),
        )

    def _qualified(self, logical_id: str) -> str:
        return f"{self._stack}-{logical_id}" if self._after else logical_id

    def _apis(self, functions: Mapping[str, FunctionSpec]) -> tuple[Api, ...]:
        """Read all APIs, HTTP APIs first. A first stack without any API gets an HTTP API without routes."""
        plain = [
            *plain_http_apis(self._resources, functions),
            *plain_rest_apis(self._resources, functions),
            *websocket_api.websocket_apis(self._resources, functions),
        ]
        http = self._events_by_api("HttpApi", "AWS::Serverless::HttpApi", "ApiId", http_api.IMPLICIT)
        rest = self._events_by_api("Api", "AWS::Serverless::Api", "RestApiId", rest_api.IMPLICIT)
        if not http and not rest and not plain and self._after is None:
            http[http_api.IMPLICIT] = []
        # Several APIs need ids that distinguish them. On AWS, API Gateway assigns the ids.
        single = len(http) + len(rest) + len(plain) == 1 and self._after is None
        apis = [
            *(http_api.http_api(name, self._resources, events, functions) for name, events in http.items()),
            *(rest_api.rest_api(name, self._resources, events, functions) for name, events in rest.items()),
            *plain,
        ]
        return tuple(replace(api, name=self._qualified(api.name), id="local" if single else api.name) for api in apis)

    def _events_by_api(self, event: str, kind: str, reference: str, implicit: str) -> dict[str, list[ApiEvent]]:
        """Return the events of each API with the resource type `kind`, by the API's logical id."""
        found: dict[str, list[ApiEvent]] = {name: [] for name in self._resources.of_kind(kind)}
        for api_event in api_events(self._resources, self._names, event):
            name = str(api_event.given.get(reference, implicit))
            if name != implicit and name not in found:
                raise TemplateError(f"{api_event.where}.{reference}: {name}: isn't an {event} of this template")
            found.setdefault(name, []).append(api_event)
        return found

    def _exports(self) -> dict[str, str]:
        """Return the exports by name. Those that only a deployment knows are missing."""
        exports: dict[str, str] = {}
        for name, output in self._resources.outputs().items():
            body = mapping(output, f"Outputs.{name}")
            where = f"Outputs.{name}"
            if "Export" not in body or not self._resources.holds(body.get("Condition"), where):
                continue
            try:
                exported = mapping(body["Export"], f"{where}.Export").get("Name")
                exports[str(self._resources.resolve(exported, where))] = str(
                    self._resources.resolve(body.get("Value"), where)
                )
            except TemplateError:
                continue
        return exports

    def _parameters(self) -> dict[str, str]:
        """Return the parameters of Systems Manager's parameter store by name."""
        parameters: dict[str, str] = {}
        for name in self._resources.of_kind("AWS::SSM::Parameter"):
            where = f"Resources.{name}.Properties"
            given = self._resources.properties(name)
            try:
                parameters[str(self._resources.resolve(given.get("Name"), where))] = str(
                    self._resources.resolve(given.get("Value"), where)
                )
            except TemplateError:
                continue
        return parameters


def _check_authorizers(api: Api) -> None:
    for route in api.routes:
        if route.authorizer is not None and route.authorizer not in {*api.authorizers, *api.jwt_authorizers}:
            raise TemplateError(f"route {route.key}: authorizer {route.authorizer} doesn't exist")
