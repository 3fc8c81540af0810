"""Logging as JSON, one line per event, with the same members in every function. Standard library only.

    {"timestamp", "level", "logger", "message", "service", "request_id", "user_id", "tenant_id", "context"}

and on Lambda also `cold_start`, `function_request_id` and `trace_id`. Log with `logging.getLogger(__name__)` and a
literal message; put variable parts into `extra={"context": {...}}`: a word from the product's own vocabulary as a
`Word`, an error as the exception. `context.exception` describes an exception without source code or variables.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from types import TracebackType
from typing import Any, NamedTuple, TextIO, override

from tenantgate.context import RequestContext, current_request
from tenantgate.errors.base import Word
from tenantgate.observability.carried import carried_secrets
from tenantgate.observability.figures import FIGURES, embedded_metrics
from tenantgate.observability.redaction import redact_context, redact_text, text_of
from tenantgate.observability.speakers import Speaker

# These log at the configured level, all others only warnings: at DEBUG some of them log credentials and bodies.
_OUR_LOGGERS = ("tenantgate", "tenantgate_cli", "functions", "container", "migrations", "uvicorn")
_MOST_FRAMES = 20
_MOST_CAUSES = 3
_MOST_NOTES = 5
# Limit for one line: parts and causes of all depths together.
_MOST_ERRORS = 12


class Invocation(NamedTuple):
    """The Lambda invocation that a line belongs to."""

    function_request_id: str
    trace_id: str | None
    cold_start: bool


# Of the process, not of a context: Lambda runs one invocation at a time, and background threads log for it too.
_invocation: Invocation | None = None
_warm = False
_encode = json.JSONEncoder(separators=(",", ":")).encode
_literals: set[tuple[str, int, str]] = set()


def begin_invocation(function_request_id: str, *, trace_id: str | None = None, cold_start: bool | None = None) -> None:
    """Add the Lambda invocation to the following lines; the first invocation of a process is its cold start.

    A function that configures logging late passes `cold_start` itself.
    """
    global _invocation, _warm  # noqa: PLW0603
    _invocation = Invocation(function_request_id, trace_id, not _warm if cold_start is None else cold_start)
    _warm = True


def configure_logging(*, level: str, service: str) -> None:
    """Make a JSON handler on standard output the process's only one; a second call replaces it."""
    handler = _StandardOutput()
    handler.setFormatter(JsonFormatter(service=service))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(max(logging.getLevelNamesMapping()[level], logging.WARNING))
    for name in _OUR_LOGGERS:
        logging.getLogger(name).setLevel(level)
    # uvicorn's own handlers write access lines with unmasked query strings.
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    # The product's own request lines say more.
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)


def log_unhandled() -> None:
    """Log warnings and failures of threads, which Python prints to standard error unmasked."""
    logging.captureWarnings(capture=True)
    threading.excepthook = _log_thread_failure


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON; message, context and exception are redacted."""

    def __init__(self, *, service: str) -> None:
        super().__init__()
        self._service = service

    @override
    def format(self, record: logging.LogRecord) -> str:
        # A figure is of the process, not of the request at whose end it is written.
        request = RequestContext() if record.name == FIGURES else current_request()
        given = getattr(record, "context", None)
        # The words of an error in the context are those of the code that raised it.
        errors = (item for item in given.values() if isinstance(item, BaseException)) if isinstance(given, dict) else ()
        speaker = Speaker(record=record, error=next(iter(errors), None))
        context = redact_context(given, speaker)
        if record.exc_info and record.exc_info[1] is not None:
            context["exception"] = describe_exception(record.exc_info[1])
        line: dict[str, Any] = {
            "timestamp": _timestamp(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record, speaker),
            "service": self._service,
            "request_id": request.request_id or None,
            "user_id": request.user_id,
            "tenant_id": request.tenant_id,
            "context": context,
        }
        if _invocation is not None:
            line["cold_start"] = _invocation.cold_start
            line["function_request_id"] = _invocation.function_request_id
            line["trace_id"] = _invocation.trace_id
        if record.name == FIGURES and isinstance(given, dict):
            line |= embedded_metrics(given, created=record.created)
        return _encode(line)


def _message(record: logging.LogRecord, speaker: Speaker) -> str:
    """Format the message with masked arguments; the template is the code's own text."""
    template = text_of(record.msg)
    if _is_literal(record, template, speaker):
        template = Word(template)
    if not record.args:
        return redact_text(template, speaker)
    arguments: object = record.args
    if isinstance(arguments, tuple):
        arguments = tuple(_argument(item) for item in arguments)
    elif isinstance(arguments, dict):
        arguments = {name: _argument(item) for name, item in arguments.items()}
    try:
        message = template % arguments
    except (TypeError, ValueError):
        return redact_text(record.getMessage())
    return redact_text(Word(message) if isinstance(template, Word) else message)


