"""docs/API_ARCHITECTURE.md, "Add an endpoint" and "Add a domain": the steps, followed in a copy of the tree."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tenantgate_cli.build.uv import find_uv

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "API_ARCHITECTURE.md").read_text(encoding="utf-8")
NOT_COPIED = shutil.ignore_patterns(
    *(
        ".venv",
        ".uv",
        ".git",
        ".local",
        ".aws-sam",
        ".coverage*",
        "node_modules",
        "__pycache__",
        ".*_cache",
        ".hypothesis",
    )
)
BLOCK = re.compile(r'^```\w+ (file|insert)=(\S+)(?: before="((?:[^"\\]|\\.)+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
TEMPLATE = "tests/template/test_functions.py"
BUDGETS = "tests/functional/test_import_budgets.py"
NUMBERS = "cli/tenantgate_cli/checks/error_numbers.py"
IMPORTS = ["-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
# The checks and tests that notice a forgotten step.
CHECKS = [
    ["-m", "ruff", "check", "."],
    ["-m", "ruff", "format", "--check", "."],
    ["-m", "mypy", "-p", "tenantgate", "-p", "functions"],
    IMPORTS,
    ["-m", "tenantgate_cli.main", "docs", "--check"],
]
TESTS = [
    "tests/unit/test_codebase_rules.py", "tests/unit/test_import_graph.py", BUDGETS,
    "tests/unit/docs/test_generated.py", "tests/unit/errors", "tests/unit/container", TEMPLATE,
    "tests/integration/database/test_migrations.py",
]  # fmt: skip

INVOKE = """
import json
from functions.tenant_current.handler import lambda_handler

class Context:
    aws_request_id = "request-0001"
    function_name = "tenant_current"

granted = {
    "user_id": "user-1", "tenant_id": "org-1", "issuer": "https://issuer.example", "scopes": "openid",
    "expires_at": 2000000000, "auth_method": "bearer", "request_id": "request-0001",
}

def event(authorizer):
    return {
        "version": "2.0", "routeKey": "GET /api/v1/tenants/current", "rawPath": "/api/v1/tenants/current",
        "rawQueryString": "", "headers": {}, "isBase64Encoded": False,
        "requestContext": {
            "requestId": "request-0001", "stage": "$default", "authorizer": authorizer,
            "http": {"method": "GET", "path": "/api/v1/tenants/current", "sourceIp": "127.0.0.1"},
        },
    }

print(json.dumps([lambda_handler(event(given), Context()) for given in ({"lambda": granted}, None)]))
"""


def section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    copy = tmp_path / "tree"
    shutil.copytree(ROOT, copy, ignore=NOT_COPIED)
    yield copy
    shutil.rmtree(copy)


def follow(title: str, tree: Path) -> None:
    """Create and change the files as the section says."""
    blocks = BLOCK.findall(section(title))
    assert blocks
    for kind, name, before, text in blocks:
        file = tree / name
        if kind == "file":
            file.parent.mkdir(exist_ok=True)
            assert not file.exists(), name
            file.write_text(text, encoding="utf-8")
            continue
        place = before.replace('\\"', '"')
        content = file.read_text(encoding="utf-8")
        assert content.count(f"\n{place}") == 1, (name, place)
        file.write_text(content.replace(f"\n{place}", f"\n{text}{place}"), encoding="utf-8")


def run(tree: Path, *arguments: str) -> str:
    # Before the checkout that the environment was installed from.
    paths = f"{tree}:{tree / 'layers' / 'shared'}:{tree / 'cli'}"
    environment = {**os.environ, "PYTHONPATH": paths, "UV": find_uv(), "ENVIRONMENT": "development"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, f"{arguments}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
    return done.stdout


def add_endpoint(tree: Path) -> None:
    follow("Add an endpoint", tree)
    (tree / "functions" / "tenant_current" / "__init__.py").touch()
    budgets = tree / "tests" / "functional" / "import_budgets.json"
    known = json.loads(budgets.read_text(encoding="utf-8"))
    known["tenant_current"] = known["auth_me"]
    budgets.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")


def add_domain(tree: Path) -> None:
    follow("Add a domain", tree)
    contracts = tree / "pyproject.toml"
    text = contracts.read_text(encoding="utf-8")
    for name, times in (("tenantgate.sessions", 3), ("tenantgate.sessions.wiring", 1)):
        added = name.replace("sessions", "notes")
        assert f'`"{name}"`' in section("Add a domain")
        assert f'`"{added}"`' in section("Add a domain")
        assert text.count(f'"{name}"') == times
        text = text.replace(f'"{name}"', f'"{name}", "{added}"')
    contracts.write_text(text, encoding="utf-8")


def test_an_endpoint_and_a_domain_added_as_shown_pass_every_check(tree: Path) -> None:
    add_endpoint(tree)
    add_domain(tree)
    run(tree, "-m", "tenantgate_cli.main", "docs")

    for check in CHECKS:
        run(tree, *check)
    run(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS)
    responses = run(tree, "-c", INVOKE)

    granted, anonymous = json.loads(responses.splitlines()[-1])
    assert (granted["statusCode"], json.loads(granted["body"])) == (200, {"tenant_id": "org-1"})
    assert (anonymous["statusCode"], json.loads(anonymous["body"])["error"]["code"]) == (401, "AUTH_007")


@pytest.mark.parametrize(
    ("forgotten", "check"),
    [
        pytest.param("template.yaml", ["-m", "pytest", "-q", TEMPLATE], id="the-template"),
        pytest.param("tests/functional/import_budgets.json", ["-m", "pytest", "-q", BUDGETS], id="the-budget"),
        pytest.param("pyproject.toml", IMPORTS, id="the-floor"),
        pytest.param(NUMBERS, ["-m", "pytest", "-q", "tests/unit/errors"], id="the-block-of-numbers"),
    ],
)
def test_a_forgotten_step_is_noticed(tree: Path, forgotten: str, check: list[str]) -> None:
    add_endpoint(tree)
    add_domain(tree)
    shutil.copy(ROOT / forgotten, tree / forgotten)

    with pytest.raises(AssertionError):
        run(tree, *check)
