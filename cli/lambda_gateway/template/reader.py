"""Reads a SAM template: its APIs, the functions behind them, and what it exports and imports.

What the template says and the gateway can't do is a TemplateError rather than a difference that shows up on AWS.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from lambda_gateway.model import Api, FunctionSpec, Template, TemplateError
from lambda_gateway.template import http_api, rest_api
from lambda_gateway.template.functions import FunctionReader
from lambda_gateway.template.intrinsics import Resolver, load_template
from lambda_gateway.template.resources import ApiEvent, Resources, api_events
from lambda_gateway.template.values import mapping

# What samconfig.toml calls the stack that has no stage in its name.
MAIN_STACK = "tenantgate"
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def read_template(
    path: Path,
    variables: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    *,
    after: Template | None = None,
) -> Template:
    """Read the template at `path`. Raises TemplateError.

    `variables` are the values for this machine: a parameter takes the one of its name (OidcIssuerUrl: OIDC_ISSUER_URL),
    and so does an environment variable that the template gives a function. Which function gets which is the template's
    to say: the values go nowhere else. `secrets` stand for Secrets Manager: they become variables of the functions that
    the template gives AWS_SECRETS_MANAGER_SECRET_ID.

    `after` is a stack that is there already: what it exports can be imported, and its functions can be authorizers. The
    names of this template's functions then begin with the name of its folder, as with a stack's name on AWS.
    """
    return _Reader(path.resolve(), dict(variables or {}), dict(secrets or {}), after).read()


def variable_name(parameter: str) -> str:
    """OidcIssuerUrl → OIDC_ISSUER_URL."""
    return _WORD.sub("_", parameter).upper()


class _Reader:
    def __init__(self, path: Path, variables: dict[str, str], secrets: dict[str, str], after: Template | None) -> None:
        self._path = path
        self._after = after
        self._stack = MAIN_STACK if after is None else path.parent.name.replace("_", "-")
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
            raise TemplateError(f"{self._path}: {', '.join(taken)}: another stack has a function of this name")
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
        )

    def _qualified(self, logical_id: str) -> str:
        return f"{self._stack}-{logical_id}" if self._after else logical_id

    def _apis(self, functions: Mapping[str, FunctionSpec]) -> tuple[Api, ...]:
        """HTTP APIs first. The main stack has at least one, be it without routes."""
        http = self._events_by_api("HttpApi", "AWS::Serverless::HttpApi", "ApiId", http_api.IMPLICIT)
        rest = self._events_by_api("Api", "AWS::Serverless::Api", "RestApiId", rest_api.IMPLICIT)
        if not http and not rest and self._after is None:
            http[http_api.IMPLICIT] = []
        # Route rules name a second stack's APIs by their logical ids; on AWS, by the ids that API Gateway gives them.
        alone = len(http) + len(rest) == 1 and self._after is None
        apis = [
            *(http_api.http_api(name, self._resources, events, functions) for name, events in http.items()),
            *(rest_api.rest_api(name, self._resources, events, functions) for name, events in rest.items()),
        ]
        return tuple(replace(api, name=self._qualified(api.name), id="local" if alone else api.name) for api in apis)

    def _events_by_api(self, event: str, kind: str, reference: str, implicit: str) -> dict[str, list[ApiEvent]]:
        """The events of each API of a kind, by its logical id."""
        found: dict[str, list[ApiEvent]] = {name: [] for name in self._resources.of_kind(kind)}
        for api_event in api_events(self._resources, self._names, event):
            name = str(api_event.given.get(reference, implicit))
            if name != implicit and name not in found:
                raise TemplateError(f"{api_event.where}.{reference}: {name}: is no {event} of this template")
            found.setdefault(name, []).append(api_event)
        return found

    def _exports(self) -> dict[str, str]:
        """By name, as far as they are known before a deployment."""
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
        """Of Systems Manager's parameter store, by name."""
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
        if route.authorizer is not None and route.authorizer not in api.authorizers:
            raise TemplateError(f"route {route.key}: there is no authorizer {route.authorizer}")
