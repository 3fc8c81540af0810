"""Restarts functions when their code, their layers or the template change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

from watchfiles import Change, DefaultFilter, awatch

from lambda_gateway.app import Gateway
from lambda_gateway.model import FunctionSpec, Template, TemplateError

# Milliseconds: changes this close together are one.
_STEP, _DEBOUNCE = 40, 300
_NAMING_FILES = ("ROUTE_RULES_FILE",)
_SUFFIXES = (".py", ".html", ".css", ".js", ".json", ".mo", ".yaml", ".toml", ".sql")


class _Relevant(DefaultFilter):
    def __call__(self, change: Change, path: str) -> bool:
        return path.endswith(_SUFFIXES) and super().__call__(change, path)


async def reload_on_change(
    gateway: Gateway,
    read: Callable[[], Template],
    *,
    on_reload: Callable[[list[str], list[str]], None],
    on_problem: Callable[[TemplateError], None],
    stop: asyncio.Event,
) -> None:
    """Watch until `stop` is set. `read` reads the template anew; a broken one is reported, and the old one served on.

    `on_reload` is told the changed files and the functions that were running and start anew.
    """
    template = gateway.template
    folders = {path for path in watched(template) if path.exists()}
    async for changes in awatch(*folders, watch_filter=_Relevant(), step=_STEP, debounce=_DEBOUNCE, stop_event=stop):
        paths = {Path(path) for _, path in changes}
        if paths.intersection(gateway.template.paths):
            try:
                gateway.load(read())
            except TemplateError as error:
                on_problem(error)
        names = affected(gateway.template, paths)
        restarted = gateway.restart(names)
        on_reload(sorted(path.name for path in paths), restarted)


def watched(template: Template) -> set[Path]:
    """Folders and files whose changes matter, none of them within another."""
    found = set(template.paths)
    for function in template.functions.values():
        found |= {function.code, *function.layers, *_files(function)}
    return {path for path in found if not any(other in path.parents for other in found)}


def affected(template: Template, changed: Iterable[Path]) -> list[str]:
    """The functions that the changed files belong to."""
    changed = list(changed)
    return [
        name
        for name, function in template.functions.items()
        if any(folder in path.parents for path in changed for folder in (function.code, *function.layers))
        or not _files(function).isdisjoint(changed)
    ]


def _files(function: FunctionSpec) -> set[Path]:
    """What the function reads when it starts, by its variables."""
    return {Path(value) for name, value in function.env.items() if name in _NAMING_FILES and value}
