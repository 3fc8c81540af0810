"""Pause the garbage collector while a process starts.

Imports create objects that stay, so a collection in between finds nothing. Afterwards these objects are frozen: later
collections skip them.
"""

from __future__ import annotations

import gc


def pause() -> bool:
    """Stop automatic collections; return the state for `resume`."""
    enabled = gc.isenabled()
    gc.disable()
    return enabled


def resume(enabled: bool) -> None:
    """Freeze every object that exists, and collect again if `enabled`."""
    gc.freeze()
    if enabled:
        gc.enable()
