"""Show log lines to people: the time, the function, the level, the message, and the context as `name=value`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rich.text import Text

from tenantgate_cli.console import printable, say
from tenantgate_cli.stack.log_files import LogLine

_LONGEST = 4096
# Shown below the line, or only for programs.
_HIDDEN = frozenset({"exception", "decided_in", "denied"})
_STYLES = {"DEBUG": "dim", "INFO": "green", "WARNING": "yellow"}
# The place of the time of day in a timestamp.
_TIME = slice(11, 24)


def show_line(line: LogLine) -> None:
    """Print a line. Further lines, of an exception, are indented."""
    first, *rest = _parts(line.shown())
    say(first)
    for text in rest:
        say(Text(f"    {text}", style="dim"))


def as_json(line: LogLine) -> str:
    """Return the line as one line of JSON, with the name of the function. Text that isn't JSON is its `message`."""
    shown = line.shown()
    record = {"message": shown.text} if shown.record is None else shown.record
    return json.dumps({"function": line.function, **record})


def _parts(line: LogLine) -> Iterator[Text]:
    level = line.member("level")
    head = Text(f"{line.time[_TIME] or '-':<13}", style="dim") + Text(f"  {printable(line.function)}  ")
    if line.record is None:
        yield head + Text(_cut(line.text), style="dim")
        return
    message = line.member("message") or line.member("errorMessage")
    context = {name: value for name, value in line.context.items() if name not in _HIDDEN}
    named = "  ".join(f"{name}={_value(value)}" for name, value in context.items() if value is not None)
    yield (
        head
        + Text(f"{_cut(level):<7}  ", style=_STYLES.get(level, "red"))
        + Text(_cut(message))
        + Text(f"  {_cut(named)}" if named else "", style="dim")
    )
    yield from map(Text, _exception(line.context.get("exception")))


def _exception(exception: Any) -> Iterator[str]:
    if not isinstance(exception, dict):
        return
    yield _cut(f"{exception.get('kind')}: {exception.get('message')}")
    stack = exception.get("stack")
    for frame in stack if isinstance(stack, list) else ():
        yield f"  {_cut(str(frame))}"


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return json.dumps(text, ensure_ascii=False) if not text or (" " in text and isinstance(value, str)) else text


def _cut(text: str) -> str:
    shown = printable(text[:_LONGEST])
    return shown if len(text) <= _LONGEST else f"{shown}…"
