"""Print timed steps, and failures with their remedies."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from tenantgate_cli.program import as_called

# Printed with `soft_wrap`: lines that users copy or programs read are never broken.
out = Console(highlight=False, markup=False)
err = Console(highlight=False, markup=False, stderr=True)


class Failure(Exception):
    """The command fails. The text gives the reason; `remedy` is the exact command or setting that fixes it.

    `exit_code`: for a failure with its own exit status.
    """

    exit_code: int | None = None

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem)
        self.remedy = remedy


def printable(text: str) -> str:
    """Return text of untrusted origin without characters that write to the terminal: each becomes `?`."""
    return "".join(character if character.isprintable() else "?" for character in text)


def say(text: str | Text = "", style: str | None = None) -> None:
    out.print(text, style=style, soft_wrap=True)


def show_failure(failure: Failure) -> None:
    err.print(Text("✗ ", style="red") + Text(str(failure)), soft_wrap=True)
    if failure.remedy:
        err.print(Text("  → ", style="green") + Text(as_called(failure.remedy)), soft_wrap=True)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Print `name 0.8 s ✓` when the block has ended, or ✗ if it failed. Show a spinner until then on a terminal."""
    began = time.perf_counter()
    mark, style = "✗", "red"
    status = out.status(f"{name} …") if out.is_terminal else None
    if status is not None:
        status.start()
    try:
        yield
        mark, style = "✓", "green"
    finally:
        if status is not None:
            status.stop()
        say(Text(f"{name} {time.perf_counter() - began:.1f} s ") + Text(mark, style=style))
