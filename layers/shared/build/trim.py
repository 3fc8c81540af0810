"""Make an installed folder of packages smaller: `python trim.py FOLDER`. The layer's build runs it before it compiles.

Leaves out what no function imports (tests, type stubs, sources of compiled modules, commands, other databases'
dialects) and what the dynamic loader doesn't read in shared objects (symbol and debug tables). Licences stay.
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
    # FastAPI imports it only to find out that nobody uses it, and does without.
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
    """Cut an ELF shared object off behind what its segments hold, and forget its section table.

    The dynamic loader maps segments and knows no sections (System V ABI, "Program Loading"). Unlike binutils' `strip`,
    this does every architecture on any machine. Takes 64-bit little-endian objects only, as Lambda has; others raise.
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
