"""`typing`, imported when something needs it: a fifth of what the authorizer adds to a cold start.

On the way to a decision nobody does. Modules ask it whether a type checker is reading them, and cryptography makes a
union for an annotation that is never looked at. Whoever asks for more gets the real module, and all is as ever; only
the time is spent.
"""

from __future__ import annotations

import importlib
import sys
import threading
from types import ModuleType

_stepping_aside = threading.RLock()


class _Unions:
    """Where a union is asked for: what nobody will look at."""

    def __getitem__(self, members: object) -> object:
        return members


class LateTyping(ModuleType):
    """In the place of `typing` until an attribute is asked for that isn't here."""

    TYPE_CHECKING = False
    Union = _Unions()

    def __getattr__(self, name: str) -> object:
        # The import system asks for these of every module, this one for the first time or not.
        if name.startswith("__"):
            raise AttributeError(name)
        # One thread at a time: another one's real module must not be taken away again while it is being made.
        with _stepping_aside:
            if sys.modules.get("typing") is self:
                del sys.modules["typing"]
            return getattr(importlib.import_module("typing"), name)


def use_late_typing() -> None:
    """From now on, import `typing` late; does nothing where it is imported already."""
    sys.modules.setdefault("typing", LateTyping("typing"))
