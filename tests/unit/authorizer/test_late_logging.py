"""Logging that configures itself with the first line."""

from __future__ import annotations

import logging
import threading

import pytest

from tenantgate.authorizer.late_logging import LateLogging
from tests.fixtures.web.setup import log_lines

_log = logging.getLogger("tenantgate.authorizer.service")


def installed() -> LateLogging:
    """Install the handler within the test: pytest adds its own handlers after the fixtures."""
    late = LateLogging()
    late.install()
    return late


def test_the_first_line_configures_logging_and_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    late = installed()
    late.begin("invocation-1", "Root=1-2")
    assert logging.getLogger().handlers == [late]
    _log.info("first")
    assert late not in logging.getLogger().handlers
    _log.info("second")

    lines = log_lines(capsys.readouterr().out)
    assert [line["message"] for line in lines] == ["first", "second"]
    for line in lines:
        assert (line["function_request_id"], line["trace_id"], line["cold_start"]) == ("invocation-1", "Root=1-2", True)
        assert line["service"] == "authorizer"


def test_a_first_line_of_a_background_thread_leaves_the_other_lines_their_invocation(
    capsys: pytest.CaptureFixture[str],
) -> None:
    late = installed()
    late.begin("invocation-1", "Root=1-2")
    fetch = threading.Thread(target=_log.info, args=("key set fetched",))
    fetch.start()
    fetch.join()
    _log.info("denied")

    lines = log_lines(capsys.readouterr().out)
    assert [(line["message"], line["trace_id"]) for line in lines] == [
        ("key set fetched", "Root=1-2"),
        ("denied", "Root=1-2"),
    ]


def test_a_later_invocation_is_named_and_is_not_a_cold_start(capsys: pytest.CaptureFixture[str]) -> None:
    late = installed()
    for number in range(3):
        late.begin(f"invocation-{number}", None)
        if number:
            _log.info("a line")

    lines = log_lines(capsys.readouterr().out)
    assert [line["function_request_id"] for line in lines] == ["invocation-1", "invocation-2"]
    assert [line["cold_start"] for line in lines] == [False, False]


def test_a_line_outside_an_invocation_belongs_to_no_invocation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    begun: list[object] = []
    monkeypatch.setattr("tenantgate.observability.logging.begin_invocation", lambda *args, **_: begun.append(args))
    installed()
    _log.warning("a start")

    [line] = log_lines(capsys.readouterr().out)
    assert line["message"] == "a start"
    assert begun == []


@pytest.mark.parametrize(("level", "written"), [("DEBUG", 2), ("INFO", 1), ("WARNING", 0), ("LOUD", 1)])
def test_the_environment_sets_the_level(
    level: str, written: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOG_LEVEL", level)
    installed()
    _log.debug("a detail")
    _log.info("a line")
    # Of other libraries, only warnings are written.
    logging.getLogger("another.library").info("a line")

    assert len(log_lines(capsys.readouterr().out)) == written


def test_an_invocation_without_a_line_imports_nothing_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[object] = []
    monkeypatch.setattr("tenantgate.observability.logging.begin_invocation", lambda *args, **_: begun.append(args))
    late = installed()
    late.begin("invocation-1", None)
    assert begun == []
    assert logging.getLogger().handlers == [late]


@pytest.mark.parametrize("name", ["tenantgate.a", "functions.authorizer.handler"])
def test_lines_of_the_product_are_written_at_the_environments_level(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOG_LEVEL", "INFO")
    installed()
    logging.getLogger(name).info("a line")
    assert [line["message"] for line in log_lines(capsys.readouterr().out)] == ["a line"]
