"""The deployment that is checked: a template, its parameters, and the bundles that were built for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import yaml

from lambda_gateway.model import TemplateError
from lambda_gateway.template.document import load_template
from lambda_gateway.template.intrinsics import Resolver
from tenantgate_cli.console import Failure
from tenantgate_cli.outcomes import Finding, failed, skipped

# As `make build` names the layer.
LAYER = "SharedLayer"
_BUILD_FIX = "make build   (ARCH=x86_64 for that architecture)"


@dataclass(frozen=True)
class Deployment:
    """A template with its parameters and its bundles.

    parameters   the given values; the template's defaults stand for the rest
    build        the folder of the built bundles, if there is one
    region       None: that of the AWS configuration
    stack        the name of the stack
    is_required  a part that can't be checked is a failure, because the deployment follows
    """

    template: Path
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)
    build: Path | None = None
    region: str | None = None
    stack: str = "tenantgate"
    is_required: bool = False

    @cached_property
    def document(self) -> Mapping[str, object]:
        """The template. Raises Failure."""
        try:
            return load_template(self.template)
        except TemplateError as error:
            raise Failure(str(error), "make build, or name the template: --template-file FILE") from None

    @property
    def declared(self) -> Mapping[str, Mapping[str, object]]:
        """The template's parameters by name."""
        section = self.document.get("Parameters")
        return section if isinstance(section, dict) else {}

    @property
    def values(self) -> Mapping[str, str]:
        """All parameters that have a value, as text."""
        defaults = {name: str(body["Default"]) for name, body in self.declared.items() if "Default" in body}
        return {**defaults, **self.parameters}

    @property
    def resolver(self) -> Resolver:
        """Evaluates the template with the given parameters."""
        return Resolver(self.document, self.parameters)

    @property
    def functions(self) -> Mapping[str, Mapping[str, object]]:
        """The properties of the functions that this deployment makes, by logical id."""
        return self._made("AWS::Serverless::Function")

    @property
    def nested_stacks(self) -> Mapping[str, Mapping[str, object]]:
        """The properties of the nested stacks that this deployment makes, by logical id."""
        return self._made("AWS::CloudFormation::Stack")

    def globals_of(self, kind: str) -> Mapping[str, object]:
        """Return the shared properties of one type of resource, such as `Function`."""
        section = self.document.get("Globals")
        found = section.get(kind) if isinstance(section, dict) else None
        return found if isinstance(found, dict) else {}

    def hidden(self) -> Iterator[str]:
        """Yield the values that no output may contain: those of parameters with `NoEcho`."""
        for name, body in self.declared.items():
            if str(body.get("NoEcho", "")).lower() == "true" and (value := self.parameters.get(name)):
                yield value

    def unavailable(self, reason: str, fix: str) -> Finding:
        """Return the finding for a part that can't be checked here."""
        return failed(reason, fix) if self.is_required else skipped(f"{reason} ({fix})")

    def without_build(self) -> Finding:
        """Return the finding for a check of bundles when none are built."""
        return self.unavailable("there are no bundles", _BUILD_FIX)

    def _made(self, kind: str) -> Mapping[str, Mapping[str, object]]:
        resources = self.document.get("Resources")
        found: dict[str, Mapping[str, object]] = {}
        for name, body in (resources if isinstance(resources, dict) else {}).items():
            if isinstance(body, dict) and body.get("Type") == kind and self._is_made(body):
                properties = body.get("Properties")
                found[name] = properties if isinstance(properties, dict) else {}
        return found

    def _is_made(self, body: Mapping[str, object]) -> bool:
        condition = body.get("Condition")
        try:
            return condition is None or self.resolver.condition(str(condition), "Condition")
        except TemplateError:
            return True


def read_parameters(file: Path) -> dict[str, str]:
    """Return the parameters in a YAML file of names and values, as `sam deploy` reads it. Raises Failure."""
    remedy = "write one line for each: OidcClientId: my-client"
    try:
        found = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Failure(f"{file} can't be read: {error}", remedy) from None
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise Failure(f"{file} has no names and values", remedy)
    return {name: _text(file, name, value) for name, value in found.items()}


def _text(file: Path, name: str, value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str() | int() | float():
            return str(value)
        case None:
            return ""
        case list() if all(isinstance(item, str | int) for item in value):
            return ",".join(str(item) for item in value)
        case _:
            raise Failure(f"{file}: {name} is neither text nor a list", f"write its value as one text: {name}: …")
