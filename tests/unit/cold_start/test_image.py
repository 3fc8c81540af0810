"""Modules out of an image are the modules that their files would make."""

import importlib
import importlib.resources
import inspect
import marshal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tenantgate.cold_start import image
from tenantgate.cold_start.image import use_image, write_image

SOURCES = {
    "imaged": ('"""A package."""\nfrom imaged.inner import seen\n', True),
    "imaged.inner": (
        "seen = __name__, __file__, __spec__.parent\n\ndef fails():\n    raise ValueError(seen)\n",
        False,
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A package as the layer has it: sources, and an image of their bytecode."""
    modules = {}
    for name, (source, is_package) in SOURCES.items():
        place = tmp_path.joinpath(*name.split("."))
        file = place / "__init__.py" if is_package else place.with_suffix(".py")
        file.parent.mkdir(exist_ok=True)
        file.write_text(source)
        modules[name] = (marshal.dumps(compile(source, file, "exec")), is_package)
    (tmp_path / "imaged" / "a_file.txt").write_text("next to the modules")
    write_image(str(tmp_path / "image.bin"), modules)
    return tmp_path


@pytest.fixture
def using(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    use_image(str(folder / "image.bin"), folder=str(folder))
    yield folder
    for name in SOURCES:
        sys.modules.pop(name, None)


def test_a_module_out_of_the_image_knows_its_name_its_file_and_its_package(using: Path) -> None:
    package = importlib.import_module("imaged")

    assert package.seen == ("imaged.inner", str(using / "imaged/inner.py"), "imaged")
    assert (package.__doc__, package.__path__) == ("A package.", [str(using / "imaged")])


def test_sources_and_resources_come_from_the_files(using: Path) -> None:
    inner = importlib.import_module("imaged.inner")

    assert inspect.getsource(inner.fails).endswith("raise ValueError(seen)\n")
    assert importlib.resources.files("imaged").joinpath("a_file.txt").read_text() == "next to the modules"


def test_modules_that_the_image_lacks_are_found_as_usual(using: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (using / "imaged" / "later.py").write_text("seen = 1\n")
    monkeypatch.syspath_prepend(using)

    try:
        assert importlib.import_module("imaged.later").seen == 1
    finally:
        sys.modules.pop("imaged.later")
    with pytest.raises(ModuleNotFoundError, match=r"imaged\.never"):
        importlib.import_module("imaged.never")


def test_without_an_image_nothing_changes(tmp_path: Path) -> None:
    before = [*sys.meta_path]

    use_image(str(tmp_path / "image.bin"))

    assert sys.meta_path == before


def test_a_checkout_has_no_image_and_an_image_is_for_one_python() -> None:
    assert not Path(image.FILE).exists()
    assert Path(image.FILE).name == "image.cpython-313.bin"


def test_no_file_on_the_path_stands_in_for_the_standard_library(using: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (using / "textwrap.py").write_text("raise AssertionError('not the standard library')\n")
    monkeypatch.syspath_prepend(using)
    monkeypatch.delitem(sys.modules, "textwrap")

    assert importlib.import_module("textwrap").dedent("  a") == "a"
