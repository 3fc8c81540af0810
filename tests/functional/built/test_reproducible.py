"""Equal sources give equal bundles, in any folder, under any umask, time zone and hash seed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tenantgate_cli.build.bundles import bundle_hash, bundle_hashes
from tenantgate_cli.build.sam import native_architecture
from tenantgate_cli.build.uv import find_uv
from tenantgate_cli.paths import ROOT
from tests.fixtures.template.deployed import require_uv

# The makefiles read only these.
SOURCES = ("functions", "layers", "migrations", "pyproject.toml", "uv.lock")


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second build of every bundle, from a copy of the sources in a folder with another name."""
    require_uv()
    folder = tmp_path_factory.mktemp("another checkout")
    for name in SOURCES:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, folder / name)
    return folder


def make(checkout: Path, makefile: str, target: str, artifacts: Path) -> None:
    artifacts.mkdir(parents=True)
    done = subprocess.run(
        [
            *("make", "-f", makefile, target, f"ARTIFACTS_DIR={artifacts}", f"ARCH={native_architecture()}"),
            *(f"UV={find_uv()}", f"PYTHON={sys.executable}"),
        ],
        cwd=checkout,
        env={**os.environ, "PYTHONHASHSEED": "7", "TZ": "Pacific/Auckland"},
        umask=0o077,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_second_build_is_equal(build_dir: Path, elsewhere: Path, tmp_path: Path) -> None:
    built = bundle_hashes(build_dir)

    for name in built:
        makefile = "layers/shared/Makefile" if name == "SharedLayer" else "functions/Makefile"
        make(elsewhere, makefile, f"build-{name}", tmp_path / name)

    assert bundle_hashes(tmp_path) == built


@pytest.mark.parametrize("change", ["content", "mode", "name", "more"])
def test_every_difference_changes_the_hash(tmp_path: Path, change: str) -> None:
    file = tmp_path / "a" / "module.py"
    file.parent.mkdir()
    file.write_text("x = 1\n")
    before = bundle_hash(tmp_path)
    os.utime(file, (0, 0))
    assert bundle_hash(tmp_path) == before

    if change == "content":
        file.write_text("x = 2\n")
    elif change == "mode":
        file.chmod(0o600)
    elif change == "name":
        file.rename(file.with_name("other.py"))
    else:
        file.with_name("other.py").touch()

    assert bundle_hash(tmp_path) != before
