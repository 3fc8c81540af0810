"""Import modules from one file: finding and opening hundreds of files takes longer than reading one.

The layer's build writes the bytecode of the modules that requests import into an image
(`layers/shared/build/prepare_start.py`). The source files stay, for tracebacks and readers; without an image, as in a
checkout, modules are imported from them. The image is as trusted as the bytecode in it, and like that bytecode isn't
compared with the sources (PEP 552: unchecked).
"""

from __future__ import annotations

import marshal
import os
import sys
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader

# Not from `typing`, which the authorizer imports late.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

# Module name → offset of its bytecode after the index, its length, and True for a package.
type Index = dict[str, tuple[int, int, bool]]

_FOLDER = os.path.dirname(__file__)  # noqa: PTH120  (importing `pathlib` would cost more than this gains)
_LIBRARY = os.path.dirname(os.__file__)  # noqa: PTH120
# Bytecode works only with the Python version that compiled it.
FILE = f"{_FOLDER}/image.{sys.implementation.cache_tag}.bin"
# The index is preceded by its length.
_LENGTH_BYTES = 4


class Image:
    """Finds the modules of one image (`importlib.abc.MetaPathFinder`)."""

    def __init__(self, file: str, folder: str) -> None:
        """`folder` contains the modules' source files. Raises OSError."""
        self._folder = folder
        self._descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        length = int.from_bytes(os.pread(self._descriptor, _LENGTH_BYTES, 0), "little")
        self._start = _LENGTH_BYTES + length
        self._index: Index = marshal.loads(os.pread(self._descriptor, length, _LENGTH_BYTES))  # noqa: S302  (our own)

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if (entry := self._index.get(name)) is None:
            return None
        _, _, is_package = entry
        place = f"{self._folder}/{name.replace('.', '/')}"
        file = f"{place}/__init__.py" if is_package else f"{place}.py"
        spec = ModuleSpec(name, _Loader(name, file, self), origin=file, is_package=is_package)
        spec.has_location = True
        # Otherwise Python computes it for every module.
        spec.cached = file
        if is_package:
            spec.submodule_search_locations = [place]
        return spec

    @property
    def names(self) -> list[str]:
        """The modules that the image contains."""
        return list(self._index)

    def is_package(self, name: str) -> bool:
        """Tell whether a module is a package. Raises KeyError for a module that the image doesn't contain."""
        return self._index[name][2]

    def bytecode(self, name: str) -> bytes:
        offset, length, _ = self._index[name]
        return os.pread(self._descriptor, length, self._start + offset)


class StandardLibrary:
    """Finds the standard library's modules directly, past the folders that Lambda puts before them on the path.

    They are a third of a function's imports. No file of the same name elsewhere on the path can replace one.
    """

    _FOLDERS = (_LIBRARY, f"{_LIBRARY}/lib-dynload")

    @classmethod
    def find_spec(cls, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return PathFinder.find_spec(name, cls._FOLDERS) if name in sys.stdlib_module_names else None


class _Loader(SourceFileLoader):
    """Loads bytecode from the image; sources and resources from the files."""

    def __init__(self, name: str, file: str, image: Image) -> None:
        super().__init__(name, file)
        self._image = image

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = marshal.loads(self._image.bytecode(fullname))  # noqa: S302  (our own)
        return code


def use_image(file: str = FILE, *, folder: str = os.path.dirname(os.path.dirname(_FOLDER))) -> None:  # noqa: PTH120
    """Import the modules of the image from it from now on; without an image nothing changes."""
    try:
        image = Image(file, folder)
    except FileNotFoundError:
        return
    sys.meta_path.insert(0, image)
    # After the finders of built-in and frozen modules.
    sys.meta_path.insert(sys.meta_path.index(PathFinder), StandardLibrary)


def write_image(file: str, modules: dict[str, tuple[bytes, bool]]) -> None:
    """Write an image of `modules`: name → bytecode (as in a `.pyc` after its header), and True for a package."""
    index: Index = {}
    blob = bytearray()
    for name, (bytecode, is_package) in modules.items():
        index[name] = (len(blob), len(bytecode), is_package)
        blob += bytecode
    head = marshal.dumps(index)
    with open(file, "wb") as image:  # noqa: PTH123
        image.write(len(head).to_bytes(_LENGTH_BYTES, "little") + head + blob)
