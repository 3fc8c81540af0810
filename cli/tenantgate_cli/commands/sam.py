"""AWS SAM CLI, run from an environment of its own so that its pins don't rule ours; no Docker.

python -m tenantgate_cli.commands.sam build [--arch arm64|x86_64] [--build-dir .aws-sam/build]
python -m tenantgate_cli.commands.sam validate
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Literal, get_args

type Architecture = Literal["arm64", "x86_64"]

SAM_VERSION = "1.170.0"
ROOT = Path(__file__).parents[3]
BUILD = ROOT / ".aws-sam" / "build"


class UvMissing(Exception):
    """No working `uv`: neither on PATH nor in the checkout."""


@cache
def find_uv() -> str:
    """The path of a working `uv`, never of a version manager's shim: those work in some folders and fail in others."""
    for candidate in (os.environ.get("UV"), shutil.which("uv"), str(ROOT / ".uv" / "bin" / "uv")):
        if candidate and (found := _behind(candidate)):
            return found
    raise UvMissing("uv is missing: `make build` installs it into .uv/")


def _behind(candidate: str) -> str:
    """The program that `candidate` leads to, which uv tells the commands it runs; empty if it doesn't work."""
    ask = (
        "run",
        "--quiet",
        "--no-project",
        "--no-config",
        "--offline",
        "--python",
        sys.executable,
        "--",
        "printenv",
        "UV",
    )
    try:
        done = subprocess.run([candidate, *ask], cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def tool(package: str, *arguments: str) -> list[str]:
    """The command that runs a published tool, from an environment that uv keeps for it."""
    return [find_uv(), "tool", "run", "--quiet", "--python", sys.executable, "--from", package, *arguments]


def tool_environment() -> dict[str, str]:
    """The variables for a tool: this process's, without those that would let the tool see our packages."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}


def sam(*arguments: str, arch: Architecture | None = None) -> subprocess.CompletedProcess[str]:
    """Run SAM CLI at the root of the checkout; standard output and error come back as one text."""
    environment = {
        **tool_environment(),
        "SAM_CLI_TELEMETRY": "0",
        # For layers/shared/Makefile and functions/Makefile.
        "UV": find_uv(),
        "PYTHON": sys.executable,
        **({"ARCH": arch} if arch else {}),
    }
    return subprocess.run(
        tool(f"aws-sam-cli=={SAM_VERSION}", "sam", *arguments),
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def native_architecture() -> Architecture:
    """The architecture whose builds run on this machine."""
    return "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x86_64"


def build(arch: Architecture, build_dir: Path = BUILD) -> subprocess.CompletedProcess[str]:
    """`sam build` of the layer and every function for `arch`, which the built template then says, too."""
    overrides = ("--parameter-overrides", f"Architecture={arch}")
    done = sam("build", "--build-dir", str(build_dir), *overrides, arch=arch)
    if done.returncode == 0:
        _fix_architecture(build_dir / "template.yaml", arch)
    return done


def _fix_architecture(template: Path, arch: Architecture) -> None:
    """Put what was built in the place of the parameter: a deployment that chose another couldn't load the layer."""
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
    """`sam validate --lint`: the transform's own checks and cfn-lint's."""
    return sam("validate", "--lint")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tenantgate_cli.commands.sam", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    commands = parser.add_subparsers(dest="command", required=True)
    build_command = commands.add_parser("build", help="build the layer and the functions")
    build_command.add_argument("--arch", choices=get_args(Architecture.__value__), default="arm64")
    build_command.add_argument("--build-dir", type=Path, default=BUILD)
    commands.add_parser("validate", help="lint the template")
    given = parser.parse_args()
    try:
        done = build(given.arch, given.build_dir.absolute()) if given.command == "build" else validate()
    except UvMissing as error:
        sys.exit(str(error))
    sys.stdout.write(done.stdout)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
