"""Do once what every cold start would do again: `python prepare_start.py PACKAGES`. The layer's build runs it.

Writes the table of generated code (`tenantgate/web/compiled_ahead.py`) and the image of modules
(`tenantgate/image.py`) into PACKAGES, the layer's folder, whose bytecode is compiled already. What belongs there shows
when whatever a request may import is imported. That and bytecode are the same on every processor, so this runs with
packages for the building machine, whatever the layer is built for.
"""

import gc
import importlib
import importlib.util
import marshal
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

from tenantgate.image import FILE, write_image
from tenantgate.web.compiled_ahead import TABLE, Mode, compile_generated, generating, write_table

# What migrations need and no request does; a sixth of the layer's bytecode.
MIGRATIONS = ("alembic", "mako", "sqlalchemy")
_HEADER_BYTES = 16


def imported() -> Iterator[str]:
    """What the functions import: their routes, the whole of the product's package, and their adapter."""
    for package in ("functions", "tenantgate"):
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not module.name.endswith(".handler"):
                yield module.name
    yield "mangum"


def import_all() -> dict[Mode, dict[str, bytes]]:
    """Import all of it, and return the text that was generated meanwhile with its code."""
    table: dict[Mode, dict[str, bytes]] = {"exec": {}, "eval": {}}

    def record(source: str, mode: Mode) -> CodeType:
        code = compile_generated(source, mode)
        table[mode][source] = marshal.dumps(code)
        return code

    with generating(record):
        # First, and in this way, as a function does.
        importlib.import_module("tenantgate.web.quick_import").import_quickly("fastapi")
        for name in imported():
            importlib.import_module(name)
    return table


def bytecode(packages: Path) -> dict[str, tuple[bytes, bool]]:
    """The compiled modules in `packages` among those that are imported now."""
    modules = {}
    for name in sorted(sys.modules):
        if name.partition(".")[0] in MIGRATIONS:
            continue
        place = packages.joinpath(*name.split("."))
        for source in (place / "__init__.py", place.with_suffix(".py")):
            if source.is_file():
                compiled = Path(importlib.util.cache_from_source(str(source))).read_bytes()
                modules[name] = (compiled[_HEADER_BYTES:], source.name == "__init__.py")
    return modules


if __name__ == "__main__":
    gc.disable()
    folder = Path(sys.argv[1])
    write_table(folder / "tenantgate/web" / TABLE.name, import_all())
    write_image(str(folder / "tenantgate" / Path(FILE).name), bytecode(folder))
