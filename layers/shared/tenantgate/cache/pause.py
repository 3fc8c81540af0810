"""A pause after a failure, so that a frozen cache doesn't delay every request by its time limit."""

from __future__ import annotations

import time
from collections.abc import Callable


class Pause:
    """After a failure, admit no caller for `seconds`, then one in `seconds` until a call succeeds."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._until: float | None = None

    def admits(self) -> bool:
        """Tell whether this caller may try."""
        if self._until is None:
            return True
        now = self._clock()
        if now < self._until:
            return False
        # The others wait for this one's result.
        self._until = now + self._seconds
        return True

    def failed(self) -> None:
        self._until = self._clock() + self._seconds

    def succeeded(self) -> None:
        self._until = None
