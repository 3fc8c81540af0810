"""Restart functions when their code, their layers or the template change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from watchfiles import Change, DefaultFilter, awatch

from lambda_gateway.app import Gateway
from lambda_gateway.model import FunctionSpec, Template, TemplateError

# Milliseconds: changes within this time are one.
_STEP, _DEBOUNCE = 40, 300
_SUFFIXES = (".py", ".html", ".css", ".js", ".json", ".mo", ".yaml", ".toml", ".sql")


class _Relevant(DefaultFilter):
    def __call__(self, change: Change, path: str) -> bool:
        return path.endswith(_SUFFIXES) and super().__call__(change, path)


class _Exactly(DefaultFilter):
    """Accepts only these files."""

    def __init__(self, files: Collection[Path]) -> None:
        super().__init__()
        self._files = {str(path) for path in files}

    def __call__(self, change: Change, path: str) -> bool:
        del change
        return path in self._files


async def reload_on_change(
    gateway: Gateway,
    read: Callable[[], Template],
    *,
    on_reload: Callable[[list[str], list[str]], None],
    on_problem: Callable[[TemplateError], None],
    stop: asyncio.Event,
    file_variables: Collection[str] = (),
) -> None:
    """Watch until `stop` is set.

    read            reads the changed template; if that fails, the old one remains and `on_problem` gets the error
    on_reload       called with the names of the changed files and of the functions that were running and restart
    file_variables  names of variables that hold the path of a file which a function reads when it starts
    """

    def reload(paths: set[Path]) -> None:
        if paths.intersection(gateway.template.paths):
            try:
                gateway.load(read())
            except TemplateError as error:
                on_problem(error)
        restarted = gateway.restart(affected(gateway.template, paths, file_variables))
        on_reload(sorted(path.name for path in paths), restarted)

    paths = watched(gateway.template, file_variables)
    folders = {path for path in paths if path.is_dir()}
    async with asyncio.TaskGroup() as group:
        group.create_task(_watch(folders, _Relevant(), stop, reload))
        group.create_task(_watch_files(paths - folders, stop, reload))


async def _watch(
    folders: Collection[Path],
    wanted: DefaultFilter,
    stop: asyncio.Event,
    changed: Callable[[set[Path]], None],
    *,
    recursive: bool = True,
) -> None:
    if not folders:
        return
    async for changes in awatch(
        *folders, watch_filter=wanted, step=_STEP, debounce=_DEBOUNCE, stop_event=stop, recursive=recursive
    ):
        changed({Path(path) for _, path in changes})


async def _watch_files(files: Collection[Path], stop: asyncio.Event, changed: Callable[[set[Path]], None]) -> None:
    """Watch files by their folders. A watch of the file itself ends when an editor replaces it by another one."""
    folders = {path.parent for path in files if path.parent.is_dir()}
    await _watch(folders, _Exactly(files), stop, changed, recursive=False)


def watched(template: Template, file_variables: Collection[str] = ()) -> set[Path]:
    """Return the files and folders whose changes matter, without those that are inside another."""
    found = set(template.paths)
    for function in template.functions.values():
        found |= {function.code, *function.layers, *_files(function, file_variables)}
    return {path for path in found if not any(other in path.parents for other in found)}


def affected(template: Template, changed: Iterable[Path], file_variables: Collection[str] = ()) -> list[str]:
    """Return the names of the functions that use a changed file."""
    changed = list(changed)
    return [
        name
        for name, function in template.functions.items()
        if any(folder in path.parents for path in changed for folder in (function.code, *function.layers))
        or not _files(function, file_variables).isdisjoint(changed)
    ]


def _files(function: FunctionSpec, variables: Collection[str]) -> set[Path]:
    return {Path(value) for name, value in function.env.items() if name in variables and value}
