"""Prepare cold starts when the layer is built: `python prepare_start.py PACKAGES`.

Write the table of generated code (`tenantgate/cold_start/generated_code.py`) and the image of modules
(`tenantgate/cold_start/image.py`) into PACKAGES, the layer's folder, whose bytecode is already compiled. Import every
module that a request may need to find out what belongs there. Generated code and bytecode are the same on every
processor, so this runs with the packages of the building machine, independently of the layer's processor.
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

from tenantgate.cold_start.generated_code import TABLE, Mode, compile_generated, generating, write_table
from tenantgate.cold_start.image import FILE, write_image

# Only migrations need these packages, which are 17 % of the layer's bytecode.
MIGRATIONS = ("alembic", "mako", "sqlalchemy")
_HEADER_BYTES = 16


def imported() -> Iterator[str]:
    """Name the modules that functions import: their routes, the product's package, and their adapter."""
    for package in ("functions", "tenantgate"):
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not module.name.endswith(".handler"):
                yield module.name
    yield "mangum"


def import_all() -> dict[Mode, dict[str, bytes]]:
    """Import them all; return the source text generated meanwhile, with its code."""
    table: dict[Mode, dict[str, bytes]] = {"exec": {}, "eval": {}}

    def record(source: str, mode: Mode) -> CodeType:
        code = compile_generated(source, mode)
        table[mode][source] = marshal.dumps(code)
        return code

    with generating(record):
        # First, and by this function, as at a cold start.
        importlib.import_module("tenantgate.cold_start.web_import").import_quickly("fastapi")
        for name in imported():
            importlib.import_module(name)
    return table


def bytecode(packages: Path) -> dict[str, tuple[bytes, bool]]:
    """Return the bytecode of every imported module in `packages`."""
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
    write_table(folder / "tenantgate/cold_start" / TABLE.name, import_all())
    write_image(str(folder / "tenantgate/cold_start" / Path(FILE).name), bytecode(folder))
