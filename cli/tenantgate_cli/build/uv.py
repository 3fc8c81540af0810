"""Find uv, and run published tools with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache

from tenantgate_cli.paths import ROOT


class UvMissing(Exception):
    """There is no working `uv`, neither on PATH nor in the checkout."""


@cache
def find_uv() -> str:
    """Return the path of a working `uv`. Raises UvMissing.

    Never the path of a version manager's shim: a shim works in some folders and fails in others.
    """
    for candidate in (os.environ.get("UV"), shutil.which("uv"), str(ROOT / ".uv" / "bin" / "uv")):
        if candidate and (found := _behind(candidate)):
            return found
    raise UvMissing("uv is missing: `make build` installs it into .uv/")


def _behind(candidate: str) -> str:
    """Return the program that `candidate` runs, or an empty string if it doesn't work.

    uv puts its own path into the environment of the commands that it runs.
    """
    command = ["run", "--quiet", "--no-project", "--no-config", "--offline", "--python"]
    try:
        done = subprocess.run(
            [candidate, *command, sys.executable, "--", "printenv", "UV"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def tool(package: str, *arguments: str) -> list[str]:
    """Return the command that runs a published tool from an isolated environment, which uv caches."""
    return [find_uv(), "tool", "run", "--quiet", "--python", sys.executable, "--from", package, *arguments]


def tool_environment() -> dict[str, str]:
    """Return this process's variables without those through which a tool would see our packages."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
