"""npm packages of a folder of tests, installed from its lock file on first use."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest


def install(folder: Path) -> None:
    """Have `folder/node_modules` be what `folder/package-lock.json` says; skips where no registry can be reached."""
    installed = folder / "node_modules" / ".package-lock.json"
    if installed.is_file() and installed.stat().st_mtime >= (folder / "package-lock.json").stat().st_mtime:
        return
    run = subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode != 0 and any(
        code in run.stderr for code in ("ENOTFOUND", "ECONNREFUSED", "EAI_AGAIN", "ETIMEDOUT")
    ):
        pytest.skip(f"needs an npm registry for {folder.name}")
    assert run.returncode == 0, run.stderr
