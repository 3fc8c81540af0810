"""Unit tests mirror the code: a package's tests are under its own path, and a module's under its own name."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "layers" / "shared" / "tenantgate"
UNIT = ROOT / "tests" / "unit"
FOLDERS = sorted({path.parent.relative_to(UNIT) for path in UNIT.rglob("test_*.py")})
# The parents of the code that `tests/unit/<path>` tests: `tokens`, `lambda_gateway`, `functions/health`, `plugins`.
PARENTS = (PACKAGE, ROOT / "cli", ROOT, ROOT / "tests")

SECURITY_CORE = sorted(
    module.relative_to(PACKAGE).as_posix()
    for package in ("tokens", "identity", "route_rules", "authorizer", "sessions")
    for module in (PACKAGE / package).glob("*.py")
    if module.stem != "__init__"
)
# Modules that are tested under another name, most of them because they need a server or a database.
ELSEWHERE = {
    "sessions/errors.py": "unit/sessions/test_service.py",
    "sessions/repository.py": "integration/database/test_session_repository.py",
    "sessions/tables.py": "integration/database/test_migrations.py",
    "sessions/tasks.py": "integration/database/test_session_sweep.py",
    "sessions/wiring.py": "integration/database/test_wiring.py",
    "tokens/fetch.py": "functional/jwks/test_fetch.py",
    "tokens/issuers.py": "security/test_several_issuers.py",
    "tokens/jwks.py": "functional/jwks/test_cache.py",
    # Protocols, which only the type checker reads.
    "tokens/copies.py": "unit/tokens/test_discovery_copies.py",
    "tokens/key_source.py": "unit/tokens/test_verifier.py",
}


@pytest.mark.parametrize("folder", FOLDERS, ids=str)
def test_the_tests_of_a_package_are_under_its_path(folder: Path) -> None:
    assert any((parent / folder).is_dir() for parent in PARENTS)


@pytest.mark.parametrize("module", SECURITY_CORE)
def test_a_module_of_the_security_core_has_a_test_file_of_its_name(module: str) -> None:
    package, _, name = module.rpartition("/")
    mirrored = (UNIT / package / f"test_{name}").is_file()

    assert mirrored or module in ELSEWHERE
    assert not (mirrored and module in ELSEWHERE), "remove the module from ELSEWHERE"


@pytest.mark.parametrize(("module", "tests"), ELSEWHERE.items())
def test_a_module_tested_under_another_name_exists_and_its_tests_do(module: str, tests: str) -> None:
    assert (PACKAGE / module).is_file()
    assert (ROOT / "tests" / tests).is_file()
