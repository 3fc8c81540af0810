"""The parameter files: SAM reads them as written, and the template has their parameters and accepts their values."""

from __future__ import annotations

import json
import re
import subprocess
from functools import cache
from typing import Any

import pytest
import yaml

from lambda_gateway.template.document import load_template
from tenantgate_cli.build.sam import SAM_VERSION
from tenantgate_cli.build.uv import tool, tool_environment
from tenantgate_cli.paths import ROOT, TEMPLATE
from tests.fixtures.template.deployed import require_uv
from tests.fixtures.template.nested import INFRA

PARAMS = INFRA / "params"
PRESETS = ("external", "small", "production")
STAGES = {"dev": ("small", "development"), "staging": ("small", "staging"), "prod": ("production", "production")}
NAMES = (*PRESETS, *STAGES)
every_file = pytest.mark.parametrize("name", NAMES)

# Runs in SAM CLI's own environment.
_READ = """
import json, sys
from samcli.cli.types import CfnParameterOverridesType
read = CfnParameterOverridesType()
print(json.dumps({name: read.convert([f"file://{name}", "LogLevel=ERROR"], None, None) for name in sys.argv[1:]}))
"""


@cache
def as_sam_reads() -> dict[str, dict[str, str]]:
    """Return the parameters of each file, followed by one on the command line."""
    require_uv()
    paths = [str(PARAMS / f"{name}.yaml") for name in NAMES]
    done = subprocess.run(
        tool(f"aws-sam-cli=={SAM_VERSION}", "python", "-c", _READ, *paths),
        env=tool_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, dict[str, str]] = json.loads(done.stdout)
    return {name: found[path] for name, path in zip(NAMES, paths, strict=True)}


@cache
def declared() -> dict[str, dict[str, Any]]:
    document: Any = load_template(TEMPLATE)
    found: dict[str, dict[str, Any]] = document["Parameters"]
    return found


def written(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((PARAMS / f"{name}.yaml").read_text("utf-8"))
    return found


def accept(parameter: dict[str, Any], value: str) -> bool:
    allowed = [str(item) for item in parameter.get("AllowedValues", [value])]
    if parameter["Type"] == "Number" and "AllowedValues" not in parameter:
        number = float(value)
        return bool(parameter.get("MinValue", number) <= number <= parameter.get("MaxValue", number))
    return value in allowed and re.fullmatch(parameter.get("AllowedPattern", ".*"), value) is not None


def test_there_is_a_file_for_each_preset_and_stage() -> None:
    assert {path.stem for path in PARAMS.iterdir()} == {*NAMES}
    assert {*PRESETS} == {*declared()["Preset"]["AllowedValues"]}


@every_file
def test_sam_reads_the_values_as_written(name: str) -> None:
    texts = {parameter: str(value) for parameter, value in written(name).items()}

    assert as_sam_reads()[name] == texts | {"LogLevel": "ERROR"}
    # YAML's own true is `True` for SAM, which no parameter accepts.
    assert not [value for value in written(name).values() if isinstance(value, bool)]


@every_file
def test_the_template_has_each_parameter_and_accepts_its_value(name: str) -> None:
    for parameter, value in as_sam_reads()[name].items():
        assert accept(declared()[parameter], value), parameter


@every_file
def test_the_examples_in_comments_are_parameters_that_accept_them(name: str) -> None:
    text = (PARAMS / f"{name}.yaml").read_text("utf-8")
    examples = re.findall(r"^# ([A-Z]\w+: .+)$", text, re.MULTILINE)

    assert examples
    for example in examples:
        ((parameter, value),) = yaml.safe_load(example).items()
        for item in value if isinstance(value, list) else [value]:
            assert accept(declared()[parameter], str(item)), example


@every_file
def test_no_file_has_a_value_of_one_account(name: str) -> None:
    assert not {"OidcIssuerUrl", "OidcClientId", "SecretArn", "DatabaseUrl", "DomainName"} & written(name).keys()


@pytest.mark.parametrize("name", PRESETS)
def test_a_presets_file_chooses_it(name: str) -> None:
    assert written(name)["Preset"] == name


@pytest.mark.parametrize(("stage", "chosen"), STAGES.items())
def test_a_stages_file_chooses_its_preset_and_environment(stage: str, chosen: tuple[str, str]) -> None:
    assert (written(stage)["Preset"], written(stage)["Environment"]) == chosen


def test_production_is_the_stage_prod() -> None:
    assert written("prod") == written("production")


def test_every_file_is_mentioned_by_its_path_only_where_it_exists() -> None:
    for name in NAMES:
        for path in re.findall(r"file://(infra/\S+\.yaml)", (PARAMS / f"{name}.yaml").read_text("utf-8")):
            assert (ROOT / path).is_file()