def _is_literal(record: logging.LogRecord, template: str, speaker: Speaker) -> bool:
    place = (record.pathname, record.lineno, template)
    if place in _literals:
        return True
    if carried_secrets() is None or not speaker.says(template):
        return False
    # Bounded by the number of log calls in the code.
    _literals.add(place)
    return True


def _argument(value: object) -> object:
    # Keep a number, which the template's "%d" needs, unless the caller sent it as a secret.
    if isinstance(value, (int, float)) and redact_text(str(value)) == str(value):
        return value
    return _Masked(value)


class _Masked:
    """An argument whose text is masked before the template may cut it."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    @override
    def __str__(self) -> str:
        value = self._value
        return redact_text(text_of(value), *([Speaker(error=value)] if isinstance(value, BaseException) else []))

    @override
    def __repr__(self) -> str:
        return redact_text(_repr(self._value))


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001  (the line matters more than a broken __repr__)
        return f"<{type(value).__name__}>"


def describe_exception(error: BaseException) -> dict[str, object]:
    """Describe an exception: kind, redacted message and notes, stack (file, line, function), causes and parts."""
    return _described(error, 0, [_MOST_ERRORS])


def _described(error: BaseException, depth: int, left: list[int]) -> dict[str, object]:
    left[0] -= 1
    speaker = Speaker(error=error)
    described: dict[str, object] = {
        "kind": f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins."),
        "message": redact_text(_text(error), speaker),
        "stack": _stack(error.__traceback__),
    }
    if notes := getattr(error, "__notes__", None):
        described["notes"] = [redact_text(text_of(note)) for note in list(notes)[:_MOST_NOTES]]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and depth < _MOST_CAUSES and left[0] > 0:
        described["cause"] = _described(cause, depth + 1, left)
    if isinstance(error, BaseExceptionGroup) and depth < _MOST_CAUSES:
        parts = error.exceptions[:_MOST_CAUSES]
        described["parts"] = [_described(part, depth + 1, left) for part in parts if left[0] > 0]
    return described


def _stack(trace: TracebackType | None) -> list[str]:
    frames: list[str] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{_short(code.co_filename)}:{trace.tb_lineno} {code.co_qualname}")
        trace = trace.tb_next
    return frames[-_MOST_FRAMES:]


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  (the line matters more than a broken __str__)
        return "<unprintable>"


def _short(filename: str) -> str:
    for marker in ("/site-packages/", "/layers/shared/", "/python3.13/"):
        _, found, rest = filename.rpartition(marker)
        if found:
            return rest
    return "/".join(filename.rsplit("/", 3)[1:])


def _timestamp(created: float) -> str:
    seconds = int(created)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{int((created - seconds) * 1000):03d}Z"


class _StandardOutput(logging.StreamHandler[TextIO]):
    """Writes to the current `sys.stdout`: Lambda's runtime and the tests replace it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stdout

    @override
    def handleError(self, record: logging.LogRecord) -> None:
        # The default prints the record's arguments, unredacted, to standard error.
        kind = type(sys.exception()).__name__
        line: dict[str, Any] = {
            "timestamp": _timestamp(record.created),
            "level": "ERROR",
            "logger": __name__,
            "message": f"a line of {record.name} could not be written: {kind}",
            "service": None,
            "request_id": current_request().request_id or None,
            "user_id": None,
            "tenant_id": None,
            "context": {},
        }
        try:
            sys.stdout.write(json.dumps(line) + "\n")
        except (OSError, ValueError):
            return


def _log_thread_failure(failure: threading.ExceptHookArgs) -> None:
    if failure.exc_value is None or isinstance(failure.exc_value, SystemExit):
        return
    logging.getLogger("tenantgate.threads").error(
        "a background thread failed",
        exc_info=(failure.exc_type, failure.exc_value, failure.exc_traceback),
        extra={"context": {"thread": failure.thread.name if failure.thread else None}},
    )
