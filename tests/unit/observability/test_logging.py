import json
import logging
import re
import threading
import warnings
from io import StringIO

import pytest

from tenantgate.context import RequestContext, begin_request
from tenantgate.observability import logging as ours
from tenantgate.observability.logging import begin_invocation, configure_logging, describe_exception, log_unhandled
from tests.fixtures.web.setup import LOG_MEMBERS, log_lines


@pytest.fixture(autouse=True)
def _configured() -> None:
    ours._invocation = None
    configure_logging(level="DEBUG", service="test")


def test_a_line_has_the_members_of_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    begin_request(RequestContext(request_id="request-1", user_id="u", tenant_id="t"))
    logging.getLogger("tenantgate.x").info("hello %s", "world", extra={"context": {"n": 1}})
    (line,) = log_lines(capsys.readouterr().out)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("timestamp"))
    assert line == {
        "level": "INFO",
        "logger": "tenantgate.x",
        "message": "hello world",
        "service": "test",
        "request_id": "request-1",
        "user_id": "u",
        "tenant_id": "t",
        "context": {"n": 1},
    }


def test_outside_a_request_the_members_are_null(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("tenantgate.x").info("hello")
    (line,) = log_lines(capsys.readouterr().out)
    assert (line["request_id"], line["user_id"], line["tenant_id"], line["context"]) == (None, None, None, {})


def test_on_lambda_a_line_names_its_invocation(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ours, "_warm", False)
    for invocation in ("first", "second"):
        begin_invocation(invocation, trace_id="Root=1-5e6722a7")
        logging.getLogger("tenantgate.x").info("hello")
    ours._invocation = None
    first, second = log_lines(capsys.readouterr().out)
    assert first.keys() == LOG_MEMBERS | {"cold_start", "function_request_id", "trace_id"}
    assert (first["cold_start"], first["function_request_id"]) == (True, "first")
    assert (second["cold_start"], second["function_request_id"]) == (False, "second")
    assert second["trace_id"] == "Root=1-5e6722a7"


def test_a_line_break_in_a_value_makes_no_second_line(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("tenantgate.x").info("a\nb\u2028c", extra={"context": {"x": "y\r\n{}"}})
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_an_exception_is_logged_without_source_or_variables(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        hidden_variable = "hidden value"
        try:
            raise KeyError(hidden_variable[:0])
        except KeyError as cause:
            raise ValueError("token=abcdef went wrong") from cause

    try:
        fail()
    except ValueError:
        logging.getLogger("tenantgate.x").exception("failed")
    out = capsys.readouterr().out
    (line,) = log_lines(out)
    exception = line["context"]["exception"]
    assert exception["kind"] == "ValueError"
    assert exception["message"] == "token=*** went wrong"
    assert exception["stack"][-1].endswith("fail")
    assert exception["cause"]["kind"] == "KeyError"
    assert "hidden" not in out


def test_a_group_of_exceptions_names_its_parts() -> None:
    described = describe_exception(ExceptionGroup("several", [ValueError("one"), TypeError("two")]))
    assert [part["kind"] for part in described["parts"]] == ["ValueError", "TypeError"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("logger", "level", "written"),
    [
        pytest.param("tenantgate.x", logging.DEBUG, True, id="ours-at-the-configured-level"),
        pytest.param("functions.x", logging.DEBUG, True, id="a-functions"),
        pytest.param("botocore.parsers", logging.DEBUG, False, id="others-not-below-warning"),
        pytest.param("botocore.parsers", logging.WARNING, True, id="others-from-warning-on"),
        pytest.param("uvicorn.error", logging.INFO, True, id="the-servers"),
        pytest.param("uvicorn.access", logging.INFO, False, id="the-servers-access-lines"),
    ],
)
def test_who_is_heard(logger: str, level: int, written: bool, capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger(logger).log(level, "hello")
    assert bool(capsys.readouterr().out) is written


def test_configuring_twice_writes_each_line_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level="INFO", service="again")
    logging.getLogger("tenantgate.x").info("hello")
    (line,) = log_lines(capsys.readouterr().out)
    assert line["service"] == "again"


def test_a_servers_own_handler_is_taken_from_it(capsys: pytest.CaptureFixture[str]) -> None:
    other = StringIO()
    logging.getLogger("uvicorn.error").addHandler(logging.StreamHandler(other))
    configure_logging(level="INFO", service="test")
    logging.getLogger("uvicorn.error").error("GET /cb?code=secret")
    assert not other.getvalue()
    assert "secret" not in capsys.readouterr().out


def test_a_line_that_cant_be_written_says_so_without_its_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level="INFO", service="test")  # pytest's own handler would raise
    logging.getLogger("tenantgate.x").info("%d", "hunter2")
    captured = capsys.readouterr()
    (line,) = log_lines(captured.out)
    assert "could not be written" in line["message"]
    assert "hunter2" not in captured.out + captured.err


def test_warnings_and_failing_threads_are_logged(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ValueError("password=hunter2")

    log_unhandled()
    thread = threading.Thread(target=fail, name="worker")
    thread.start()
    thread.join()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        log_unhandled()
        warnings.warn("secret=hunter2 is old", stacklevel=1)
        logging.captureWarnings(capture=False)
    captured = capsys.readouterr()
    lines = log_lines(captured.out)
    assert lines[0]["context"]["thread"] == "worker"
    assert lines[1]["logger"] == "py.warnings"
    assert "hunter2" not in captured.out + captured.err


def test_values_that_json_cant_hold_are_written_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("tenantgate.x").info("hello", extra={"context": {"nan": float("nan"), "object": object()}})
    json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
