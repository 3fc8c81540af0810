"""Import `typing` only when something needs it.

An allowed request doesn't need it: modules ask `typing` only whether a type checker reads them (`TYPE_CHECKING`), and
cryptography builds a union for an annotation that nothing evaluates. Any other attribute brings the real module, which
then takes this one's place.
"""

from __future__ import annotations

import importlib
import sys
import threading
from types import ModuleType

_replacing = threading.RLock()


class _Unions:
    """Stands in for `typing.Union`; the result is an annotation that nothing evaluates."""

    def __getitem__(self, members: object) -> object:
        return members


class LateTyping(ModuleType):
    """Takes the place of `typing` until another attribute is used."""

    TYPE_CHECKING = False
    Union = _Unions()

    def __getattr__(self, name: str) -> object:
        # The import system reads these attributes of every module.
        if name.startswith("__"):
            raise AttributeError(name)
        # One thread at a time: a second thread must not remove the real module while the first one imports it.
        with _replacing:
            if sys.modules.get("typing") is self:
                del sys.modules["typing"]
            return getattr(importlib.import_module("typing"), name)


def use_late_typing() -> None:
    """Import `typing` late from now on; without effect if it is already imported."""
    sys.modules.setdefault("typing", LateTyping("typing"))
