"""The output of functions: one file per function has everything, the terminal only warnings and errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

_SHOWN_LEVELS = {"WARNING", "ERROR", "CRITICAL"}
# Warns that secrets come from the environment, which is normal on a developer's machine.
_EXPECTED = {"tenantgate.secrets.store"}
# Messages of the runtime client about failures that the gateway reports better.
_RUNTIME_NOISE = ("LAMBDA_WARNING: Unhandled exception",)


class FunctionLogs:
    """The files `<folder>/<function>.log` of one run. The constructor deletes those of an earlier run.

    `show(function, level, text)` is called for warnings and errors, and with an empty level for lines that aren't log
    lines, such as those of a `print`. A warning is shown once, even if several functions write it.
    """

    def __init__(self, folder: Path, show: Callable[[str, str, str], None]) -> None:
        self._folder = folder
        self._show = show
        self._files: dict[str, TextIO] = {}
        self._warned: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.log"):
            old.unlink()

    def path(self, function: str) -> Path:
        return self._folder / f"{function}.log"

    def write(self, function: str, line: str) -> None:
        file = self._files.get(function)
        if file is None:
            file = self._files[function] = self.path(function).open("w", encoding="utf-8", buffering=1)
        file.write(f"{line}\n")
        if (shown := shown_line(line)) is None:
            return
        level, text = shown
        if level == "WARNING":
            if text in self._warned:
                return
            self._warned.add(text)
        self._show(function, level, text)

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()


def shown_line(line: str) -> tuple[str, str] | None:
    """Return the level and text of a line for the terminal. The level is empty if it isn't a log line.

    Return None for a line that goes only to the file.
    """
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        return ("", line) if line.strip() and not _runtime_error(line) else None
    level = str(record.get("level", ""))
    # The runtime client's report of a failed invocation has an errorType. The gateway reports the failure itself.
    if level not in _SHOWN_LEVELS or "errorType" in record or record.get("logger") in _EXPECTED:
        return None
    message = str(record.get("message", ""))
    if message.startswith(_RUNTIME_NOISE):
        return None
    context = record.get("context")
    exception = context.get("exception") if isinstance(context, dict) else None
    if isinstance(exception, dict):
        message += f": {exception.get('kind')}: {exception.get('message')}"
    return level, message


def _runtime_error(line: str) -> bool:
    """Return True for the runtime client's plain-text report: one line, with carriage returns inside."""
    return line.startswith("[ERROR] ") and "\rTraceback (most recent call last):" in line
