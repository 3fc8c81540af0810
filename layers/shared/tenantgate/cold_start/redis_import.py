"""Import redis-py's connections without its commands, clusters and sentinels, two thirds of the time that it takes.

`redis` and `redis.asyncio` import everything at once. Here they run their own code only when one of their names is
used, so the rest of the library remains available.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Any

# In the order in which they run their code.
_PACKAGES = ("redis", "redis.asyncio")


def without_commands() -> None:
    """Let the next import of a module inside these packages leave out the packages' own code."""
    if not sys.modules.keys().isdisjoint(_PACKAGES):
        return
    late: list[ModuleType] = []
    for name in _PACKAGES:
        # The parent is in `sys.modules` by now, so that finding the second package doesn't import the first.
        spec = importlib.util.find_spec(name)
        if spec is None:
            return
        late.append(importlib.util.module_from_spec(spec))
        sys.modules[name] = late[-1]
    for package in late:
        _run_on_first_use(package, late)


def _run_on_first_use(package: ModuleType, late: list[ModuleType]) -> None:
    def __getattr__(attribute: str) -> Any:  # noqa: N807
        # Names of this form are for the import system and for tools.
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        for each in late:
            del each.__dict__["__getattr__"]
        for each in late:
            assert each.__spec__ is not None  # noqa: S101
            assert each.__spec__.loader is not None  # noqa: S101
            each.__spec__.loader.exec_module(each)
        return getattr(package, attribute)

    package.__dict__["__getattr__"] = __getattr__
