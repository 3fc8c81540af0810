"""Run AWS SAM CLI, without Docker, from an isolated environment: its pinned dependencies don't constrain ours."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path
from typing import Literal

from tenantgate_cli.build.uv import find_uv, tool, tool_environment
from tenantgate_cli.paths import ROOT

type Architecture = Literal["arm64", "x86_64"]

SAM_VERSION = "1.170.0"
BUILD = ROOT / ".aws-sam" / "build"
_SAM = f"aws-sam-cli=={SAM_VERSION}"
# Secrets of a deployment, which neither SAM nor the build needs.
_NOT_FOR_SAM = ("OIDC_CLIENT_SECRET", "TENANTGATE_TOKEN")


def sam(*arguments: str, arch: Architecture | None = None) -> subprocess.CompletedProcess[str]:
    """Run SAM CLI at the root of the checkout. `stdout` has its standard output and error, in order."""
    return subprocess.run(
        tool(_SAM, "sam", *arguments),
        cwd=ROOT,
        env=_environment(arch),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def sam_shown(*arguments: str) -> int:
    """Run SAM CLI as `sam` does, with this process's terminal, and return its exit status."""
    return subprocess.run(tool(_SAM, "sam", *arguments), cwd=ROOT, env=_environment(None), check=False).returncode


def _environment(arch: Architecture | None) -> dict[str, str]:
    return {
        **{name: value for name, value in tool_environment().items() if name not in _NOT_FOR_SAM},
        "SAM_CLI_TELEMETRY": "0",
        # infra/observability.yaml has Fn::ForEach.
        "SAM_CLI_ENABLE_LANGUAGE_EXTENSIONS": "1",
        # For layers/shared/Makefile and functions/Makefile.
        "UV": find_uv(),
        "PYTHON": sys.executable,
        **({"ARCH": arch} if arch else {}),
    }


def native_architecture() -> Architecture:
    """Return the architecture whose builds run on this machine."""
    return "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x86_64"


def build(arch: Architecture, build_dir: Path = BUILD) -> subprocess.CompletedProcess[str]:
    """Build the layer and every function for `arch`, and fix `arch` in the built template."""
    overrides = ("--parameter-overrides", f"Architecture={arch}")
    done = sam("build", "--build-dir", str(build_dir), *overrides, arch=arch)
    if done.returncode == 0:
        _fix_architecture(build_dir / "template.yaml", arch)
    return done


def _fix_architecture(template: Path, arch: Architecture) -> None:
    """Replace the parameter by the value: a deployment with another architecture couldn't load the layer."""
    import yaml  # noqa: PLC0415  (only here)

    document = yaml.safe_load(template.read_text(encoding="utf-8"))
    del document["Parameters"]["Architecture"]
    interface = document["Metadata"]["AWS::CloudFormation::Interface"]
    del interface["ParameterLabels"]["Architecture"]
    for group in interface["ParameterGroups"]:
        group["Parameters"] = [name for name in group["Parameters"] if name != "Architecture"]
    document["Globals"]["Function"]["Architectures"] = [arch]
    document["Resources"]["SharedLayer"]["Properties"]["CompatibleArchitectures"] = [arch]
    template.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), encoding="utf-8")


def validate() -> subprocess.CompletedProcess[str]:
    """Run `sam validate --lint`: SAM's transform, then cfn-lint."""
    return sam("validate", "--lint")
