"""Compare each handler's third-party packages with its allow-list, because imports dominate a cold start.

A fresh interpreter imports the handler and names the top-level packages that came from site-packages. A package that is
missing from the list needs a decision, not a change of the test; one that is no longer loaded leaves the list.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/handler.py"))
BUDGETS: dict[str, list[str]] = json.loads((Path(__file__).parent / "import_budgets.json").read_text())

ENVIRONMENT = {
    "ENVIRONMENT": "development",
    "OIDC_ISSUER_URL": "https://issuer.example.com",
    "OIDC_CLIENT_ID": "tenantgate",
    "OIDC_AUDIENCE": "api",
}

PROBE = """
import importlib, json, sys
before = set(sys.modules)
importlib.import_module(f"functions.{sys.argv[1]}.handler")
ours = {"functions", "tenantgate"}
third_party = {
    name.partition(".")[0]
    for name, module in sys.modules.items()
    if name not in before and "site-packages" in (getattr(module, "__file__", None) or "")
}
print(json.dumps(sorted(third_party - ours)))
"""


def loaded_packages(function: str) -> list[str]:
    """Top-level third-party packages in memory after the handler's import."""
    run = subprocess.run(
        [sys.executable, "-c", PROBE, function],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'layers' / 'shared'}", **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    packages: list[str] = json.loads(run.stdout.splitlines()[-1])
    return packages


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_handler_loads_only_what_its_budget_allows(function: str) -> None:
    assert loaded_packages(function) == BUDGETS[function]
