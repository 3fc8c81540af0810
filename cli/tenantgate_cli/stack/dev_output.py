"""The lines that `tenantgate dev` prints while it runs."""

from __future__ import annotations

from collections.abc import Mapping

from rich.text import Text

from lambda_gateway.model import TemplateError
from lambda_gateway.observer import Handled
from lambda_gateway.responses.response import MalformedResponse
from lambda_gateway.runtime.failures import FunctionError, InitFailed
from lambda_gateway.runtime.functions import Metrics
from tenantgate_cli.console import printable, say
from tenantgate_cli.program import as_called

_SHOWN_FILES = 3


def show_request(handled: Handled, words: str = "") -> None:
    """Print the line of a request. `words` explain its status."""
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
        Text(printable(f"{handled.method:<7} {handled.path}  "))
        + Text(printable(f"{handled.status} {words}".rstrip()), style=style)
        + Text(f"  {handled.seconds * 1000:.0f} ms  {handled.function or handled.request_id}", style="dim")
    )


def show_hint(handled: Handled, option: str) -> None:
    """Print how to learn more about a denied request. `option` names the data folder if it isn't the default."""
    say(Text(f"  why: {as_called(f'tenantgate explain --request {handled.request_id}{option}')}", style="dim"))


def show_errors(metrics: Mapping[str, Metrics]) -> None:
    """Print the functions' errors as CloudWatch counts them, if there are any."""
    counted = [
        f"{name} {found.errors} of {found.invocations}" for name, found in sorted(metrics.items()) if found.errors
    ]
    if counted:
        words = f"errors as CloudWatch counts them, with each 401 of an authorizer: {', '.join(counted)}"
        say(Text(words, style="dim"))


def show_refused_origin(origin: str, remedy: str) -> None:
    say(Text("WARNING ", style="yellow") + Text(printable(f"the origin {origin} is refused. {remedy}")))


def show_failure(logs: str, function: str, error: FunctionError | MalformedResponse, remedy: str = "") -> None:
    """Print a failed invocation. `logs` is the folder of the function logs."""
    kind = error.error_type if isinstance(error, FunctionError) else "malformed response"
    what = "can't be loaded" if isinstance(error, InitFailed) else "failed"
    say(Text("✗ ", style="red") + Text(_printable_lines(f"{function} {what}: {kind}: {error}")))
    for line in error.stack_trace if isinstance(error, FunctionError) else ():
        say(Text(_printable_lines(line.rstrip("\n")), style="dim"))
    say(Text(f"  its log: {logs}/{function}.log", style="dim"))
    if remedy:
        say(Text("  → ", style="green") + Text(remedy))


def show_output(function: str, level: str, text: str) -> None:
    """Print a line that a function wrote. `level` is empty if it isn't a log line."""
    style = {"": "dim", "WARNING": "yellow"}.get(level, "red")
    shown = Text(printable(text))
    say(Text(f"{level:<8}" if level else "│ ", style=style) + Text(f"{function}: ", style="dim") + shown)


def show_reload(files: list[str], restarted: list[str]) -> None:
    more = len(files) - _SHOWN_FILES
    shown = ", ".join(files[:_SHOWN_FILES]) + (f" and {more} more" if more > 0 else "")
    say(Text(f"changed: {shown}; restarting: {', '.join(restarted) or 'no function was running'}", style="dim"))


def show_template_error(error: TemplateError) -> None:
    say(Text("✗ ", style="red") + Text(_printable_lines(str(error))))


def show_warning(problem: str, remedy: str) -> None:
    """Print a problem that doesn't stop the stack."""
    say(Text("! ", style="yellow") + Text(printable(problem)))
    say(Text("  → ", style="green") + Text(printable(as_called(remedy))))


def _printable_lines(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))
