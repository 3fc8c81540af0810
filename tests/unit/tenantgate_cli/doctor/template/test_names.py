"""The stack's name, against CloudFormation and the nested stacks that get it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenantgate_cli.doctor.template.deployment import Deployment
from tenantgate_cli.doctor.template.names import stack_name
from tenantgate_cli.paths import TEMPLATE
from tests.fixtures.doctor.template import deployment

LONG = "tenantgate-of-the-second-company"


@pytest.mark.parametrize(
    ("preset", "name", "status"),
    [
        ("small", "tenantgate-prod", "ok"),
        ("small", LONG[:31], "ok"),
        ("small", LONG, "failed"),
        ("production", LONG, "failed"),
        ("production", "Tenantgate", "failed"),
        ("production", "tenantgate--prod", "failed"),
        ("production", "tenantgate-", "failed"),
        ("external", LONG, "ok"),
        ("external", "Tenantgate--prod-", "ok"),
        ("external", "a" * 93, "ok"),
        ("external", "a" * 94, "failed"),
        ("external", "a" * 129, "failed"),
        ("external", "1a", "failed"),
        ("external", "tenant_gate", "failed"),
        ("external", "", "failed"),
    ],
)
def test_a_preset_refuses_the_names_that_its_resources_cannot_take(preset: str, name: str, status: str) -> None:
    finding = stack_name(Deployment(TEMPLATE, {"Preset": preset}, stack=name))

    assert finding.status == status, finding.found


def test_a_refused_name_has_its_limit_and_a_fix() -> None:
    finding = stack_name(Deployment(TEMPLATE, {"Preset": "small"}, stack=LONG))

    assert finding.found == (
        f"'{LONG}' must be at most 31 lowercase letters, digits and single hyphens, beginning with a letter, "
        "for the nested stack Data"
    )
    assert "--stack-name" in finding.fix


def test_a_nested_template_that_is_missing_fails(tmp_path: Path) -> None:
    text = """
Resources:
  Data:
    Type: AWS::CloudFormation::Stack
    Properties: { TemplateURL: no.yaml, Parameters: { Name: !Ref AWS::StackName } }
"""

    assert stack_name(deployment(tmp_path, text=text)).status == "failed"
