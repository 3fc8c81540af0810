"""What functions write: whole into a file per function, and what a person should see at once into the terminal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

_SHOWN_LEVELS = {"WARNING", "ERROR", "CRITICAL"}
# That secrets come from the environment here is by design, however unusual elsewhere.
_EXPECTED = {"tenantgate.secrets.store"}
# The runtime client's own words about what the gateway reports in better ones.
_RUNTIME_NOISE = ("LAMBDA_WARNING: Unhandled exception",)


class FunctionLogs:
    """`<folder>/<function>.log`, exactly as the function wrote it; each start of the stack begins anew.

    `show(function, level, text)` is called for warnings and worse, and for what isn't a log line, such as a `print`
    (level ""). A warning is shown once however many functions give it.
    """

    def __init__(self, folder: Path, show: Callable[[str, str, str], None]) -> None:
        self._folder = folder
        self._show = show
        self._files: dict[str, TextIO] = {}
        self._warned: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)

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
    """Level and text of a line for the terminal; None if it is for the file alone. Level "" if it is no log line."""
    try:
        said = json.loads(line)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        return ("", line) if line.strip() and not _runtime_error(line) else None
    level = str(said.get("level", ""))
    # A line with an errorType is the runtime client's report of a failed invocation, which the gateway words itself.
    if level not in _SHOWN_LEVELS or "errorType" in said or said.get("logger") in _EXPECTED:
        return None
    message = str(said.get("message", ""))
    if message.startswith(_RUNTIME_NOISE):
        return None
    context = said.get("context")
    exception = context.get("exception") if isinstance(context, dict) else None
    if isinstance(exception, dict):
        message += f": {exception.get('kind')}: {exception.get('message')}"
    return level, message


def _runtime_error(line: str) -> bool:
    """The runtime client's report in its plain-text form, all in one line with carriage returns."""
    return line.startswith("[ERROR] ") and "\rTraceback (most recent call last):" in line
