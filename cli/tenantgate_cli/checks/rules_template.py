"""Read the Lambda authorizers of a SAM or CloudFormation template, with their lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from lambda_gateway.model import TemplateError
from lambda_gateway.template.document import load_template
from lambda_gateway.template.intrinsics import NO_VALUE, Resolver
from tenantgate.route_rules.model import CONNECT
from tenantgate_cli.console import Failure

# Seconds: API Gateway's default for authorizers of REST APIs.
REST_DEFAULT_TTL = 300
_IMPLICIT = {"Api": "ServerlessRestApi", "HttpApi": "ServerlessHttpApi"}
_EXTENSION = "x-amazon-apigateway-authorizer"

type Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class GuardedRoute:
    """A route behind an authorizer. The path of `$default` is None, that of `$connect` is empty."""

    method: str
    path: str | None
    line: int


@dataclass(slots=True)
class Guard:
    """One authorizer of one API.

    ttl      seconds; None if the template doesn't give it, or only a deployment knows it
    sources  in one spelling for all kinds of API: `header.authorization`, `context.routekey`
    routes   None if such a template doesn't list them
    """

    api: str
    name: str
    line: int
    token: bool = False
    simple: bool = False
    rest: bool = False
    websocket: bool = False
    ttl: int | None = None
    ttl_line: int = 0
    sources: tuple[str, ...] = ()
    routes: list[GuardedRoute] | None = field(default_factory=list)


def read_guards(path: Path) -> list[Guard]:
    """Return the template's authorizers. Raises Failure if it can't be read."""
    try:
        document = load_template(path)
        return _Reader(document, template_lines(path.read_text("utf-8"))).guards()
    except TemplateError as error:
        raise Failure(str(error), f"sam validate --lint --template {path}") from None


class _Reader:
    def __init__(self, document: dict[str, object], lines: dict[Place, int]) -> None:
        self._document = document
        self._resources = _map(document.get("Resources"))
        self._globals = _map(document.get("Globals"))
        self._resolver = Resolver(document, {})
        self._lines = lines

    def guards(self) -> list[Guard]:
        found: list[Guard] = []
        for name, body in self._resources.items():
            resource = _map(body)
            place: Place = ("Resources", name, "Properties")
            properties = _map(resource.get("Properties"))
            match resource.get("Type"):
                case "AWS::Serverless::Api" | "AWS::Serverless::HttpApi":
                    kind = str(resource["Type"]).rpartition(":")[2]
                    found += self._of_sam_api(kind, name, properties, place)
                    found += self._of_openapi(name, properties.get("DefinitionBody"), (*place, "DefinitionBody"))
                case "AWS::Serverless::WebSocketApi":
                    found += self._of_sam_websocket(name, properties, place)
                case "AWS::ApiGateway::RestApi" | "AWS::ApiGatewayV2::Api":
                    found += self._of_openapi(name, properties.get("Body"), (*place, "Body"))
                case "AWS::ApiGateway::Authorizer":
                    found += self._of_cloudformation(name, properties, place, rest=True)
                case "AWS::ApiGatewayV2::Authorizer":
                    found += self._of_cloudformation(name, properties, place, rest=False)
        for kind, implicit in _IMPLICIT.items():
            if implicit not in self._resources:
                found += self._of_sam_api(kind, implicit, {}, ())
        return found

    def _of_sam_api(self, kind: str, api: str, properties: Mapping[str, object], place: Place) -> Iterator[Guard]:
        shared: Place = ("Globals", kind, "Auth")
        common = _map(_map(self._globals.get(kind)).get("Auth"))
        own = _map(properties.get("Auth"))
        default = self._value(own.get("DefaultAuthorizer", common.get("DefaultAuthorizer")))
        for auth, at in ((common, shared), (own, (*place, "Auth"))):
            for name, body in _map(auth.get("Authorizers")).items():
                here: Place = (*at, "Authorizers", name)
                given = _map(body)
                if "FunctionArn" not in given:
                    continue
                identity = _map(given.get("Identity"))
                guard = Guard(api, str(name), self._line(here), rest=kind == "Api")
                guard.token = guard.rest and self._value(given.get("FunctionPayloadType", "TOKEN")) != "REQUEST"
                guard.simple = not guard.rest and str(self._value(given.get("EnableSimpleResponses"))).lower() == "true"
                guard.ttl, guard.ttl_line = self._ttl(identity, "ReauthorizeEvery", (*here, "Identity"))
                guard.sources = tuple(self._sam_sources(identity, token=guard.token))
                guard.routes = list(self._sam_routes(kind, api, str(name), default))
                yield self._with_default(guard, unset="ReauthorizeEvery" not in identity)

    def _sam_sources(self, identity: Mapping[str, object], *, token: bool) -> Iterator[str]:
        if token:
            yield f"header.{self._value(identity.get('Header', 'Authorization'))}".lower()
            return
        for key, kind in (("Headers", "header"), ("QueryStrings", "querystring"), ("Context", "context")):
            names = self._value(identity.get(key))
            yield from (f"{kind}.{name}".lower() for name in (names if isinstance(names, list) else []))

    def _sam_routes(self, kind: str, api: str, authorizer: str, default: object) -> Iterator[GuardedRoute]:
        for function, body in self._resources.items():
            events = _map(_map(_map(body).get("Properties")).get("Events"))
            for name, event in events.items():
                given = _map(_map(event).get("Properties"))
                if _map(event).get("Type") != kind:
                    continue
                of = self._value(given.get("RestApiId" if kind == "Api" else "ApiId", _IMPLICIT[kind]))
                wanted = self._value(_map(given.get("Auth")).get("Authorizer", default))
                if of == api and wanted == authorizer:
                    path = self._value(given.get("Path"))
                    line = self._line(("Resources", function, "Properties", "Events", name))
                    method = str(self._value(given.get("Method", "ANY"))).upper()
                    yield GuardedRoute(
                        _any(method), None if path in (None, "$default", "/$default") else str(path), line
                    )

    def _of_cloudformation(
        self, name: str, properties: Mapping[str, object], place: Place, *, rest: bool
    ) -> Iterator[Guard]:
        kind = str(self._value(properties.get("Type" if rest else "AuthorizerType")))
        api = str(self._value(properties.get("RestApiId" if rest else "ApiId")))
        protocol = _map(_map(self._resources.get(api)).get("Properties")).get("ProtocolType")
        if kind not in ("TOKEN", "REQUEST"):
            return
        guard = Guard(api, name, self._line(place[:2]), rest=rest, token=kind == "TOKEN")
        guard.websocket = protocol == "WEBSOCKET"
        guard.simple = str(self._value(properties.get("EnableSimpleResponses"))).lower() == "true"
        guard.ttl, guard.ttl_line = self._ttl(properties, "AuthorizerResultTtlInSeconds", place)
        guard.sources = _sources(self._value(properties.get("IdentitySource")))
        guard.routes = None if rest else list(self._v2_routes(name))
        if guard.websocket:
            # API Gateway caches no results for it.
            guard.ttl = 0
            yield guard
            return
        yield self._with_default(guard, unset="AuthorizerResultTtlInSeconds" not in properties)

    def _v2_routes(self, authorizer: str) -> Iterator[GuardedRoute]:
        for name, body in self._resources.items():
            properties = _map(_map(body).get("Properties"))
            if _map(body).get("Type") != "AWS::ApiGatewayV2::Route":
                continue
            # API Gateway ignores an authorizer's id without this type.
            guarded = self._value(properties.get("AuthorizationType")) == "CUSTOM"
            if guarded and self._value(properties.get("AuthorizerId")) == authorizer:
                method, _, path = str(self._value(properties.get("RouteKey"))).partition(" ")
                without_path = None if method == "$default" else ""
                yield GuardedRoute(method, path or without_path, self._line(("Resources", name)))

    def _of_sam_websocket(self, name: str, properties: Mapping[str, object], place: Place) -> Iterator[Guard]:
        auth = _map(properties.get("Auth"))
        if self._value(auth.get("AuthType")) == "CUSTOM":
            line = self._line((*place, "Auth"))
            guard = Guard(name, f"{name}ConnectAuthorizer", line, websocket=True, ttl=0)
            guard.sources = _sources(self._value(auth.get("IdentitySource")))
            if CONNECT in _map(properties.get("Routes")):
                guard.routes = [GuardedRoute(CONNECT, "", self._line((*place, "Routes", CONNECT)))]
            yield guard

    def _of_openapi(self, api: str, definition: object, place: Place) -> Iterator[Guard]:
        for at, given in _found(definition, place):
            kind = str(self._value(given.get("type"))).lower()
            if kind not in ("token", "request"):
                continue
            # Only authorizers of HTTP APIs have a payload format.
            rest = "authorizerPayloadFormatVersion" not in given
            guard = Guard(api, str(at[-2]), self._line(at), rest=rest, token=kind == "token", routes=None)
            guard.simple = str(self._value(given.get("enableSimpleResponses"))).lower() == "true"
            guard.ttl, guard.ttl_line = self._ttl(given, "authorizerResultTtlInSeconds", at)
            guard.sources = _sources(self._value(given.get("identitySource")))
            yield self._with_default(guard, unset="authorizerResultTtlInSeconds" not in given)

    def _with_default(self, guard: Guard, *, unset: bool) -> Guard:
        if unset and guard.rest:
            guard.ttl = REST_DEFAULT_TTL
        elif unset and not guard.sources:
            # Without a cache key, an HTTP API caches nothing.
            guard.ttl = 0
        return guard

    def _ttl(self, given: Mapping[str, object], key: str, place: Place) -> tuple[int | None, int]:
        line = self._line((*place, key))
        try:
            return int(str(self._value(given.get(key)))), line
        except ValueError:
            return None, line

    def _value(self, value: object) -> object:
        """Evaluate intrinsic functions. Return None for a value that only a deployment knows."""
        try:
            resolved = self._resolver.resolve(value, "")
        except TemplateError:
            return None
        return None if resolved is NO_VALUE else resolved

    def _line(self, place: Place) -> int:
        while place and place not in self._lines:
            place = place[:-1]
        return self._lines.get(place, 1)


def _found(value: object, place: Place) -> Iterator[tuple[Place, Mapping[str, object]]]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == _EXTENSION and isinstance(item, dict):
                yield (*place, key), item
            else:
                yield from _found(item, (*place, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _found(item, (*place, index))


def _sources(value: object) -> tuple[str, ...]:
    """Return one spelling for both kinds of API: `header.x` for `method.request.header.X` and `$request.header.X`."""
    given = value if isinstance(value, list) else str(value or "").split(",")
    parts = (str(item).strip().lower().lstrip("$") for item in given)
    return tuple(part.rpartition("request.")[2] for part in parts if part)


def _any(method: str) -> str:
    return "ANY" if method in ("X-AMAZON-APIGATEWAY-ANY-METHOD", "*") else method


def _map(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def template_lines(text: str) -> dict[Place, int]:
    """Return the line of each key by its place in the document."""
    lines: dict[Place, int] = {}

    def walk(node: yaml.Node, place: Place) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                here = (*place, str(key.value))
                lines.setdefault(here, key.start_mark.line + 1)
                walk(value, here)
        elif isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                walk(item, (*place, index))

    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is not None:
        walk(root, ())
    return lines
