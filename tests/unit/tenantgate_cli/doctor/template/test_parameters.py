"""The parameters of a deployment, against the template's declarations and rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tenantgate_cli.console import Failure
from tenantgate_cli.doctor.template.deployment import read_parameters
from tenantgate_cli.doctor.template.parameters import parameters
from tenantgate_cli.doctor.template.registry import run
from tests.fixtures.doctor.template import deployment


@pytest.mark.parametrize("preset", ["external", "small", "production"])
def test_each_preset_with_its_parameters_is_complete(preset: str, tmp_path: Path) -> None:
    assert parameters(deployment(tmp_path, Preset=preset)).status == "ok"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"OidcIssuerUrl": ""}, "OidcIssuerUrl has no value"),
        ({"OidcIssuerUrl": "http://id.example.com"}, "OidcIssuerUrl must be like"),
        ({"DatabaseUrl": ""}, "The preset external needs DatabaseUrl"),
        ({"Preset": "large"}, "Preset is not one of external, small, production"),
        ({"OidcIsuerUrl": "https://id.example.com"}, "OidcIsuerUrl is no parameter"),
        ({"LeastCapacity": "0.1"}, "LeastCapacity must be at least 0.5"),
        ({"LeastCapacity": "300"}, "LeastCapacity must be at most 256"),
        ({"LeastCapacity": "much"}, "LeastCapacity is not a number"),
        ({"SubnetIds": "subnet-0a1b,sg-0a1b"}, "SubnetIds must be like"),
        ({"OidcClientId": "x" * 5000}, "OidcClientId must have 1 to 4096 characters"),
    ],
)
def test_what_cloudformation_would_refuse_is_found(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    finding = parameters(deployment(tmp_path, **changes))

    assert (finding.status, words in finding.found) == ("failed", True), finding.found


def test_a_secret_parameter_is_never_printed(tmp_path: Path) -> None:
    outcomes = run(deployment(tmp_path, DatabaseUrl="mysql://app:secret-of-the-app@db.example.com"))

    found = {outcome.check: outcome.finding for outcome in outcomes}
    assert found["parameters"].status == "failed"
    assert not any("secret-of-the-app" in finding.found + finding.fix for finding in found.values())


def test_a_file_of_parameters_has_names_and_texts_numbers_or_lists(tmp_path: Path) -> None:
    file = tmp_path / "parameters.yaml"
    file.write_text("A: text\nB: 2\nC: true\nD: [x, y]\nE:\n")

    assert read_parameters(file) == {"A": "text", "B": "2", "C": "true", "D": "x,y", "E": ""}


@pytest.mark.parametrize("text", ["- a\n", "A: { b: c }\n", "A: [[1]]\n", "1: a\n", "A: 'x\n"])
def test_any_other_file_of_parameters_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "parameters.yaml"
    file.write_text(text)

    with pytest.raises(Failure):
        read_parameters(file)


def test_an_empty_file_of_parameters_is_read_and_a_missing_one_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "parameters.yaml"
    file.write_text("# nothing yet\n")

    assert read_parameters(file) == {}
    with pytest.raises(Failure):
        read_parameters(tmp_path / "other.yaml")
