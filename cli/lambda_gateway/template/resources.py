"""The resources of one template, with Globals, conditions and intrinsic functions applied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lambda_gateway.template.intrinsics import NO_VALUE, Resolver
from lambda_gateway.template.values import mapping, merged

_GLOBALS = {
    "AWS::Serverless::HttpApi": "HttpApi",
    "AWS::Serverless::Api": "Api",
    "AWS::Serverless::Function": "Function",
    "AWS::Serverless::WebSocketApi": "WebSocketApi",
}


class Resources:
    """The resources whose condition is true, by logical id."""

    def __init__(self, document: Mapping[str, object], resolver: Resolver, path: Path) -> None:
        self.path = path
        self._document = document
        self._resolver = resolver
        self._active: dict[str, dict[str, object]] = {}
        for name, resource in mapping(document["Resources"], "Resources").items():
            body = mapping(resource, f"Resources.{name}")
            condition = body.get("Condition")
            if condition is None or resolver.condition(str(condition), f"Resources.{name}"):
                self._active[name] = body

    def __contains__(self, name: str) -> bool:
        return name in self._active

    def kind(self, name: str) -> str:
        return str(self._active[name].get("Type")) if name in self._active else ""

    def of_kind(self, kind: str) -> Iterator[str]:
        return (name for name in self._active if self.kind(name) == kind)

    def globals(self, kind: str) -> dict[str, object]:
        return mapping(mapping(self._document.get("Globals"), "Globals").get(kind), f"Globals.{kind}")

    def properties(self, name: str) -> dict[str, object]:
        """Return the properties, merged with Globals, but with their intrinsic functions."""
        own = mapping(self._active[name].get("Properties"), f"Resources.{name}.Properties")
        return merged(self.globals(_GLOBALS.get(self.kind(name), "")), own)

    def resolve(self, value: object, where: str) -> object:
        """Evaluate a property's intrinsic functions. One that is AWS::NoValue is None."""
        resolved = self._resolver.resolve(value, where)
        return None if resolved is NO_VALUE else resolved

    def resolved_map(self, value: object, where: str) -> dict[str, object]:
        return mapping(self.resolve(value, where), where)

    def outputs(self) -> dict[str, object]:
        return mapping(self._document.get("Outputs"), "Outputs")

    def holds(self, condition: object, where: str) -> bool:
        return condition is None or self._resolver.condition(str(condition), where)


@dataclass(frozen=True, slots=True)
class ApiEvent:
    """One event of a function that belongs to an API. `given` has its resolved properties."""

    function: str
    given: Mapping[str, object]
    where: str

    def authorizer(self, default: object) -> str | None:
        """Return the name of the route's authorizer, if any."""
        wanted = mapping(self.given.get("Auth"), f"{self.where}.Auth").get("Authorizer", default)
        return None if wanted in (None, "NONE") else str(wanted)


def api_events(resources: Resources, names: Mapping[str, str], kind: str) -> Iterator[ApiEvent]:
    """Yield every event of the type `kind`. `names` has the functions' names by logical id."""
    for logical_id in resources.of_kind("AWS::Serverless::Function"):
        place = f"Resources.{logical_id}.Properties.Events"
        for event_name, event in mapping(resources.properties(logical_id).get("Events"), place).items():
            where = f"{place}.{event_name}"
            body = mapping(event, where)
            if body.get("Type") == kind:
                given = resources.resolved_map(body.get("Properties", {}), where)
                yield ApiEvent(names[logical_id], given, where)
