"""Signals that stop a stack."""

import os
import signal
import sys
import time
import weakref
from collections.abc import Callable

import pytest

from tenantgate_cli.stack.signals import stopped_by_signals


def wait_after(action: Callable[[], None]) -> None:
    with stopped_by_signals():
        action()
        time.sleep(5)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_block(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        wait_after(lambda: os.kill(os.getpid(), number))
    assert signal.getsignal(number) is before


def test_a_signal_in_a_callback_whose_exceptions_python_drops_ends_the_block_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Held:
        pass

    def drop(_reference: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)

    held = [Held()]
    reference = weakref.ref(held[0], drop)
    hook = sys.unraisablehook
    with pytest.raises(KeyboardInterrupt):
        wait_after(held.clear)
    assert reference() is None
    assert sys.unraisablehook is hook
    assert capsys.readouterr().err == ""


def test_other_dropped_exceptions_are_reported_as_before() -> None:
    class Held:
        pass

    def drop(_reference: object) -> None:
        raise ValueError("reported")

    held, found = Held(), []
    reference = weakref.ref(held, drop)
    hook, sys.unraisablehook = sys.unraisablehook, lambda reported: found.append(str(reported.exc_value))
    try:
        with stopped_by_signals():
            del held
    finally:
        sys.unraisablehook = hook
    assert (reference(), found) == (None, ["reported"])
