"""Reads a template's functions: where their code is, how long they may take, what their environment holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lambda_gateway.model import FunctionSpec, TemplateError
from lambda_gateway.template.resources import Resources
from lambda_gateway.template.values import mapping, number

_SECRET_REFERENCE = "AWS_SECRETS_MANAGER_SECRET_ID"  # noqa: S105 - a variable's name


class FunctionReader:
    def __init__(self, resources: Resources, variables: Mapping[str, str], secrets: Mapping[str, str]) -> None:
        self._resources = resources
        self._folder = resources.path.parent
        self._variables = variables
        self._secrets = secrets

    def read(self, logical_id: str, name: str) -> FunctionSpec:
        """The function, to be known as `name`. Raises TemplateError."""
        properties = self._resources.properties(logical_id)
        where = f"Resources.{logical_id}.Properties"
        self._check_kind(properties, where)

        def given(key: str, default: object) -> object:
            return self._resources.resolve(properties.get(key, default), f"{where}.{key}")

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
            timeout=number(given("Timeout", 3), f"{where}.Timeout"),
            memory=int(number(given("MemorySize", 128), f"{where}.MemorySize")),
        )

    def _check_kind(self, properties: Mapping[str, object], where: str) -> None:
        for unreadable in ("InlineCode", "ImageUri"):
            if unreadable in properties:
                raise TemplateError(f"{where}.{unreadable}: isn't run locally; use CodeUri and Handler")
        runtime = str(self._resources.resolve(properties.get("Runtime", ""), where))
        if not runtime.startswith("python"):
            raise TemplateError(f"{where}.Runtime: {runtime or 'nothing'}: only Python functions are run locally")

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
        name = str(self._resources.resolve(reference, f"{where}.Layers"))
        if self._resources.kind(name) != "AWS::Serverless::LayerVersion":
            raise TemplateError(f"{where}.Layers: {name}: only layers of this template can be used locally")
        layer = self._resources.properties(name)
        folder = (self._folder / str(self._resources.resolve(layer.get("ContentUri", "."), where))).resolve()
        # A built layer has a python/ folder; the source of a makefile-built one is what goes into it.
        return folder / "python" if (folder / "python").is_dir() else folder

    def _environment(self, properties: Mapping[str, object], where: str) -> dict[str, str]:
        place = f"{where}.Environment.Variables"
        declared = mapping(mapping(properties.get("Environment"), f"{where}.Environment").get("Variables"), place)
        env: dict[str, str] = {}
        for variable, value in declared.items():
            if variable in self._variables:
                env[variable] = self._variables[variable]
                continue
            try:
                resolved = self._resources.resolve(value, f"{place}.{variable}")
            except TemplateError:
                # What only a deployed stack knows (an ARN of the cloud) is left unset: the code says what it misses.
                continue
            env[variable] = str(resolved).lower() if isinstance(resolved, bool) else str(resolved)
        if _SECRET_REFERENCE in declared:
            env.update(self._secrets)
        logging = mapping(self._soft(properties.get("LoggingConfig")), f"{where}.LoggingConfig")
        if logging.get("LogFormat"):
            env["AWS_LAMBDA_LOG_FORMAT"] = str(logging["LogFormat"])
        if logging.get("ApplicationLogLevel"):
            env["AWS_LAMBDA_LOG_LEVEL"] = str(logging["ApplicationLogLevel"])
        return env

    def _soft(self, value: object) -> object:
        try:
            return self._resources.resolve(value, "LoggingConfig")
        except TemplateError:
            return {}
