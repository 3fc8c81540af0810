"""The release: its stack, and all of its parameters."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import yaml

from tenantgate.database.known_revisions import KNOWN_REVISIONS
from tenantgate_cli.build.sam import Architecture
from tenantgate_cli.console import Failure
from tenantgate_cli.deploy.region import region_of
from tenantgate_cli.doctor.template.deployment import read_parameters
from tenantgate_cli.paths import ROOT, shown

type Stage = Literal["dev", "staging", "prod"]

SAM_CONFIG = ROOT / "samconfig.toml"
# The parameters that these variables give, if the file doesn't.
_VARIABLES = {"OIDC_ISSUER_URL": "OidcIssuerUrl", "OIDC_CLIENT_ID": "OidcClientId"}
# Computed here. A given one could be that of another release.
_COMPUTED = ("ReleaseId", "SchemaRevision")


@dataclass(frozen=True, slots=True)
class Release:
    """A stage's release. `parameters` has all that are passed, `source` the file that most come from."""

    stage: Stage
    stack: str
    region: str | None
    commit: str
    architecture: Architecture
    source: Path
    parameters: Mapping[str, str] = field(repr=False)

    @contextmanager
    def parameter_file(self) -> Iterator[Path]:
        """Write the parameters for SAM to a file that only this user can read: some of them are secrets."""
        with TemporaryDirectory(prefix="tenantgate-deploy-") as folder:
            file = Path(folder) / "parameters.yaml"
            file.write_text(yaml.safe_dump(dict(self.parameters)), encoding="utf-8")
            yield file


def release_of(
    stage: Stage, commit: str, variables: Mapping[str, str], *, params: Path | None, architecture: Architecture
) -> Release:
    """Return the release of the commit with the stage's parameters. Raises Failure."""
    source = params or ROOT / "infra" / "params" / f"{stage}.yaml"
    given = read_parameters(source)
    if computed := [name for name in _COMPUTED if name in given]:
        raise Failure(f"{shown(source)} sets {', '.join(computed)}", "remove it: the deployment computes it")
    # `make build` fixes it in the template.
    given.pop("Architecture", None)
    for variable, name in _VARIABLES.items():
        if variables.get(variable):
            given.setdefault(name, variables[variable])
    given["SchemaRevision"] = KNOWN_REVISIONS[-1]
    given["ReleaseId"] = release_id(commit, {**given, "Architecture": architecture})
    return Release(stage, stack_of(stage), region_of(variables), commit, architecture, source, given)


def release_id(commit: str, parameters: Mapping[str, str]) -> str:
    """Return the SHA-256 of commit and parameters, in hexadecimal: another value of either is another release."""
    text = json.dumps([commit, dict(sorted(parameters.items()))], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def stack_of(stage: Stage | Literal["default"]) -> str:
    """Return the name of the stack in samconfig.toml. Raises Failure."""
    try:
        with SAM_CONFIG.open("rb") as file:
            return str(tomllib.load(file)[stage]["deploy"]["parameters"]["stack_name"])
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError):
        raise Failure(f"{shown(SAM_CONFIG)} has no stack_name for {stage}", "git checkout samconfig.toml") from None
