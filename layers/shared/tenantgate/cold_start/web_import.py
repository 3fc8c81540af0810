"""Import FastAPI at a cold start without building what a function never uses.

On import, FastAPI builds validators for the whole OpenAPI specification. A function serves no OpenAPI document, so
pydantic builds them at their first use instead (`defer_build`).
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tenantgate.cold_start import collector
from tenantgate.cold_start.generated_code import compiled_ahead

if TYPE_CHECKING:
    from pydantic import BaseModel


@contextmanager
def quickly() -> Iterator[None]:
    """Use the generated code compiled ahead, and pause the garbage collector, while a process starts."""
    enabled = collector.pause()
    try:
        with compiled_ahead():
            yield
    finally:
        collector.resume(enabled)


@contextmanager
def _deferred_schemas() -> Iterator[None]:
    from pydantic import BaseModel, ConfigDict  # noqa: PLC0415  (within `quickly`)

    config, rebuild = BaseModel.model_config, BaseModel.__dict__["model_rebuild"]

    def deferred(model: type[BaseModel], /, **options: Any) -> bool | None:
        # FastAPI rebuilds these three at once to resolve their references; pydantic does so again at first use.
        return None if model.__name__ in ("Schema", "Operation", "Encoding") else rebuild.__func__(model, **options)

    BaseModel.model_config = ConfigDict(defer_build=True)
    type.__setattr__(BaseModel, "model_rebuild", classmethod(deferred))
    try:
        yield
    finally:
        BaseModel.model_config = config
        type.__setattr__(BaseModel, "model_rebuild", rebuild)


def import_quickly(module: str) -> ModuleType:
    """Import `module`, and before it FastAPI without the schemas of OpenAPI."""
    with _deferred_schemas():
        importlib.import_module("fastapi")
    return importlib.import_module(module)
