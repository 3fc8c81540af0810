"""`tenantgate dev --with`: another team's stack beside ours, its APIs guarded by our authorizer.

It gets none of our variables and secrets: what it may know of our stack is what our template exports. Each API but ours
has a loopback port of its own, as it would have a host name on AWS.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lambda_gateway.model import Api, Template, TemplateError
from lambda_gateway.template.reader import read_template
from tenantgate_cli.stack.ports import HOST, PortForbidden, PortTaken, bind, port_of

RULES_FILE = "rules.toml"
RULES_VARIABLE = "ROUTE_RULES_FILE"
_MOST_PORTS = 100


@dataclass(frozen=True, slots=True)
class ApiAddress:
    """Where one API is served. `url` is what stands before its paths, its stage included."""

    api: Api
    sock: socket.socket

    @property
    def url(self) -> str:
        return f"http://{HOST}:{port_of(self.sock)}{self.api.base_path}"

    @property
    def title(self) -> str:
        return f"{self.api.id}, {self.api.kind}"


class SecondStack:
    """The stack of the template at `path`. The rules of its routes are those of `rules.toml` beside the template."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        self._rules = self._path.with_name(RULES_FILE)
        self.note = ""

    def settings(self, ours: Mapping[str, str]) -> dict[str, str]:
        """What our authorizer must be told of this stack. A rules file that the caller names comes first."""
        if ours.get(RULES_VARIABLE):
            return {}
        if not self._rules.is_file():
            self.note = f"{self._rules} is missing: no rule allows any of that stack's guarded routes"
            return {}
        self.note = ""
        return {RULES_VARIABLE: str(self._rules)}

    def joined(self, ours: Template) -> Template:
        """Both templates. Raises TemplateError."""
        theirs = read_template(self._path, after=ours)
        if not theirs.apis:
            raise TemplateError(f"{self._path}: has neither an AWS::Serverless::Api nor an AWS::Serverless::HttpApi")
        return ours.joined(theirs)


@contextmanager
def addresses(template: Template, ours: str) -> Iterator[list[ApiAddress]]:
    """A port for each API but the first: those after the one of `ours`, the first one's URL."""
    port = urlsplit(ours).port or 0
    with ExitStack() as sockets:
        found: list[ApiAddress] = []
        for api in template.apis[1:]:
            sock = sockets.enter_context(_bind_after(port))
            port = port_of(sock)
            found.append(ApiAddress(api, sock))
        yield found


def _bind_after(port: int) -> socket.socket:
    for candidate in range(port + 1, min(port + _MOST_PORTS, 65536)):
        try:
            return bind(candidate)
        except (PortTaken, PortForbidden):
            continue
    return bind(0)
