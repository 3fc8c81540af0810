"""Work with a limit on its time."""

from __future__ import annotations

import threading
from contextvars import ContextVar

import pytest

from functions.migration_runner.time_limit import OutOfTime, within

NAME: ContextVar[str] = ContextVar("name")


def test_the_result_and_the_context_pass_through() -> None:
    NAME.set("request-1")
    assert within(10, NAME.get) == "request-1"


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_an_exception_passes_through(error: BaseException) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        within(10, fail)
    assert raised.value is error


@pytest.mark.parametrize("seconds", [0.05, 0.0, -1.0])
def test_work_that_does_not_end_is_left(seconds: float) -> None:
    release = threading.Event()
    with pytest.raises(OutOfTime):
        within(seconds, release.wait)
    release.set()
