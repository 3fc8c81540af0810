"""Reads a SAM template: one HTTP API and the functions behind it.

What the template says and the gateway can't do is a TemplateError rather than a difference that shows up on AWS.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from tenantgate_cli.gateway.intrinsics import Resolver, function_name, load_template
from tenantgate_cli.gateway.model import ANY_METHOD, Api, Authorizer, Cors, FunctionSpec, Route, Template, TemplateError

_IMPLICIT_API = "ServerlessHttpApi"
_METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", ANY_METHOD}
_SECRET_REFERENCE = "AWS_SECRETS_MANAGER_SECRET_ID"  # noqa: S105 - a variable's name
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def read_template(
    path: Path, variables: Mapping[str, str] | None = None, secrets: Mapping[str, str] | None = None
) -> Template:
    """Read the template at `path`. Raises TemplateError.

    `variables` are the values for this machine: a parameter takes the one of its name (OidcIssuerUrl: OIDC_ISSUER_URL),
    and so does an environment variable that the template gives a function. Which function gets which is the template's
    to say: the values go nowhere else. `secrets` stand for Secrets Manager: they become variables of the functions that
    the template gives AWS_SECRETS_MANAGER_SECRET_ID.
    """
    return _Reader(path.resolve(), dict(variables or {}), dict(secrets or {})).read()


def variable_name(parameter: str) -> str:
    """OidcIssuerUrl → OIDC_ISSUER_URL."""
    return _WORD.sub("_", parameter).upper()


class _Reader:
    def __init__(self, path: Path, variables: dict[str, str], secrets: dict[str, str]) -> None:
        self._path = path
        self._folder = path.parent
        self._variables = variables
        self._secrets = secrets
        self._document = load_template(path)
        parameters = {
            name: variables[variable_name(name)]
            for name in _mapping(self._document.get("Parameters"), "Parameters")
            if variable_name(name) in variables
        }
        self._resolver = Resolver(self._document, parameters)
        self._resources = self._active_resources()

    def read(self) -> Template:
        functions: dict[str, FunctionSpec] = {}
        routes: list[Route] = []
        api_name = self._api_name()
        api = self._properties(api_name) if api_name in self._resources else self._globals("HttpApi")
        where = f"Resources.{api_name}.Properties"
        if "DefinitionBody" in api or "DefinitionUri" in api:
            raise TemplateError(f"{where}: an OpenAPI definition isn't read; give the functions HttpApi events")
        auth = _mapping(self._resolver.resolve(api.get("Auth", {}), f"{where}.Auth"), f"{where}.Auth")
        for name, resource in self._resources.items():
            if resource.get("Type") != "AWS::Serverless::Function":
                continue
            properties = self._function_properties(name)
            functions[name] = self._function(name, properties)
            routes.extend(self._routes(name, properties, api_name, auth))
        authorizers = self._authorizers(auth, functions, where)
        for route in routes:
            if route.authorizer is not None and route.authorizer not in authorizers:
                raise TemplateError(f"route {route.key}: there is no authorizer {route.authorizer}")
        cors = self._cors(api.get("CorsConfiguration"), f"{where}.CorsConfiguration")
        return Template(self._path, Api(api_name, tuple(routes), authorizers, cors), functions)

    def _active_resources(self) -> dict[str, dict[str, object]]:
        active: dict[str, dict[str, object]] = {}
        for name, resource in _mapping(self._document["Resources"], "Resources").items():
            body = _mapping(resource, f"Resources.{name}")
            condition = body.get("Condition")
            if condition is None or self._resolver.condition(str(condition), f"Resources.{name}"):
                active[name] = body
        return active

    def _api_name(self) -> str:
        names = [name for name, body in self._resources.items() if body.get("Type") == "AWS::Serverless::HttpApi"]
        if len(names) > 1:
            raise TemplateError(f"{self._path}: has several HTTP APIs ({', '.join(names)}); the gateway serves one")
        return names[0] if names else _IMPLICIT_API

    def _globals(self, kind: str) -> dict[str, object]:
        return _mapping(_mapping(self._document.get("Globals"), "Globals").get(kind), f"Globals.{kind}")

    def _properties(self, name: str) -> dict[str, object]:
        kind = {"AWS::Serverless::HttpApi": "HttpApi", "AWS::Serverless::Function": "Function"}
        own = _mapping(self._resources[name].get("Properties"), f"Resources.{name}.Properties")
        return _merged(self._globals(kind.get(str(self._resources[name].get("Type")), "")), own)

    def _function_properties(self, name: str) -> dict[str, object]:
        properties = self._properties(name)
        where = f"Resources.{name}.Properties"
        for unreadable in ("InlineCode", "ImageUri"):
            if unreadable in properties:
                raise TemplateError(f"{where}.{unreadable}: isn't run locally; use CodeUri and Handler")
        runtime = str(self._resolver.resolve(properties.get("Runtime", ""), where))
        if not runtime.startswith("python"):
            raise TemplateError(f"{where}.Runtime: {runtime or 'nothing'}: only Python functions are run locally")
        return properties

    def _function(self, name: str, properties: dict[str, object]) -> FunctionSpec:
        where = f"Resources.{name}.Properties"

        def given(key: str, default: object) -> object:
            return self._resolver.resolve(properties.get(key, default), f"{where}.{key}")

        handler = str(given("Handler", ""))
        code = (self._folder / str(given("CodeUri", "."))).resolve()
        layers = properties.get("Layers", [])
        return FunctionSpec(
            name=name,
            handler=handler,
            code=code,
            root=self._root(code, handler),
            layers=tuple(self._layer(layer, where) for layer in (layers if isinstance(layers, list) else [layers])),
            env=self._environment(properties, where),
            timeout=_number(given("Timeout", 3), f"{where}.Timeout"),
            memory=int(_number(given("MemorySize", 128), f"{where}.MemorySize")),
        )

    def _root(self, code: Path, handler: str) -> Path:
        """The folder that the handler's dotted name starts from: CodeUri, or a folder above it within the project."""
        module = Path(*handler.split(".")[:-1])
        for folder in (code, *code.parents):
            if (folder / module).with_suffix(".py").is_file() or (folder / module / "__init__.py").is_file():
                return folder
            if folder == self._folder:
                break
        # Not there (yet): the first request is told so by the runtime client, as on Lambda.
        return code

    def _layer(self, reference: object, where: str) -> Path:
        name = str(self._resolver.resolve(reference, f"{where}.Layers"))
        if name not in self._resources or self._resources[name].get("Type") != "AWS::Serverless::LayerVersion":
            raise TemplateError(f"{where}.Layers: {name}: only layers of this template can be used locally")
        layer = _mapping(self._resources[name].get("Properties"), f"Resources.{name}.Properties")
        folder = (self._folder / str(self._resolver.resolve(layer.get("ContentUri", "."), where))).resolve()
        # A built layer has a python/ folder; the source of a makefile-built one is what goes into it.
        return folder / "python" if (folder / "python").is_dir() else folder

    def _environment(self, properties: dict[str, object], where: str) -> dict[str, str]:
        place = f"{where}.Environment.Variables"
        declared = _mapping(_mapping(properties.get("Environment"), f"{where}.Environment").get("Variables"), place)
        env: dict[str, str] = {}
        for variable, value in declared.items():
            if variable in self._variables:
                env[variable] = self._variables[variable]
                continue
            try:
                resolved = self._resolver.resolve(value, f"{place}.{variable}")
            except TemplateError:
                # What only a deployed stack knows (an ARN of the cloud) is left unset: the code says what it misses.
                continue
            env[variable] = str(resolved).lower() if isinstance(resolved, bool) else str(resolved)
        if _SECRET_REFERENCE in declared:
            env |= self._secrets
        logging = _mapping(self._soft(properties.get("LoggingConfig")), f"{where}.LoggingConfig")
        if logging.get("LogFormat"):
            env["AWS_LAMBDA_LOG_FORMAT"] = str(logging["LogFormat"])
        if logging.get("ApplicationLogLevel"):
            env["AWS_LAMBDA_LOG_LEVEL"] = str(logging["ApplicationLogLevel"])
        return env

    def _soft(self, value: object) -> object:
        try:
            return self._resolver.resolve(value, "LoggingConfig")
        except TemplateError:
            return {}

    def _routes(
        self, function: str, properties: dict[str, object], api_name: str, auth: dict[str, object]
    ) -> list[Route]:
        routes: list[Route] = []
        default = auth.get("DefaultAuthorizer")
        for event_name, event in _mapping(properties.get("Events"), f"Resources.{function}.Properties.Events").items():
            where = f"Resources.{function}.Properties.Events.{event_name}"
            body = _mapping(event, where)
            if body.get("Type") == "Api":
                raise TemplateError(f"{where}: REST APIs aren't emulated; use an event of type HttpApi")
            if body.get("Type") != "HttpApi":
                continue
            given = _mapping(self._resolver.resolve(body.get("Properties", {}), where), where)
            if given.get("ApiId", api_name) != api_name:
                raise TemplateError(f"{where}.ApiId: {given['ApiId']}: isn't the HTTP API of this template")
            version = str(given.get("PayloadFormatVersion", "2.0"))
            if version != "2.0":
                raise TemplateError(f"{where}.PayloadFormatVersion: {version}: only 2.0 is emulated")
            wanted = _mapping(given.get("Auth"), f"{where}.Auth").get("Authorizer", default)
            timeout = _number(given.get("TimeoutInMillis", 30000), f"{where}.TimeoutInMillis") / 1000
            path = given.get("Path")
            method = str(given.get("Method", ANY_METHOD)).upper().replace("X-AMAZON-APIGATEWAY-ANY-METHOD", ANY_METHOD)
            if method not in _METHODS:
                raise TemplateError(f"{where}.Method: {method}: is no method of an HTTP API")
            routes.append(
                Route(
                    method=method,
                    path=None if path in (None, "$default", "/$default") else str(path),
                    function=function,
                    authorizer=None if wanted in (None, "NONE") else str(wanted),
                    timeout=timeout,
                )
            )
        return routes

    def _authorizers(
        self, auth: dict[str, object], functions: Mapping[str, FunctionSpec], where: str
    ) -> dict[str, Authorizer]:
        authorizers: dict[str, Authorizer] = {}
        for name, value in _mapping(auth.get("Authorizers"), f"{where}.Auth.Authorizers").items():
            place = f"{where}.Auth.Authorizers.{name}"
            given = _mapping(value, place)
            if "FunctionArn" not in given:
                raise TemplateError(f"{place}: only Lambda authorizers (FunctionArn) are emulated")
            if str(given.get("AuthorizerPayloadFormatVersion")) != "2.0" or not given.get("EnableSimpleResponses"):
                raise TemplateError(
                    f'{place}: needs AuthorizerPayloadFormatVersion "2.0" and EnableSimpleResponses true: '
                    "IAM policies as answers aren't emulated"
                )
            function = function_name(given["FunctionArn"])
            if function not in functions:
                raise TemplateError(f"{place}.FunctionArn: {function} is no function of this template")
            identity = _mapping(given.get("Identity"), f"{place}.Identity")
            sources = _identity_sources(identity)
            ttl = int(_number(identity.get("ReauthorizeEvery", 0), f"{place}.Identity.ReauthorizeEvery"))
            if ttl and not sources:
                raise TemplateError(f"{place}.Identity: a cached answer needs an identity source (ReauthorizeEvery 0)")
            authorizers[name] = Authorizer(name, function, sources, ttl)
        return authorizers

    def _cors(self, value: object, where: str) -> Cors | None:
        resolved = self._resolver.resolve(value, where)
        if resolved is None or resolved is False:
            return None
        if resolved is True:
            return Cors(allow_origins=("*",))
        given = _mapping(resolved, where)
        cors = Cors(
            allow_origins=_strings(given.get("AllowOrigins")),
            allow_methods=_strings(given.get("AllowMethods")),
            allow_headers=_strings(given.get("AllowHeaders")),
            expose_headers=_strings(given.get("ExposeHeaders")),
            max_age=int(_number(given["MaxAge"], f"{where}.MaxAge")) if "MaxAge" in given else None,
            allow_credentials=str(given.get("AllowCredentials", False)).lower() == "true",
        )
        if cors.allow_credentials and "*" in cors.allow_origins:
            raise TemplateError(f"{where}: AllowCredentials needs origins by name; API Gateway refuses *")
        return cors


