"""How a function fails, in Lambda's words.

    FunctionError               what Lambda would report: errorType, errorMessage, stackTrace
    ├── InitFailed              the handler's module could not be loaded, in time or at all
    ├── TimedOut                the invocation took longer than the function's timeout; the process is gone
    └── Crashed                 the process ended in the middle of an invocation
        └── NotRunning          … or before it: nothing was handed over, so another process can take it

Standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Self


class FunctionError(Exception):
    """The function failed. `str()` is the errorMessage."""

    def __init__(self, error_type: str, message: str, stack_trace: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.stack_trace = tuple(stack_trace)

    @classmethod
    def from_report(cls, report: bytes) -> Self:
        """From the JSON that the runtime client posts: `{"errorType", "errorMessage", "stackTrace"}`."""
        try:
            said = json.loads(report)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            return cls("Runtime.UnknownReason", report.decode("utf-8", "replace"))
        trace = said.get("stackTrace")
        lines = [str(line) for line in trace] if isinstance(trace, list) else []
        return cls(str(said.get("errorType", "")), str(said.get("errorMessage", "")), lines)


class InitFailed(FunctionError):
    pass


class TimedOut(FunctionError):
    pass


class Crashed(FunctionError):
    pass


class NotRunning(Crashed):
    pass
