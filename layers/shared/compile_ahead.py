"""Write the table of `tenantgate/web/compiled_ahead.py`: `python compile_ahead.py FILE`. The layer's build runs it.

Imports whatever a function may import, and keeps the text that libraries generate meanwhile. Text and bytecode are the
same on every processor, so this runs with packages for the building machine, whatever the layer is built for.
"""

import gc
import importlib
import marshal
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

from tenantgate.web.compiled_ahead import Mode, compile_generated, generating, write_table


def modules() -> Iterator[str]:
    """What the functions import: their routes, the whole of the product's package, and their adapter."""
    for package in ("functions", "tenantgate"):
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not module.name.endswith(".handler"):
                yield module.name
    yield "mangum"


def recorded() -> dict[Mode, dict[str, bytes]]:
    table: dict[Mode, dict[str, bytes]] = {"exec": {}, "eval": {}}

    def record(source: str, mode: Mode) -> CodeType:
        code = compile_generated(source, mode)
        table[mode][source] = marshal.dumps(code)
        return code

    with generating(record):
        # First, and in this way, as a function does.
        importlib.import_module("tenantgate.web.quick_import").import_quickly("fastapi")
        for name in modules():
            importlib.import_module(name)
    return table


if __name__ == "__main__":
    gc.disable()
    write_table(Path(sys.argv[1]), recorded())