def _identity_sources(identity: Mapping[str, object]) -> tuple[str, ...]:
    kinds = {
        "Headers": "$request.header.",
        "QueryStrings": "$request.querystring.",
        "Context": "$context.",
        "StageVariables": "$stageVariables.",
    }
    return tuple(f"{prefix}{name}" for kind, prefix in kinds.items() for name in _strings(identity.get(kind)))


def _merged(base: dict[str, object], own: dict[str, object]) -> dict[str, object]:
    """SAM's Globals: maps are merged, lists are added to, everything else is overridden."""
    result = dict(base)
    for key, value in own.items():
        inherited = result.get(key)
        if isinstance(inherited, dict) and isinstance(value, dict) and not _is_intrinsic(inherited):
            result[key] = value if _is_intrinsic(value) else _merged(inherited, value)
        elif isinstance(inherited, list) and isinstance(value, list):
            result[key] = [*inherited, *value]
        else:
            result[key] = value
    return result


def _is_intrinsic(value: dict[str, object]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref", "Condition"))


def _mapping(value: object, where: str) -> dict[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TemplateError(f"{where}: must be a map")
    return value


def _strings(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(str(item) for item in value) if isinstance(value, list) else (str(value),)


def _number(value: object, where: str) -> float:
    try:
        return float(str(value))
    except ValueError:
        raise TemplateError(f"{where}: {value!r} is not a number") from None
