"""Rules of the house that import-linter can't say."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "layers" / "shared" / "tenantgate"
SHIPPED = [*PACKAGE.rglob("*.py"), *(ROOT / "functions").rglob("*.py")]
# The proxy's variables belong to the host, not to the product: each call's way out is decided by them when it is made.
READ_THE_ENVIRONMENT = {
    PACKAGE / "settings" / "model.py",
    PACKAGE / "settings" / "environment.py",
    PACKAGE / "settings" / "server_variables.py",
    PACKAGE / "authorizer" / "environment.py",
    PACKAGE / "tokens" / "proxy.py",
}
LEAN = [
    *(
        path
        for name in ("authorizer", "route_rules", "identity", "tokens", "crypto", "errors")
        for path in (PACKAGE / name).rglob("*.py")
    ),
    PACKAGE / "context.py",
    PACKAGE / "urls.py",
]


def imported(tree: ast.AST) -> Iterator[str]:
    """Top-level names of everything imported, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            yield node.module.partition(".")[0]


def reads_the_environment(tree: ast.AST) -> bool:
    return any(
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        and node.attr in {"environ", "environb", "getenv"}
        for node in ast.walk(tree)
    )


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_environment_is_read_only_in_these_places(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))

    assert not reads_the_environment(tree) or path in READ_THE_ENVIRONMENT


@pytest.mark.parametrize("path", LEAN, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_verifying_and_deciding_import_the_standard_library_and_cryptography_alone(path: Path) -> None:
    names = set(imported(ast.parse(path.read_text(encoding="utf-8"))))

    assert names <= sys.stdlib_module_names | {"_typeshed", "cryptography", "tenantgate"}


def test_a_function_is_a_folder_with_a_handler_and_the_folder_above_is_no_package() -> None:
    folders = [path for path in (ROOT / "functions").iterdir() if path.is_dir() and path.name != "__pycache__"]

    assert [folder.name for folder in folders if not (folder / "handler.py").is_file()] == []
    assert not (ROOT / "functions" / "__init__.py").exists()


@pytest.mark.parametrize("path", sorted((ROOT / "functions").glob("*/handler.py")), ids=lambda path: path.parent.name)
def test_a_handler_is_a_short_adapter(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 100
