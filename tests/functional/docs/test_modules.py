"""The `python -m …` commands in the docs: each exists, and has the options that its page gives it."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tenantgate_cli.paths import ROOT
from tests.unit.docs.test_commands import PAGES

# In text and in blocks, until the end of the code or the line.
COMMAND = re.compile(r"python -m ([a-z_][\w.]*\w)([^`\n|]*)")


def commands() -> dict[str, set[str]]:
    """Return the modules, each with the options that any page gives it."""
    found: dict[str, set[str]] = {}
    for page in PAGES:
        for module, rest in COMMAND.findall((ROOT / page).read_text(encoding="utf-8")):
            found.setdefault(module, set()).update(re.findall(r"(?<!\S)--[a-z][a-z-]*", rest))
    return found


def source(module: str) -> Path:
    """Return the file that `python -m` runs. Fails without one."""
    spec = find_spec(module)
    if spec is not None and spec.submodule_search_locations:
        spec = find_spec(f"{module}.__main__")
    assert spec is not None, module
    assert spec.origin is not None, module
    return Path(spec.origin)


def of_this_project() -> list[str]:
    tops = {path.name for path in ROOT.iterdir() if path.is_dir()} | {"tenantgate", "tenantgate_cli", "lambda_gateway"}
    return sorted(module for module in commands() if module.partition(".")[0] in tops)


def test_the_pages_have_such_commands() -> None:
    assert len(of_this_project()) > 15
    assert {"benchmarks.load", "tests.functional.faults.campaign"} <= set(of_this_project())


@pytest.mark.parametrize("module", of_this_project())
def test_a_module_can_be_run_with_its_options(module: str) -> None:
    text = source(module).read_text(encoding="utf-8")
    assert '__name__ == "__main__"' in text or source(module).name == "__main__.py"
    options = commands()[module]
    if "ArgumentParser" not in text:
        assert not options
        return
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    if not re.search(r"\}\s+\.\.\.", done.stdout.partition("\n\n")[0]):
        # A subcommand has its own options.
        assert options <= set(re.findall(r"--[a-z][a-z-]*", done.stdout))
