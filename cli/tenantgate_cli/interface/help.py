"""The form of a command: its `--help` ends with examples and the exit statuses, and its failures have remedies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import typer
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from typer.core import TyperCommand

from tenantgate_cli.console import Failure, out, show_failure
from tenantgate_cli.paths import shown
from tenantgate_cli.program import as_called

_FORM = "__form__"
# Usage errors exit with 2, which the parser decides.
_USAGE = {2: "the arguments are wrong"}


class Form:
    """The examples of a command, each a line that begins with `tenantgate`, and the meaning of its exit statuses."""

    def __init__(self, examples: Sequence[str], exits: Mapping[int, str]) -> None:
        self.examples = tuple(examples)
        self.exits = dict(sorted({**_USAGE, **exits}.items()))


class Command(TyperCommand):
    """A command that prints its form below its options."""

    @property
    def form(self) -> Form:
        return getattr(self.callback, _FORM)  # type: ignore[no-any-return]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        super().format_help(ctx, formatter)
        out.print(Text(" Examples", style="bold"))
        for example in self.form.examples:
            # Never broken: users copy these lines.
            out.print(Text(f"   {as_called(example)}"), soft_wrap=True)
        out.print(Text("\n Exit status", style="bold"))
        table = Table.grid(padding=(0, 2))
        for status, meaning in self.form.exits.items():
            table.add_row(str(status), Text(meaning))
        out.print(Padding(table, (0, 1, 1, 3)))


def command[F: Callable[..., Any]](
    app: typer.Typer,
    name: str | None = None,
    *,
    examples: Sequence[str],
    exits: Mapping[int, str],
    takes_negative_numbers: bool = False,
) -> Callable[[F], F]:
    """Add the decorated function to `app` as a command.

    `examples` are complete command lines; a test parses each of them. `exits` gives the meaning of each exit status,
    except 2 if it only stands for wrong arguments. `takes_negative_numbers`: an argument may be `-1`.
    """
    settings = {"ignore_unknown_options": True} if takes_negative_numbers else None

    def add(function: F) -> F:
        setattr(function, _FORM, Form(examples, exits))
        app.command(name=name, cls=Command, context_settings=settings)(function)
        return function

    return add


class failures(AbstractContextManager[None]):  # noqa: N801 - used as a function
    """Report a Failure without a stack trace, as JSON if `as_json`, and exit with `exit_code` or its own."""

    def __init__(self, exit_code: int = 1, *, as_json: bool = False) -> None:
        self._exit_code = exit_code
        self._as_json = as_json

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if not isinstance(error, Failure):
            error = _mistake(error)
        if error is None:
            return
        if self._as_json:
            from tenantgate_cli.results import print_failure  # noqa: PLC0415

            print_failure(error)
        else:
            show_failure(error)
        raise typer.Exit(self._exit_code if error.exit_code is None else error.exit_code) from None


def _mistake(error: BaseException | None) -> Failure | None:
    """Return the failure for a mistake in a file that developers edit and that modules read when they are imported."""
    if not isinstance(error, ValueError):
        return None
    from tenantgate.openid_provider.storage.personas import PERSONAS_FILE, PersonasError  # noqa: PLC0415

    if not isinstance(error, PersonasError):
        return None
    file = shown(PERSONAS_FILE)
    return Failure(f"{file}: {error}", f"correct it, or restore it: git checkout {file}")
