"""`tenantgate dev --with`: another team's stack whose APIs our authorizer guards.

It gets none of our variables and secrets, only the exports of our template. Each of its APIs has its own loopback port,
as it has its own host name on AWS.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lambda_gateway.model import Api, Template, TemplateError
from lambda_gateway.template.reader import read_template
from tenantgate_cli.stack.ports import HOST, BoundPort, PortForbidden, PortTaken, bind

RULES_FILE = "rules.toml"
RULES_VARIABLE = "ROUTE_RULES_FILE"
_MAX_PORTS = 100


@dataclass(frozen=True, slots=True)
class ApiAddress:
    """The address of one API. `url` includes its stage."""

    api: Api
    bound: BoundPort

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.bound.port}{self.api.base_path}"

    @property
    def title(self) -> str:
        return f"{self.api.id}, {self.api.kind}"


class SecondStack:
    """The stack of the template at `path`. Its route rules are in `rules.toml` in the same folder."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        self._rules = self._path.with_name(RULES_FILE)
        self.note = ""

    def settings(self, ours: Mapping[str, str]) -> dict[str, str]:
        """Return the settings that our authorizer needs for this stack. A rules file in `ours` wins."""
        if ours.get(RULES_VARIABLE):
            return {}
        if not self._rules.is_file():
            self.note = f"{self._rules} is missing: no rule allows any guarded route of that stack"
            return {}
        self.note = ""
        return {RULES_VARIABLE: str(self._rules)}

    def joined(self, ours: Template) -> Template:
        """Return both templates as one. Raises TemplateError."""
        theirs = read_template(self._path, after=ours)
        if not theirs.apis:
            raise TemplateError(f"{self._path}: has neither an AWS::Serverless::Api nor an AWS::Serverless::HttpApi")
        return ours.joined(theirs)


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


def _bind_after(port: int) -> BoundPort:
    for candidate in range(port + 1, min(port + _MAX_PORTS, 65536)):
        try:
            return bind(candidate)
        except (PortTaken, PortForbidden):
            continue
    return bind(0)
