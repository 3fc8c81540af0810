"""Signals that stop a stack."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the block as Ctrl-C does, by a KeyboardInterrupt."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore_signals() -> None:
    """Ignore further signals: a second Ctrl-C during the clean-up would leave processes running."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def handle_signals_in(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    """Call `stop` on a signal, instead of raising a KeyboardInterrupt."""
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop)


def ignore_signals_in(loop: asyncio.AbstractEventLoop) -> None:
    """Undo `handle_signals_in`, and ignore further signals."""
    for number in _SIGNALS:
        loop.remove_signal_handler(number)
    ignore_signals()
