"""Anchors in a folder: for development, and for hosts with a disk that the database's administrators can't reach."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from secrets import token_hex
from typing import NoReturn

from tenantgate.transparency.anchors.objects import require_name
from tenantgate.transparency.errors import AnchorExists, AnchorUnavailable

_UNFINISHED = ".unfinished-"


class FolderAnchors:
    """Each object is a file. It appears as a whole, and after a crash of the machine it is there or not.

    The first `put` makes the folder. Without it, the other methods raise `AnchorUnavailable`: a folder that isn't
    mounted must not look like one without objects.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, name: str, content: bytes) -> None:
        require_name(name)
        await asyncio.to_thread(_reported, lambda: self._put(self._folder / name, content))

    async def names(self, prefix: str) -> Sequence[str]:
        return await asyncio.to_thread(_reported, lambda: self._names(prefix))

    async def get(self, name: str) -> bytes:
        require_name(name)
        return await asyncio.to_thread(_reported, (self._folder / name).read_bytes)

    def _put(self, path: Path, content: bytes) -> None:
        self._make(path.parent)
        unfinished = path.parent / f"{_UNFINISHED}{token_hex(8)}"
        try:
            with unfinished.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            # Fails if the name exists, unlike a rename.
            os.link(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
        _sync(path.parent)

    def _make(self, folder: Path) -> None:
        if folder.is_dir():
            return
        if folder != self._folder:
            self._make(folder.parent)
        folder.mkdir(parents=folder == self._folder, exist_ok=True)
        _sync(folder.parent)

    def _names(self, prefix: str) -> list[str]:
        found = []
        # `rglob` would pass over a folder that is missing or can't be read.
        for folder, _, files in self._folder.walk(on_error=_refuse):
            # Also unfinished files.
            shown = (folder / file for file in files if not file.startswith("."))
            found += [path.relative_to(self._folder).as_posix() for path in shown if path.is_file()]
        return sorted(name for name in found if name.startswith(prefix))


def _reported[T](work: Callable[[], T]) -> T:
    try:
        return work()
    except FileExistsError:
        raise AnchorExists("there is an anchor of this name") from None
    except OSError as error:
        raise AnchorUnavailable("the folder of anchors can't be used", failure=type(error).__name__) from error


def _refuse(error: OSError) -> NoReturn:
    raise error


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
