"""Make an installed folder of packages smaller: `python trim.py FOLDER`. The layer's build runs it before compiling.

Removes files that no function imports (tests, type stubs, sources of compiled modules, commands, dialects of other
databases) and the parts of shared objects that the dynamic loader ignores (symbol and debug tables). Keeps licenses.
"""

import re
import shutil
import struct
import sys
from pathlib import Path

UNUSED_FOLDERS = (
    "**/.*",
    "**/tests",
    "**/testing",
    "*.dist-info/sboms",
    "asyncpg/_testbase",
    "bin",
    "include",
    # FastAPI imports it only to check for its use, and works without it.
    "pydantic/v1",
    "sqlalchemy/dialects/mssql",
    "sqlalchemy/dialects/mysql",
    "sqlalchemy/dialects/oracle",
    "sqlalchemy/dialects/sqlite",
    "sqlalchemy/ext/mypy",
)
UNUSED_FILES = re.compile(r"(\.(pyi|pyx|pxd|pxi|c|cc|cpp|h|hpp)|/RECORD|^\.lock)$")


def trim(packages: Path) -> None:
    for pattern in UNUSED_FOLDERS:
        for folder in sorted(packages.glob(pattern)):
            if folder.is_dir():
                shutil.rmtree(folder)
    for file in sorted(path for path in packages.rglob("*") if path.is_file()):
        if UNUSED_FILES.search(file.relative_to(packages).as_posix()):
            file.unlink()
        elif ".so" in file.suffixes:
            file.write_bytes(stripped(file.read_bytes()))


def stripped(image: bytes) -> bytes:
    """Cut an ELF shared object off after its segments, and remove its section table.

    The dynamic loader maps segments and ignores sections (System V ABI, "Program Loading"). Unlike binutils' `strip`,
    this works for every architecture on any machine. Raises ValueError for objects other than 64-bit little-endian.
    """
    magic, bits, order = struct.unpack_from("<4sBB", image)
    if (magic, bits, order) != (b"\x7fELF", 2, 1):
        raise ValueError("not a 64-bit little-endian ELF object")
    table, entry_size, entries = *struct.unpack_from("<Q", image, 32), *struct.unpack_from("<HH", image, 54)
    end = table + entry_size * entries
    for entry in range(entries):
        offset, file_size = struct.unpack_from("<Q16xQ", image, table + entry * entry_size + 8)
        end = max(end, offset + file_size)
    kept = bytearray(image[:end])
    struct.pack_into("<Q", kept, 40, 0)  # e_shoff
    struct.pack_into("<HHH", kept, 58, 0, 0, 0)  # e_shentsize, e_shnum, e_shstrndx
    return bytes(kept)


if __name__ == "__main__":
    trim(Path(sys.argv[1]))
