"""The lines that `tenantgate dev` prints while it runs."""

from __future__ import annotations

from rich.text import Text

from lambda_gateway.model import TemplateError
from lambda_gateway.observer import Handled
from lambda_gateway.responses.response import MalformedResponse
from lambda_gateway.runtime.failures import FunctionError, InitFailed
from tenantgate_cli.console import say

_SHOWN_FILES = 3


def show_request(handled: Handled) -> None:
    # Only the path: a query may contain codes and tokens.
    style = (
        "dim"
        if handled.method == "CLOSE"
        else "red"
        if handled.status >= 500
        else "yellow"
        if handled.status >= 400
        else "green"
    )
    say(
        Text(f"{handled.method:<7} {handled.path}  ")
        + Text(str(handled.status), style=style)
        + Text(f"  {handled.seconds * 1000:.0f} ms  {handled.function}".rstrip(), style="dim")
    )


def show_failure(logs: str, function: str, error: FunctionError | MalformedResponse) -> None:
    """Print a failed invocation. `logs` is the folder of the function logs."""
    kind = error.error_type if isinstance(error, FunctionError) else "malformed response"
    what = "can't be loaded" if isinstance(error, InitFailed) else "failed"
    say(Text("✗ ", style="red") + Text(f"{function} {what}: {kind}: {error}"))
    for line in error.stack_trace if isinstance(error, FunctionError) else ():
        say(Text(line.rstrip("\n"), style="dim"))
    say(Text(f"  its log: {logs}/{function}.log", style="dim"))


def show_output(function: str, level: str, text: str) -> None:
    """Print a line that a function wrote. `level` is empty if it isn't a log line."""
    style = {"": "dim", "WARNING": "yellow"}.get(level, "red")
    say(Text(f"{level:<8}" if level else "│ ", style=style) + Text(f"{function}: ", style="dim") + Text(text))


def show_reload(files: list[str], restarted: list[str]) -> None:
    more = len(files) - _SHOWN_FILES
    shown = ", ".join(files[:_SHOWN_FILES]) + (f" and {more} more" if more > 0 else "")
    say(Text(f"changed: {shown}; restarting: {', '.join(restarted) or 'no function was running'}", style="dim"))


def show_template_error(error: TemplateError) -> None:
    say(Text("✗ ", style="red") + Text(str(error)))
