"""`tenantgate logs`: the lines of all functions in the last run, in order of time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from tenantgate_cli.console import Failure, printable
from tenantgate_cli.stack.data_folder import DataFolder
from tenantgate_cli.stack.log_files import LogLine, followed, functions_with_logs, log_lines
from tenantgate_cli.stack.log_text import as_json, show_line
from tenantgate_cli.stack.request_history import requests_with_id, unknown_request, without_log_files
from tenantgate_cli.stack.running_stack import running_stack
from tenantgate_cli.stack.signals import stopped_by_signals

_SUFFIX = "function"


def run(function: str | None, request_id: str | None, data_dir: Path, *, as_json_lines: bool, follow: bool) -> None:
    """Print the lines. Raises `Failure` for an unknown function or request, or if there are no logs."""
    folder = DataFolder(data_dir)
    if follow and request_id is not None:
        raise Failure("--follow and --request don't go together", "a request's lines are complete when it has ended")
    names = _chosen(function, folder)
    show = _show_json if as_json_lines else show_line
    if request_id is not None:
        _show_request(request_id.strip(), names, folder, show)
        return
    if follow:
        _follow(folder.logs, names if function is not None else [], show)
        return
    for line in log_lines(folder.logs, names):
        show(line)


def _chosen(function: str | None, folder: DataFolder) -> list[str]:
    if (failure := without_log_files(folder)) is not None:
        raise failure
    written = functions_with_logs(folder.logs)
    running = running_stack(folder)
    known = sorted({*written, *(running.functions if running is not None else ())})
    if not known:
        raise Failure(f"there are no logs in {folder.shown()}/logs", "make dev, then send a request")
    if function is None:
        return written
    wanted = function.casefold()
    for name in known:
        if wanted in {name.casefold(), name.casefold().removesuffix(_SUFFIX)}:
            return [name]
    raise Failure(f"there is no function {printable(function)!r} here", f"the functions are {', '.join(known)}")


def _show_request(request_id: str, names: list[str], folder: DataFolder, show: Callable[[LogLine], None]) -> None:
    found = [line for history in requests_with_id(folder.logs, request_id) for line in history.lines]
    if not found:
        raise unknown_request(request_id, folder)
    for line in found:
        if line.function in names:
            show(line)


def _follow(folder: Path, names: list[str], show: Callable[[LogLine], None]) -> None:
    try:
        with stopped_by_signals():
            for line in followed(folder, names):
                show(line)
    except KeyboardInterrupt:
        return


def _show_json(line: LogLine) -> None:
    sys.stdout.write(f"{as_json(line)}\n")
    sys.stdout.flush()
