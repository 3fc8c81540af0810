"""The real programs behind a version manager's shims are found, in folders where the shims work and where they fail."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tenantgate_cli.build import uv as finder
from tenantgate_cli.build.uv import UvMissing, find_uv
from tenantgate_cli.paths import ROOT
from tests.fixtures.template.deployed import require_uv

# As pyenv's: it runs the version of the nearest .python-version, and fails without one.
SHIM = """#!/bin/sh
folder=$PWD
while [ "$folder" != / ]; do
    if [ -f "$folder/.python-version" ]; then exec "{real}" "$@"; fi
    folder=$(dirname "$folder")
done
echo "pyenv: $(basename "$0"): command not found" >&2
exit 127
"""
PRINT = "print: ; @echo $(UV) $(PYTHON3)"
PYTHON = str(getattr(sys, "_base_executable"))  # noqa: B009  (no part of typeshed)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    find_uv.cache_clear()
    yield
    find_uv.cache_clear()


@pytest.fixture
def uv() -> str:
    require_uv()
    return find_uv()


@pytest.fixture
def pyenv(tmp_path: Path, uv: str) -> Path:
    """A pyenv with one version, whose shims come first on PATH."""
    root = tmp_path / "pyenv"
    version = root / "versions" / "3.13.0" / "bin"
    version.mkdir(parents=True)
    (root / "shims").mkdir()
    for name, real in {"python3.13": PYTHON, "python3": PYTHON, "uv": uv}.items():
        (version / name).symlink_to(real)
        shim = root / "shims" / name
        shim.write_text(SHIM.format(real=real))
        shim.chmod(0o755)
    return root


def made(folder: Path, pyenv: Path) -> list[str]:
    """Return the uv and the Python that the Makefile of this folder uses, with no others on PATH."""
    environment = {
        "PATH": f"{pyenv / 'shims'}:/usr/bin:/bin",
        "PYENV_ROOT": str(pyenv),
        "HOME": str(folder),
    }
    done = subprocess.run(
        ["make", "--eval", PRINT, "print"], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.fixture(params=[True, False], ids=["with-python-version", "without"])
def checkout(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    if request.param:
        (folder / ".python-version").write_text("3.13\n")
    return folder


def test_the_makefile_finds_the_programs_behind_the_shims(checkout: Path, pyenv: Path, uv: str) -> None:
    found = [os.path.realpath(path) for path in made(checkout, pyenv)]

    assert found == [os.path.realpath(uv), os.path.realpath(PYTHON)]
    assert not [path for path in made(checkout, pyenv) if path.startswith(str(pyenv / "shims"))]


@pytest.mark.parametrize("name", ["python3.13", "python3"])
def test_the_python_of_a_virtual_environment_stands_for_its_base(tmp_path: Path, name: str) -> None:
    base = tmp_path / "base" / "bin"
    base.mkdir(parents=True)
    shutil.copy(os.path.realpath(PYTHON), base / name)
    (tmp_path / "base" / "lib").symlink_to(Path(os.path.realpath(PYTHON)).parents[1] / "lib")
    environment = tmp_path / "environment"
    (environment / "bin").mkdir(parents=True)
    # As uv and virtualenv write it: without the name of the base's program.
    (environment / "pyvenv.cfg").write_text(f"home = {base}\ninclude-system-site-packages = false\n")
    shutil.copy(os.path.realpath(PYTHON), environment / "bin" / "python3.13")
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    shutil.copy(ROOT / "Makefile", checkout)
    done = subprocess.run(
        ["make", "--eval", "print: ; @echo $(PYTHON3)", "print"],
        cwd=checkout,
        env={"PATH": f"{environment / 'bin'}:/usr/bin:/bin", "HOME": str(checkout), "VIRTUAL_ENV": str(environment)},
        capture_output=True,
        text=True,
        check=True,
    )
    found = done.stdout.strip()
    assert found == str(base / name)
    # The bootstrap makes an environment with it.
    subprocess.run([found, "-m", "venv", "--without-pip", str(tmp_path / "made")], check=True)
    assert (tmp_path / "made" / "bin" / "python").exists()


def test_the_makefile_installs_a_missing_uv(checkout: Path, pyenv: Path) -> None:
    for folder in (pyenv / "shims", pyenv / "versions" / "3.13.0" / "bin"):
        (folder / "uv").unlink()

    assert made(checkout, pyenv)[0] == ".uv/bin/uv"


@pytest.mark.parametrize("named_by", ["PATH", "UV"])
def test_the_tools_run_the_uv_behind_a_shim(
    pyenv: Path, uv: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named_by: str
) -> None:
    shim = pyenv / "shims" / "uv"
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setenv(named_by, str(shim if named_by == "UV" else f"{shim.parent}:/usr/bin:/bin"))
    find_uv.cache_clear()

    assert find_uv() == uv
    done = subprocess.run([find_uv(), "--version"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("uv ")


def test_a_shim_that_fails_in_the_checkout_is_passed_over(
    pyenv: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(finder, "ROOT", tmp_path)
    monkeypatch.setenv("UV", "/no/such/uv")
    monkeypatch.setenv("PATH", f"{pyenv / 'shims'}:/usr/bin:/bin")
    find_uv.cache_clear()

    with pytest.raises(UvMissing):
        find_uv()
