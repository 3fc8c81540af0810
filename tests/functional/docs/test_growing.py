"""`tenantgate new` in a copy of the tree, and the sections of docs/API_ARCHITECTURE.md that explain it."""

from __future__ import annotations

import difflib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tenantgate_cli.build.uv import find_uv
from tenantgate_cli.checks.structure.report import problems_in
from tests.fixtures.stack.checkout import copy_checkout

ROOT = Path(__file__).parents[3]
COMMAND = ["-m", "tenantgate_cli"]
# Written in parts: the structure check looks for the path in the tests, and must not find it here. The names are not
# those of the page, so that the tests also pass in a checkout that has followed the page.
PATH = "/".join(["/api", "v1", "growing-samples", "current"])
ENDPOINT, DOMAIN = "growing_sample", "grown_samples"
# The names in the page for those of the endpoint and the domain.
IN_THE_PAGE = {
    "growing-samples/current": "tenants/current",
    "growing-samples": "tenants",
    "growing_sample": "tenant_current",
    "GrowingSample": "TenantCurrent",
    "growingSample": "tenantCurrent",
    "Growing sample": "Tenant current",
    "grown_samples": "notes",
    "grown samples": "notes",
    "grown_sample": "note",
    "grown sample": "note",
    "GrownSample": "Note",
}
BLOCK = re.compile(r"^```python file=(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
IMPORTS = ["-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
# The checks of `make check` that read the whole tree. For time, the other two read only the new files.
CHECKS = [
    ["-m", "ruff", "check", "."],
    ["-m", "ruff", "format", "--check", "."],
    IMPORTS,
    ["-m", "tenantgate_cli.checks.structure"],
    [*COMMAND, "docs", "--check"],
]
# The tests that know every endpoint and domain. A complete `make test` takes too long for this test.
TESTS = [
    *("tests/unit/test_codebase_rules.py", "tests/unit/test_import_graph.py", "tests/unit/test_mirrored.py"),
    *("tests/unit/docs/test_generated.py", "tests/unit/errors", "tests/unit/container/test_app.py"),
    *("tests/unit/functions/test_handlers.py", "tests/unit/functions/test_web_handlers.py"),
    *("tests/unit/web/test_route_rules.py", "tests/template/test_api.py", "tests/template/test_functions.py"),
    f"tests/functional/test_import_budgets.py::test_a_handler_loads_only_what_its_budget_allows[{ENDPOINT}]",
    "tests/integration/database/test_migrations.py::test_each_migration_can_be_undone_and_done_again",
    "tests/integration/database/test_migrations.py::test_the_models_and_the_migrated_database_agree",
    "tests/integration/database/test_migrations.py::test_the_application_owns_nothing_and_every_tenant_table_is_forced",
]


def run(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Before the checkout that the environment was installed from.
    paths = f"{tree}:{tree / 'layers' / 'shared'}:{tree / 'cli'}"
    environment = {**os.environ, "PYTHONPATH": paths, "UV": find_uv(), "ENVIRONMENT": "development"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def succeed(tree: Path, *arguments: str) -> str:
    done = run(tree, *arguments)
    assert done.returncode == 0, f"{arguments}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    copy = copy_checkout(tmp_path_factory.mktemp("growing") / "tree")
    yield copy
    shutil.rmtree(copy)


@pytest.fixture(scope="module")
def written(tree: Path) -> list[dict[str, str]]:
    """The files that both commands wrote, each with `path` and `action`."""
    endpoint = succeed(tree, *COMMAND, "new", "endpoint", ENDPOINT, "--route", f"GET {PATH}", "--json")
    domain = succeed(tree, *COMMAND, "new", "domain", DOMAIN, "--json")
    results: list[dict[str, Any]] = [json.loads(endpoint), json.loads(domain)]
    assert [result["ok"] for result in results] == [True, True]
    return [file for result in results for file in result["files"]]


def created(written: list[dict[str, str]]) -> list[str]:
    return [file["path"] for file in written if file["action"] == "create"]


@pytest.mark.parametrize("check", CHECKS, ids=" ".join)
def test_the_new_files_pass_every_check(check: list[str], written: list[dict[str, str]], tree: Path) -> None:
    succeed(tree, *check)


def test_the_new_files_have_correct_types_and_plain_words(written: list[dict[str, str]], tree: Path) -> None:
    succeed(tree, "-m", "mypy", *(path for path in created(written) if path.endswith(".py")))
    succeed(tree, "-m", "tenantgate_cli.checks.prose", *(file["path"] for file in written))


def test_the_tests_pass_with_them(written: list[dict[str, str]], tree: Path) -> None:
    own = [path for path in created(written) if path.startswith("tests/")]

    assert len(own) == 3
    succeed(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", *own, *TESTS)


def test_each_file_that_is_removed_and_each_addition_that_is_undone_is_noticed(
    written: list[dict[str, str]], tree: Path
) -> None:
    """`make check` runs the two commands that notice them: the structure check and `docs --check`."""
    unnoticed = []
    count = 0
    for file in written:
        path, kept = tree / file["path"], (tree / file["path"]).read_text(encoding="utf-8")
        for without in _without(file, kept):
            count += 1
            if without is None:
                path.unlink()
            else:
                path.write_text(without, encoding="utf-8")
            if file["action"] == "generate":
                noticed = run(tree, *COMMAND, "docs", "--check").returncode == 1
            else:
                noticed = problems_in(tree) != []
            path.write_text(kept, encoding="utf-8")
            if not noticed:
                unnoticed.append(file["path"])
    assert unnoticed == []
    # 14 files, 9 additions to lists, and the generated documents.
    assert count >= 26
    assert problems_in(tree) == []
    targets = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\ncheck:")[2].partition("\n\n")[0]
    assert "-m tenantgate_cli.checks.structure\n" in targets
    assert "tenantgate docs --check\n" in targets


def _without(file: dict[str, str], text: str) -> Iterator[str | None]:
    """Yield the file's text without each addition; None removes the file."""
    if file["action"] == "create":
        yield None
        return
    before = (ROOT / file["path"]).read_text(encoding="utf-8").splitlines(keepends=True)
    after = text.splitlines(keepends=True)
    if file["action"] == "generate":
        yield "".join(before)
        return
    for kind, start, end, new_start, new_end in difflib.SequenceMatcher(
        None, before, after, autojunk=False
    ).get_opcodes():
        if kind != "equal":
            yield "".join([*after[:new_start], *before[start:end], *after[new_end:]])


def test_the_page_shows_the_written_modules(written: list[dict[str, str]], tree: Path) -> None:
    page = (ROOT / "docs" / "API_ARCHITECTURE.md").read_text(encoding="utf-8")
    shown = {_example(name): text for name, text in BLOCK.findall(page)}
    modules = {
        _example(_named(path)): path for path in created(written) if path.endswith(".py") and "tests/" not in path
    }

    # The empty file of the endpoint's package is described in a sentence.
    assert set(shown) == set(modules) - {"functions/tenant_current/__init__.py"}
    for name, text in shown.items():
        module = _named((tree / modules[name]).read_text(encoding="utf-8"))
        assert _example(_formatted(tree, module)) == _example(text)
    for command in ("new endpoint tenant_current --route 'GET /api/v1/tenants/current'", "new domain notes"):
        assert f"```sh\n.venv/bin/tenantgate {command}\n```" in page


def _named(text: str) -> str:
    """Replace the names of the samples by those of the page."""
    for name, in_the_page in IN_THE_PAGE.items():
        text = text.replace(name, in_the_page)
    return text


def _formatted(tree: Path, module: str) -> str:
    """Sort the imports and break the lines, which depend on the names."""
    packages = 'lint.isort.known-first-party = ["tenantgate"]'
    for arguments in (["check", "--select", "I", "--fix", "--config", packages], ["format"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, "--quiet", "-"],
            cwd=tree,
            input=module,
            capture_output=True,
            text=True,
            check=True,
        )
        module = done.stdout
    return module


def _example(text: str) -> str:
    """Replace the numbers that depend on the migrations and error codes that exist."""
    return re.sub(r"AUTH_\d{3}", "AUTH_NNN", re.sub(r'(versions/|revision = ")\d{4}', r"\1NNNN", text))


def test_the_new_route_responds_behind_the_authorizer(written: list[dict[str, str]], tree: Path) -> None:
    [route] = [path for path in created(written) if path.endswith("test_routes.py")]

    assert PATH in (tree / route).read_text(encoding="utf-8")
    assert f'"{PATH}"' in (tree / "functions" / "unknown_route" / "route_table.py").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["endpoint", ENDPOINT], f"there is already a function {ENDPOINT}"),
        (["endpoint", "auth_me"], "there is already a function auth_me"),
        (["endpoint", "growing_now", "--route", f"GET {PATH}"], f"GET {PATH} is already a route of functions/"),
        (["domain", DOMAIN], f"tenantgate.{DOMAIN} already exists"),
        (["domain", "sessions"], "tenantgate.sessions already exists"),
        (["domain", "web"], "tenantgate.web already exists"),
        (["domain", "grown_others"], ""),
    ],
)
def test_nothing_that_exists_is_overwritten(
    arguments: list[str], problem: str, written: list[dict[str, str]], tree: Path
) -> None:
    before = _contents(tree)
    done = run(tree, *COMMAND, "new", *arguments, "--dry-run", "--json")

    result = json.loads(done.stdout)
    assert (result["ok"], done.returncode) == ((True, 0) if not problem else (False, 1))
    assert problem in "".join(found["problem"] for found in result["problems"])
    assert _contents(tree) == before


def test_if_the_documents_can_not_be_written_nothing_is_left(written: list[dict[str, str]], tree: Path) -> None:
    broken = tree / "cli" / "tenantgate_cli" / "generate" / "error_codes.py"
    kept = broken.read_text(encoding="utf-8")
    broken.write_text(kept + "\n\nraise RuntimeError('a document that fails')\n", encoding="utf-8")
    before = _contents(tree)
    try:
        # The command imports the list of the documents too, so it must fail only in the process that writes them.
        program = (
            "from tenantgate_cli.new.changes import write; from tenantgate_cli.new.domain import plan_domain;"
            "from pathlib import Path; plan = plan_domain(Path.cwd(), 'grown_labels', None);"
            "write(plan.root, plan.changes, ['docs/ERROR_CODES.md'])"
        )
        done = run(tree, "-c", program)
        assert done.returncode == 1
        assert "the generated documents can't be written; nothing was changed" in done.stderr
        assert _contents(tree) == before
        assert not (tree / "layers" / "shared" / "tenantgate" / "grown_labels").exists()
        assert not (tree / "tests" / "unit" / "grown_labels").exists()
    finally:
        broken.write_text(kept, encoding="utf-8")


def test_make_check_names_each_remaining_mention_of_a_removed_endpoint(
    written: list[dict[str, str]], tree: Path
) -> None:
    folder, aside = tree / "functions" / ENDPOINT, tree / "aside"
    folder.rename(aside)
    try:
        found = {(problem.file, problem.problem) for problem in problems_in(tree)}
    finally:
        aside.rename(folder)

    assert {file for file, _ in found} == {
        "template.yaml",
        f"functions/{ENDPOINT}/routes.py",
        "tests/functional/import_budgets.json",
    }


def _contents(tree: Path) -> dict[str, bytes]:
    """Return all files, without caches."""
    return {
        str(path.relative_to(tree)): path.read_bytes()
        for path in sorted(tree.rglob("*"))
        if path.is_file() and "_cache" not in str(path) and "__pycache__" not in path.parts
    }
