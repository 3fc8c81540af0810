"""Importing FastAPI at a cold start without building what a function never uses.

FastAPI builds validators for the whole OpenAPI specification when it is imported: a fifth of its import. A function
serves no OpenAPI document, so these wait until somebody asks for them (pydantic's `defer_build`). And nothing that
importing makes is garbage: collecting it meanwhile is time lost.
"""

from __future__ import annotations

import gc
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tenantgate.cold_start.generated_code import compiled_ahead

if TYPE_CHECKING:
    from pydantic import BaseModel


@contextmanager
def quickly() -> Iterator[None]:
    """Compile no generated code and collect no garbage while a process gets ready; what is there then stays."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        with compiled_ahead():
            yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


@contextmanager
def _deferred_schemas() -> Iterator[None]:
    from pydantic import BaseModel, ConfigDict  # noqa: PLC0415  (within `quickly`)

    config, rebuild = BaseModel.model_config, BaseModel.__dict__["model_rebuild"]

    def wait(model: type[BaseModel], /, **options: Any) -> bool | None:
        # These three ask for their schemas at once, only to resolve references; they do so again at first use.
        return None if model.__name__ in ("Schema", "Operation", "Encoding") else rebuild.__func__(model, **options)

    BaseModel.model_config = ConfigDict(defer_build=True)
    type.__setattr__(BaseModel, "model_rebuild", classmethod(wait))
    try:
        yield
    finally:
        BaseModel.model_config = config
        type.__setattr__(BaseModel, "model_rebuild", rebuild)


def import_quickly(module: str) -> ModuleType:
    """Import `module`, and FastAPI before it without the schemas of OpenAPI."""
    with _deferred_schemas():
        importlib.import_module("fastapi")
    return importlib.import_module(module)
