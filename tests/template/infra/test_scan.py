"""The linter and the security scanner on all templates, with a reason for each exception."""

from __future__ import annotations

import re
from pathlib import Path

from tenantgate_cli.build.scan import EXCEPTIONS, lint, nested_templates, scan
from tests.fixtures.template.deployed import require_uv
from tests.fixtures.template.nested import INFRA

OPEN_BUCKET = """
AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties: { AccessControl: PublicRead }
"""


def test_every_nested_template_lints_clean() -> None:
    require_uv()
    done = lint()

    assert {path.name for path in nested_templates()} >= {"data.yaml", "edge.yaml", "network.yaml"}
    assert done.returncode == 0, done.stdout


def test_the_scanner_finds_nothing_in_any_template() -> None:
    require_uv()
    done = scan()

    assert done.returncode == 0, done.stdout
    assert re.search(r"Passed checks: [1-9]\d*, Failed checks: 0,", done.stdout), done.stdout


def test_the_scanner_finds_a_fault(tmp_path: Path) -> None:
    require_uv()
    template = tmp_path / "open.yaml"
    template.write_text(OPEN_BUCKET)
    done = scan(template)

    assert done.returncode != 0
    assert "CKV_AWS_20" in done.stdout


def test_each_exception_for_all_templates_has_a_reason() -> None:
    lines = EXCEPTIONS.read_text("utf-8").splitlines()
    exceptions = [number for number, line in enumerate(lines) if line.startswith("  - CKV")]

    assert exceptions
    for number in exceptions:
        assert lines[number - 1].startswith("  # "), lines[number]


def test_each_exception_for_one_resource_has_a_reason() -> None:
    for path in (INFRA.parent / "template.yaml", *nested_templates()):
        text = path.read_text("utf-8")
        with_reason = re.findall(r"- id: CKV\w+\n +comment: \S+ \S+ \S+", text)
        assert len(with_reason) == text.count("- id: CKV"), path
