"""The running stack as it describes itself in the data folder, for commands that need its rules and settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from lambda_gateway.model import Template
from tenantgate.tokens.policy import VARIABLES
from tenantgate_cli.stack.data_folder import DataFolder
from tenantgate_cli.stack.second_stack import RULES_VARIABLE

# The variables by which the authorizer decides. None of them is secret.
_DECIDING = (*VARIABLES, "ENVIRONMENT", RULES_VARIABLE)


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A stack that runs now.

    settings   the authorizer's variables, without secrets; empty if `tenantgate serve` runs
    apis       the title of each API by its id
    functions  the names of all functions
    """

    url: str
    settings: Mapping[str, str] = field(default_factory=dict)
    apis: Mapping[str, str] = field(default_factory=dict)
    functions: tuple[str, ...] = ()

    @property
    def issuer(self) -> str:
        """The issuer of the built-in provider."""
        return f"{self.url}/idp"


def described(template: Template, settings: Mapping[str, str]) -> dict[str, str]:
    """Return what `DataFolder.publish` writes about a template and its settings."""
    return {
        "settings": json.dumps({name: settings[name] for name in _DECIDING if settings.get(name)}),
        "apis": json.dumps({api.id: str(api.kind) for api in template.apis}),
        "functions": json.dumps(sorted(template.functions)),
    }


def running_stack(folder: DataFolder) -> RunningStack | None:
    """Return the stack that uses the folder; None if none is running."""
    state = folder.running()
    url = state.get("url")
    if not url:
        return None
    given = {name: json.loads(state[name]) for name in ("settings", "apis", "functions") if name in state}
    return RunningStack(url, given.get("settings", {}), given.get("apis", {}), tuple(given.get("functions", ())))
