"""The built bundles: their sizes, their bytecode, and the architecture of their shared objects."""

from __future__ import annotations

import importlib.util
import platform
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from lambda_gateway.model import TemplateError
from tenantgate_cli.doctor.template.deployment import LAYER, Deployment
from tenantgate_cli.outcomes import Finding, failed, ok, warning

# Lambda quotas: a function with its layers, unzipped. The goal for the layer keeps cold starts short.
UNZIPPED_LIMIT = 250 * 1024 * 1024
ZIPPED_GOAL = 30 * 1024 * 1024
# ELF header, e_machine (at byte 18).
_MACHINES = {"x86_64": 62, "arm64": 183}
_ELF = b"\x7fELF"
_MB = 1024 * 1024


def sizes(of: Deployment) -> Finding:
    """Measure the layer, zipped as a deployment does, and the largest function with it."""
    if of.build is None:
        return of.without_build()
    build = of.build
    layer = _size(build / LAYER)
    missing = [name for name in (LAYER, *of.functions) if not (build / name).is_dir()]
    if missing:
        return failed(f"not built: {', '.join(missing)}", "make build")
    largest, size = max(((name, _size(build / name)) for name in of.functions), key=lambda each: each[1])
    unzipped, zipped = layer + size, zipped_size(build / LAYER)
    found = f"{unzipped / _MB:.1f} MB unzipped with {largest}, layer {zipped / _MB:.1f} MB zipped"
    if unzipped > UNZIPPED_LIMIT:
        return failed(f"{found}: more than 250 MB", "remove dependencies from layers/shared/requirements.txt")
    if zipped > ZIPPED_GOAL:
        return warning(
            f"{found}: more than the goal of 30 MB", "remove dependencies, or trim them (layers/shared/build)"
        )
    return ok(found)


def bytecode(of: Deployment) -> Finding:
    """Check that all bytecode is that of the runtime's Python: the runtime would compile other files at each start."""
    if of.build is None:
        return of.without_build()
    runtime, ours = _text(of, "Runtime"), f"python{platform.python_version().rpartition('.')[0]}"
    if runtime != ours:
        return failed(f"the runtime is {runtime}, and this is {ours}", f"build and deploy with {runtime}")
    files = list(of.build.rglob("*.pyc"))
    wrong = [file for file in files if _head(file, 4) != importlib.util.MAGIC_NUMBER]
    if wrong:
        return failed(f"{len(wrong)} files have another magic, such as {wrong[0].relative_to(of.build)}", "make build")
    if not files:
        return failed("there is no bytecode: each cold start would compile", "make build")
    return ok(f"{len(files)} files for {runtime}")


def architecture(of: Deployment) -> Finding:
    """Compare the shared objects with the template's architecture: another one can't be loaded."""
    if of.build is None:
        return of.without_build()
    wanted = _text(of, "Architectures")
    if wanted not in _MACHINES:
        return failed(f"the architecture is {wanted or 'missing'}", "make build ARCH=arm64, or ARCH=x86_64")
    found = list(_shared_objects(of.build))
    wrong = [file for file in found if int.from_bytes(_head(file, 20)[18:20], "little") != _MACHINES[wanted]]
    if wrong:
        name = wrong[0].relative_to(of.build)
        return failed(f"{len(wrong)} shared objects aren't for {wanted}, such as {name}", f"make build ARCH={wanted}")
    return ok(f"{len(found)} shared objects for {wanted}")


def zipped_size(folder: Path) -> int:
    """Return the bytes of the folder as a zip file, without writing one."""
    counted = _Counter()
    with zipfile.ZipFile(cast("BinaryIO", counted), "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder))
    return counted.written


class _Counter:
    """A file that only counts."""

    def __init__(self) -> None:
        self.written = 0

    def write(self, data: bytes) -> int:
        self.written += len(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing."""


def _text(of: Deployment, name: str) -> str:
    try:
        value = of.resolver.resolve(of.globals_of("Function").get(name, ""), name)
    except TemplateError:
        return ""
    return str(value[0]) if isinstance(value, list) and value else str(value)


def _shared_objects(folder: Path) -> Iterator[Path]:
    for file in folder.rglob("*"):
        if (file.suffix == ".so" or ".so." in file.name) and file.is_file() and _head(file, 4) == _ELF:
            yield file


def _head(file: Path, length: int) -> bytes:
    with file.open("rb") as stream:
        return stream.read(length)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
