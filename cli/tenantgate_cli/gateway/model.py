"""What the gateway knows of a template: the API's routes, authorizers and CORS, and the functions behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

ANY_METHOD = "ANY"
DEFAULT_ROUTE = "$default"


class TemplateError(Exception):
    """The template can't be read, or uses something that this gateway can't. `str()` says where and what to do."""


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """A function as the template describes it. Times in seconds, memory in MB.

    `root` is what /var/task is on Lambda; `layers` are the folders that /opt/python would hold; `code` is the folder
    whose changes concern this function alone.
    """

    name: str
    handler: str
    root: Path
    code: Path
    layers: tuple[Path, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 3.0
    memory: int = 128


@dataclass(frozen=True, slots=True)
class Authorizer:
    """A Lambda authorizer with payload 2.0 and simple responses. `ttl` is in seconds; 0: nothing is cached."""

    name: str
    function: str
    identity_sources: tuple[str, ...] = ()
    ttl: int = 0


@dataclass(frozen=True, slots=True)
class Route:
    """`path` is None for the $default route. `timeout` is the integration's, in seconds."""

    method: str
    path: str | None
    function: str
    authorizer: str | None = None
    timeout: float = 30.0

    @property
    def key(self) -> str:
        return DEFAULT_ROUTE if self.path is None else f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Cors:
    allow_origins: tuple[str, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age: int | None = None
    allow_credentials: bool = False


@dataclass(frozen=True, slots=True)
class Api:
    name: str
    routes: tuple[Route, ...]
    authorizers: Mapping[str, Authorizer]
    cors: Cors | None


@dataclass(frozen=True, slots=True)
class Template:
    path: Path
    api: Api
    functions: Mapping[str, FunctionSpec]

    def with_machine_variables(self, variables: Mapping[str, str]) -> Template:
        """The same, with variables that every function needs on this machine and the template can't know."""
        functions = {
            name: replace(function, env={**variables, **function.env}) for name, function in self.functions.items()
        }
        return replace(self, functions=functions)
