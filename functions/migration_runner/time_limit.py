"""A limit on the time of work that blocks."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Callable


class OutOfTime(Exception):
    """The work has not ended in time; its thread continues."""


def within[T](seconds: float, work: Callable[[], T]) -> T:
    """Run `work` in a thread; return its result or raise its exception, or `OutOfTime` after `seconds`."""
    outcome: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            outcome.put((work(), None))
        except BaseException as error:  # noqa: BLE001  (raised again in the caller's thread)
            outcome.put((None, error))

    threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True).start()
    try:
        result, error = outcome.get(timeout=max(0.0, seconds))
    except queue.Empty:
        raise OutOfTime from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]
