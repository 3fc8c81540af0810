"""Lint the templates in infra/, and scan all templates for security faults, each in the tool's own environment.

checkov's rules need no network; its many dependencies must not constrain ours. `.checkov.yaml` has the exceptions.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from tenantgate_cli.build.sam import SAM_VERSION
from tenantgate_cli.build.uv import tool, tool_environment
from tenantgate_cli.paths import ROOT, TEMPLATE

CHECKOV_VERSION = "3.3.30"
INFRA = ROOT / "infra"
EXCEPTIONS = ROOT / ".checkov.yaml"


def nested_templates() -> list[Path]:
    return sorted(INFRA.glob("*.yaml"))


def lint(*templates: Path) -> subprocess.CompletedProcess[str]:
    """Run cfn-lint on the templates, by default on those in infra/; `sam validate` lints the one at the root."""
    return _run(f"aws-sam-cli=={SAM_VERSION}", "cfn-lint", "--", *map(str, templates or nested_templates()))


def scan(*templates: Path) -> subprocess.CompletedProcess[str]:
    """Run checkov on the templates, by default on all."""
    files = [part for path in templates or (TEMPLATE, *nested_templates()) for part in ("--file", str(path))]
    return _run(f"checkov=={CHECKOV_VERSION}", "checkov", "--config-file", str(EXCEPTIONS), *files)


def _run(package: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tool at the root of the checkout. `stdout` has its standard output and error, in order."""
    return subprocess.run(
        tool(package, *arguments),
        cwd=ROOT,
        # checkov logs each request to its vendor's servers that it can't make.
        env=tool_environment() | {"LOG_LEVEL": "CRITICAL"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
