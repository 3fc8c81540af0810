"""Run the database tests of an earlier commit, with its code, on the newest schema.

    python -m tests.functional.migrations.earlier_code 2139e329

takes the commit out of git into a temporary folder, and adds the newer migrations. The commit's own migrator applies
them, and then its tests of repositories and services run. The exit code is pytest's.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from tenantgate_cli.paths import ROOT

# Those that an earlier commit lacks are left out.
TESTS = (
    "tests/integration/database/test_session_repository.py",
    "tests/integration/database/test_refresh_repository.py",
    "tests/integration/database/test_name_repository.py",
    "tests/integration/database/test_tenant_registry.py",
    "tests/integration/database/test_session_sweep.py",
    "tests/integration/database/test_tenant_isolation.py",
    "tests/integration/revocation",
    "tests/functional/provider/test_stores.py",
)
_MIGRATIONS = Path("migrations") / "versions"


def earlier_tree(commit: str, folder: Path) -> Path:
    """Write the commit's files into the folder, and the migrations that it lacks. Raises `CalledProcessError`."""
    archive = folder / "commit.tar"
    subprocess.run(["git", "archive", f"--output={archive}", commit], cwd=ROOT, check=True)
    tree = folder / "tree"
    with tarfile.open(archive) as packed:
        packed.extractall(tree, filter="data")
    for migration in sorted((ROOT / _MIGRATIONS).glob("*.py")):
        if not (tree / _MIGRATIONS / migration.name).exists():
            shutil.copy(migration, tree / _MIGRATIONS)
    return tree


def main() -> int:
    parser = argparse.ArgumentParser(prog="earlier_code", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("commit")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        tree = earlier_tree(options.commit, Path(name))
        # Before the checkout that the environment was installed from.
        paths = os.pathsep.join(str(tree / part) for part in ("", "layers/shared", "cli"))
        chosen = [test for test in TESTS if (tree / test).exists()]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *chosen],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": paths},
            check=False,
        )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
