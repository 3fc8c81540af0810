"""The model of a template: its APIs with their routes, authorizers and CORS, and the functions behind them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

ANY_METHOD = "ANY"
DEFAULT_ROUTE = "$default"
# The default name of an HTTP API's stage.
DEFAULT_STAGE = "$default"
# Seconds: the longest time for which API Gateway caches an authorizer's result.
MAX_TTL = 3600


class TemplateError(Exception):
    """The template can't be read, or needs what this gateway doesn't support. The text gives the place and the fix."""


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """A function as the template describes it.

    root     the folder that is /var/task on Lambda
    code     the folder whose changes affect only this function
    layers   the folders whose contents are in /opt/python on Lambda
    timeout  seconds
    memory   MB
    log_group  the group of its lines, as the template names it; None: its own
    """

    name: str
    handler: str
    root: Path
    code: Path
    layers: tuple[Path, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 3.0
    memory: int = 128
    log_group: str | None = None


class Kind(StrEnum):
    HTTP = "HTTP API"
    REST = "REST API"
    WEBSOCKET = "WebSocket API"


class Payload(StrEnum):
    """The form of an authorizer's event and result."""

    TOKEN = "TOKEN"  # noqa: S105 - REST API: the token and the method's ARN; the result is an IAM policy
    REQUEST = "REQUEST"  # REST API: the whole request; the result is an IAM policy
    V1 = "1.0"  # HTTP API: nearly REST's REQUEST; the result is an IAM policy
    V2 = "2.0"  # HTTP API: its own form; the result is a simple one or an IAM policy


@dataclass(frozen=True, slots=True)
class Authorizer:
    """A Lambda authorizer.

    identity_sources  mapping expressions, in the order of the cache key
    ttl               seconds; 0 disables the cache
    simple            the result is `{"isAuthorized": …}` rather than an IAM policy
    validation        the pattern that a TOKEN authorizer's header must match before the function is invoked
    """

    name: str
    function: str
    identity_sources: tuple[str, ...] = ()
    ttl: int = 0
    payload: Payload = Payload.V2
    simple: bool = True
    validation: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True)
class ClaimRule:
    """A claim that a REST API's JWT authorizer checks besides the registered ones.

    required  the token must have the claim
    values    the accepted values of a claim that the token has; empty: any
    """

    name: str
    required: bool = False
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JwtIssuer:
    """An issuer that a JWT authorizer trusts, with the audiences that it accepts from it."""

    url: str
    audiences: tuple[str, ...]
    claims: tuple[ClaimRule, ...] = ()


@dataclass(frozen=True, slots=True)
class JwtAuthorizer:
    """API Gateway's own authorizer for JSON Web Tokens. No function is invoked.

    identity_source  the mapping expression of the header or query parameter with the token
    issuers          one for an HTTP API
    algorithms       the accepted values of the header `alg`
    """

    name: str
    identity_source: str
    issuers: tuple[JwtIssuer, ...]
    algorithms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """A route of an API.

    path          None for the $default route of an HTTP API; empty for a WebSocket API, whose route key is the method
    timeout       the integration's, in seconds
    mock_headers  not None: there is no function, and the response is 200 with these headers (REST's CORS preflight)
    responds      WebSocket API: the body of the function's response is sent to the client
    scopes        the token for a JWT authorizer needs one of them; empty: none
    """

    method: str
    path: str | None
    function: str
    authorizer: str | None = None
    timeout: float = 30.0
    mock_headers: tuple[tuple[str, str], ...] | None = None
    responds: bool = False
    scopes: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return DEFAULT_ROUTE if self.path is None else f"{self.method} {self.path}".rstrip()


@dataclass(frozen=True, slots=True)
class Cors:
    """The CORS configuration of an HTTP API."""

    allow_origins: tuple[str, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age: int | None = None
    allow_credentials: bool = False


@dataclass(frozen=True, slots=True)
class GatewayResponse:
    """A REST API's customization of one response type. API Gateway's defaults apply to the rest.

    headers    mapping expressions by name: `'text'` in quotes, or `context.…`
    templates  body templates by content type
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Api:
    """An API. Only REST APIs have `gateway_responses` and `binary_types`. `id` is the API's id in ARNs.

    A route's authorizer is one of `authorizers`, or of `jwt_authorizers`, in which no function takes part.

    `selection` are the members of a WebSocket message that lead to its route key: ("action",) for `{"action": "send"}`.
    """

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
    selection: tuple[str, ...] = ()
    jwt_authorizers: Mapping[str, JwtAuthorizer] = field(default_factory=dict)

    @property
    def base_path(self) -> str:
        """The prefix of every path: the name of the stage, except for an HTTP API."""
        return "" if self.kind is Kind.HTTP else f"/{self.stage}"


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription filter: the lines of `log_group` that match `pattern` are delivered to `function`."""

    name: str
    log_group: str
    function: str
    pattern: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Unserved:
    """An API of the template that the gateway doesn't serve. `type` is CloudFormation's."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Template:
    """The contents of one template, or of several that were joined: then `paths` has the file of each.

    `exports` and `parameters` (of Systems Manager) are the values that a template read after this one may import.
    `unserved` are APIs that are left out.
    """

    paths: tuple[Path, ...]
    apis: tuple[Api, ...]
    functions: Mapping[str, FunctionSpec]
    exports: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    unserved: tuple[Unserved, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()

    @property
    def api(self) -> Api:
        """The first API."""
        return self.apis[0]

    def with_variables(self, variables: Mapping[str, str]) -> Template:
        """Return the template with `variables` added to every function. A function's own values win."""
        functions = {
            name: replace(function, env={**variables, **function.env}) for name, function in self.functions.items()
        }
        return replace(self, functions=functions)

    def joined(self, other: Template) -> Template:
        """Return both templates as one: the APIs of each can use the functions of the other."""
        return Template(
            paths=(*self.paths, *other.paths),
            apis=(*self.apis, *other.apis),
            functions={**self.functions, **other.functions},
            exports={**self.exports, **other.exports},
            parameters={**self.parameters, **other.parameters},
            unserved=(*self.unserved, *other.unserved),
            subscriptions=(*self.subscriptions, *other.subscriptions),
        )
