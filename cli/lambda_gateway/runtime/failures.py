"""Failures of functions, as Lambda reports them.

    FunctionError               the function raised an exception: errorType, errorMessage, stackTrace
    ├── InitFailed              the handler's module could not be loaded, or not in time
    ├── TimedOut                the invocation exceeded the function's timeout; the process was ended
    └── Crashed                 the process ended during an invocation
        └── NotRunning          … or before it: it didn't get the event, so another process can take it

Standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Self


class FunctionError(Exception):
    """The function failed. The text is the errorMessage."""

    def __init__(self, error_type: str, message: str, stack_trace: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.stack_trace = tuple(stack_trace)

    @classmethod
    def from_report(cls, report: bytes) -> Self:
        """Parse the JSON that the runtime client posts: `{"errorType", "errorMessage", "stackTrace"}`."""
        try:
            given = json.loads(report)
        except ValueError:
            given = None
        if not isinstance(given, dict):
            return cls("Runtime.UnknownReason", report.decode("utf-8", "replace"))
        trace = given.get("stackTrace")
        lines = [str(line) for line in trace] if isinstance(trace, list) else []
        return cls(str(given.get("errorType", "")), str(given.get("errorMessage", "")), lines)


class InitFailed(FunctionError):
    pass


class TimedOut(FunctionError):
    pass


class Crashed(FunctionError):
    pass


class NotRunning(Crashed):
    pass
