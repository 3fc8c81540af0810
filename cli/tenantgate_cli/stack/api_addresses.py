"""The addresses of a second stack's APIs on this machine, and how its functions learn them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from lambda_gateway.aws import REGION
from lambda_gateway.model import Api, FunctionSpec, Kind, Template
from tenantgate_cli.stack.ports import HOST, BoundPort, PortForbidden, PortTaken, bind

# The variable from which AWS's SDKs take the address of the API that sends to WebSocket connections.
MANAGEMENT_VARIABLE = "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"
# The SDKs sign every request. The gateway doesn't verify the signature.
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
_MAX_PORTS = 100


@dataclass(frozen=True, slots=True)
class ApiAddress:
    """The address of one API. `url` and `management_url` include its stage."""

    api: Api
    bound: BoundPort

    @property
    def url(self) -> str:
        return f"{'ws' if self._is_websocket else 'http'}://{self._rest}"

    @property
    def management_url(self) -> str | None:
        """The URL for functions that send to connections; None for an API without connections."""
        return f"http://{self._rest}" if self._is_websocket else None

    @property
    def title(self) -> str:
        return f"{self.api.id}, {self.api.kind}"

    def example(self, option: str = "") -> str:
        """Return a command line that uses the API as the demo user; an empty text if no request to it is known.

        `option` is the one for another data folder than the default.
        """
        if self._is_websocket:
            return f"tenantgate connect{option} {self.url}"
        paths = [route.path for route in self.api.routes if route.method == "GET" and route.authorizer and route.path]
        plain = next((path for path in paths if "{" not in path), None)
        return f'curl -H "Authorization: Bearer $(tenantgate token{option})" {self.url}{plain}' if plain else ""

    def localized(self, text: str) -> str:
        """Replace the API's address on AWS by the one on this machine."""
        host = f"{self.api.id}.execute-api.{REGION}.amazonaws.com"
        for secure, plain in (("https", "http"), ("wss", "ws")):
            text = text.replace(f"{secure}://{host}", f"{plain}://{HOST}:{self.bound.port}")
        return text

    @property
    def _is_websocket(self) -> bool:
        return self.api.kind is Kind.WEBSOCKET

    @property
    def _rest(self) -> str:
        return f"{HOST}:{self.bound.port}{self.api.base_path}"


@contextmanager
def addresses(template: Template, ours: str) -> Iterator[list[ApiAddress]]:
    """Bind a port for each API except the first, whose URL is `ours`. Ports after its port are tried first."""
    port = urlsplit(ours).port or 0
    with ExitStack() as sockets:
        found: list[ApiAddress] = []
        for api in template.apis[1:]:
            bound = sockets.enter_context(_bind_after(port))
            port = bound.port
            found.append(ApiAddress(api, bound))
        yield found


def with_addresses(template: Template, found: Collection[ApiAddress], theirs: Collection[str]) -> Template:
    """Return the template with the addresses in the variables of the functions `theirs`.

    A function behind a WebSocket API, or any function if the stack has one such API, gets MANAGEMENT_VARIABLE if its
    template doesn't declare it.
    """
    functions = {
        name: replace(function, env=_variables(function, name, found)) if name in theirs else function
        for name, function in template.functions.items()
    }
    return replace(template, functions=functions)


def tls_hint(problem: str, found: Collection[ApiAddress]) -> str:
    """Return a remedy if a function failed because it called one of these APIs over TLS; otherwise an empty text.

    Functions often build the address for sending to connections from the event, with the scheme that AWS has.
    """
    if not any(f"https://{HOST}:{address.bound.port}" in problem for address in found):
        return ""
    return (
        f"there is no TLS on this machine: use boto3's client without endpoint_url, which reads {MANAGEMENT_VARIABLE}, "
        "or http:// here"
    )


def _variables(function: FunctionSpec, name: str, found: Collection[ApiAddress]) -> Mapping[str, str]:
    env = dict(function.env)
    for address in found:
        env = {variable: address.localized(value) for variable, value in env.items()}
    with_connections = [address for address in found if address.management_url]
    own = [a for a in with_connections if any(route.function == name for route in a.api.routes)] or with_connections
    if len(own) == 1 and own[0].management_url:
        env.setdefault(MANAGEMENT_VARIABLE, own[0].management_url)
    # Otherwise the developer's own credentials are used, which the function may need for other services.
    if MANAGEMENT_VARIABLE in env and not (Path.home() / ".aws").is_dir():
        env = {**_CREDENTIALS, **env}
    return env


def _bind_after(port: int) -> BoundPort:
    for candidate in range(port + 1, min(port + _MAX_PORTS, 65536)):
        try:
            return bind(candidate)
        except (PortTaken, PortForbidden):
            continue
    return bind(0)
