"""What the gateway knows of a template: its APIs' routes, authorizers and CORS, and the functions behind them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

ANY_METHOD = "ANY"
DEFAULT_ROUTE = "$default"
# What API Gateway calls the stage of an HTTP API that has no other.
DEFAULT_STAGE = "$default"
# The longest that an authorizer's answer may be cached, in seconds.
LONGEST_TTL = 3600


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


class Kind(StrEnum):
    HTTP = "HTTP API"
    REST = "REST API"


class Payload(StrEnum):
    """What an authorizer is sent, and with that what it may answer."""

    TOKEN = "TOKEN"  # noqa: S105 - REST: the token and the method's ARN; answers an IAM policy
    REQUEST = "REQUEST"  # REST: the whole request; answers an IAM policy
    V1 = "1.0"  # HTTP API: nearly REST's REQUEST; answers an IAM policy
    V2 = "2.0"  # HTTP API: a format of its own; answers simply, or an IAM policy


@dataclass(frozen=True, slots=True)
class Authorizer:
    """A Lambda authorizer.

    `identity_sources`  mapping expressions, in the order that makes the cache's key
    `ttl`               seconds; 0: nothing is cached
    `simple`            it answers `{"isAuthorized": …}` instead of an IAM policy
    `validation`        what a TOKEN authorizer's header must match before the function is asked
    """

    name: str
    function: str
    identity_sources: tuple[str, ...] = ()
    ttl: int = 0
    payload: Payload = Payload.V2
    simple: bool = True
    validation: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """`path` is None for the $default route. `timeout` is the integration's, in seconds.

    A route with `mock_headers` has no function: the gateway answers 200 with these headers (REST's CORS preflight).
    """

    method: str
    path: str | None
    function: str
    authorizer: str | None = None
    timeout: float = 30.0
    mock_headers: tuple[tuple[str, str], ...] | None = None

    @property
    def key(self) -> str:
        return DEFAULT_ROUTE if self.path is None else f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Cors:
    """An HTTP API's."""

    allow_origins: tuple[str, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age: int | None = None
    allow_credentials: bool = False


@dataclass(frozen=True, slots=True)
class GatewayResponse:
    """A REST API's own words for one type of response.

    `headers` are mapping expressions (`'text'` in quotes, or `context.…`); `templates` go by content type. What isn't
    given is as API Gateway has it.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Api:
    """`id` is what ARNs and route rules name it by. `gateway_responses` and `binary_types` are a REST API's."""

    name: str
    routes: tuple[Route, ...]
    authorizers: Mapping[str, Authorizer]
    cors: Cors | None = None
    kind: Kind = Kind.HTTP
    id: str = "local"
    stage: str = DEFAULT_STAGE
    stage_variables: Mapping[str, str] = field(default_factory=dict)
    gateway_responses: Mapping[str, GatewayResponse] = field(default_factory=dict)
    binary_types: tuple[str, ...] = ()

    @property
    def base_path(self) -> str:
        """What stands before every path: a REST API is reached under its stage's name."""
        return f"/{self.stage}" if self.kind is Kind.REST else ""


@dataclass(frozen=True, slots=True)
class Template:
    """What one template describes, or several that were joined: then `paths` has each one's file.

    `exports` and `parameters` (of Systems Manager) are what a template read after this one may import.
    """

    paths: tuple[Path, ...]
    apis: tuple[Api, ...]
    functions: Mapping[str, FunctionSpec]
    exports: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return self.paths[0]

    @property
    def api(self) -> Api:
        """The first one's API."""
        return self.apis[0]

    def with_machine_variables(self, variables: Mapping[str, str]) -> Template:
        """The same, with variables that every function needs on this machine and the template can't know."""
        functions = {
            name: replace(function, env={**variables, **function.env}) for name, function in self.functions.items()
        }
        return replace(self, functions=functions)

    def joined(self, other: Template) -> Template:
        """Both at once: the functions of each can stand behind the APIs of the other."""
        return Template(
            paths=(*self.paths, *other.paths),
            apis=(*self.apis, *other.apis),
            functions={**self.functions, **other.functions},
            exports={**self.exports, **other.exports},
            parameters={**self.parameters, **other.parameters},
        )
