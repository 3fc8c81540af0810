"""Use code that libraries generate on import, compiled when the layer is built.

`dataclasses`, `typing` and `collections.namedtuple` write methods and annotations as source text and compile it, at
every import. Bytecode files don't avoid that, so the layer contains the compiled code as well
(`layers/shared/build/prepare_start.py` writes the table). The source text is the key: with an old or missing table,
imports only take longer.
"""

from __future__ import annotations

import collections
import dataclasses
import marshal
import sys
import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType

type Mode = typing.Literal["exec", "eval"]
# One table for each mode of `compile`: source text → bytecode.
type Table = dict[Mode, dict[str, bytes]]

# Bytecode works only with the Python version that compiled it.
TABLE = Path(__file__).with_suffix(f".{sys.implementation.cache_tag}.bin")
# The file name that these modules give their code: it is a part of the code object.
_FILENAME = "<string>"


@contextmanager
def compiled_ahead(file: Path = TABLE) -> Iterator[None]:
    """Take generated code from `file` within the context, where it contains the source text."""
    if (table := read_table(file)) is None:
        yield
        return

    def code_of(source: str, mode: Mode) -> CodeType:
        known = table[mode].get(source)
        return compile_generated(source, mode) if known is None else marshal.loads(known)  # noqa: S302  (our own)

    with generating(code_of):
        yield


@contextmanager
def generating(code_of: Callable[[str, Mode], CodeType]) -> Iterator[None]:
    """Within the context, let the generating modules get their code from `code_of`."""

    def compile_(source: str, _: str, mode: Mode) -> CodeType:
        return code_of(source, mode)

    def exec_(source: str, variables: dict[str, object], names: dict[str, object]) -> None:
        exec(code_of(source, "exec"), variables, names)  # noqa: S102  (the code that `dataclasses` would run)

    def eval_(source: str, variables: dict[str, object]) -> object:
        return eval(code_of(source, "eval"), variables)  # noqa: S307  (the code that `namedtuple` would run)

    # A module's own name hides the built-in one: no other module is affected.
    places = ((typing, "compile", compile_), (dataclasses, "exec", exec_), (collections, "eval", eval_))
    before = [(module, name, vars(module).get(name)) for module, name, _ in places]
    for module, name, ours in places:
        setattr(module, name, ours)
    try:
        yield
    finally:
        for module, name, theirs in before:
            delattr(module, name) if theirs is None else setattr(module, name, theirs)


def compile_generated(source: str, mode: Mode) -> CodeType:
    """Compile a generated text as the generating modules do."""
    return compile(source, _FILENAME, mode, dont_inherit=True)


def write_table(file: Path, table: Table) -> None:
    """Write `table` for `read_table`."""
    file.write_bytes(marshal.dumps(table))


def read_table(file: Path) -> Table | None:
    """Read a table of `write_table`; None without a file, as in a checkout."""
    try:
        table: Table = marshal.loads(file.read_bytes())  # noqa: S302  (our own)
    except FileNotFoundError:
        return None
    return table
