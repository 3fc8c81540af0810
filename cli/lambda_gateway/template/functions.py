"""Read a template's functions: code, timeout, memory and environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lambda_gateway.model import FunctionSpec, TemplateError
from lambda_gateway.template.resources import Resources
from lambda_gateway.template.values import mapping, number


class FunctionReader:
    """Reader of the functions of one template. `read_template` describes `variables` and `secrets`."""

    def __init__(
        self, resources: Resources, variables: Mapping[str, str], secrets: Mapping[str, Mapping[str, str]]
    ) -> None:
        self._resources = resources
        self._folder = resources.path.parent
        self._variables = variables
        self._secrets = secrets

    def read(self, logical_id: str, name: str) -> FunctionSpec:
        """Read one function and give it the name `name`. Raises TemplateError."""
        properties = self._resources.properties(logical_id)
        where = f"Resources.{logical_id}.Properties"
        self._check_kind(properties, where)

        def given(key: str, default: object) -> object:
            resolved = self._resources.resolve(properties.get(key, default), f"{where}.{key}")
            return default if resolved is None else resolved

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
            log_group=self._log_group(properties, where),
        )

    def _check_kind(self, properties: Mapping[str, object], where: str) -> None:
        for unsupported in ("InlineCode", "ImageUri"):
            if unsupported in properties:
                raise TemplateError(f"{where}.{unsupported}: is not supported locally; use CodeUri and Handler")
        runtime = str(self._resources.resolve(properties.get("Runtime", ""), where))
        if not runtime.startswith("python"):
            raise TemplateError(f"{where}.Runtime: {runtime or 'none'}: only Python functions run locally")

    def _root(self, code: Path, handler: str) -> Path:
        """Find the folder from which the handler can be imported: CodeUri, or a folder above it within the project."""
        module = Path(*handler.split(".")[:-1])
        for folder in (code, *code.parents):
            if (folder / module).with_suffix(".py").is_file() or (folder / module / "__init__.py").is_file():
                return folder
            if folder == self._folder:
                break
        # The handler doesn't exist (yet): the first invocation fails, as on Lambda.
        return code

    def _layer(self, reference: object, where: str) -> Path:
        name = str(self._resources.resolve(reference, f"{where}.Layers"))
        if self._resources.kind(name) != "AWS::Serverless::LayerVersion":
            raise TemplateError(f"{where}.Layers: {name}: only layers of this template can be used locally")
        layer = self._resources.properties(name)
        folder = (self._folder / str(self._resources.resolve(layer.get("ContentUri", "."), where))).resolve()
        # A built layer has a python/ folder. The source of a layer that a makefile builds has its contents.
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
                given = self._resources.resolved_map({variable: value}, place)
            except TemplateError:
                # Only a deployment knows the value, such as an ARN. Code that needs the variable reports it.
                continue
            # A variable that is AWS::NoValue is absent.
            for resolved in given.values():
                env[variable] = str(resolved).lower() if isinstance(resolved, bool) else str(resolved)
        for reference, values in self._secrets.items():
            if reference in declared:
                env.update(values)
        logging = mapping(self._resolved_or_empty(properties.get("LoggingConfig")), f"{where}.LoggingConfig")
        if logging.get("LogFormat"):
            env["AWS_LAMBDA_LOG_FORMAT"] = str(logging["LogFormat"])
        if logging.get("ApplicationLogLevel"):
            env["AWS_LAMBDA_LOG_LEVEL"] = str(logging["ApplicationLogLevel"])
        return env

    def _log_group(self, properties: Mapping[str, object], where: str) -> str | None:
        logging = mapping(self._resolved_or_empty(properties.get("LoggingConfig")), f"{where}.LoggingConfig")
        return str(logging["LogGroup"]) if logging.get("LogGroup") else None

    def _resolved_or_empty(self, value: object) -> object:
        try:
            return self._resources.resolve(value, "LoggingConfig")
        except TemplateError:
            return {}
