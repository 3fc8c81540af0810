"""Source text that libraries generate while they are imported, compiled when the layer is built.

`dataclasses`, `typing` and `collections.namedtuple` write methods and annotations as text and have it compiled: a
quarter of what importing FastAPI and pydantic takes. Bytecode in files doesn't avoid that, so the layer brings this
code compiled too (`layers/shared/build/prepare_start.py` writes the table). The source text is the key: with an old or
missing table, imports only take longer.
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
# Bytecode by the text that it was made of, one table for each mode of `compile`.
type Table = dict[Mode, dict[str, bytes]]

# Bytecode is of use to the Python that wrote it alone.
TABLE = Path(__file__).with_suffix(f".{sys.implementation.cache_tag}.bin")
# As those modules have it compiled: a code object is the same only if it is told the same about itself.
_FILENAME = "<string>"


@contextmanager
def compiled_ahead(file: Path = TABLE) -> Iterator[None]:
    """Meanwhile, generated text that `file` knows isn't compiled again."""
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
    """Meanwhile, the modules that generate text get its code from `code_of`."""

    def compile_(source: str, _: str, mode: Mode) -> CodeType:
        return code_of(source, mode)

    def exec_(source: str, variables: dict[str, object], names: dict[str, object]) -> None:
        exec(code_of(source, "exec"), variables, names)  # noqa: S102  (what `dataclasses` would run itself)

    def eval_(source: str, variables: dict[str, object]) -> object:
        return eval(code_of(source, "eval"), variables)  # noqa: S307  (what `namedtuple` would run itself)

    # A module's own name goes before the built-in one: only these three modules see ours.
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
    return compile(source, _FILENAME, mode, dont_inherit=True)


def write_table(file: Path, table: Table) -> None:
    file.write_bytes(marshal.dumps(table))


def read_table(file: Path) -> Table | None:
    """What `write_table` wrote; None when there is no file, as in a checkout."""
    try:
        table: Table = marshal.loads(file.read_bytes())  # noqa: S302  (our own)
    except FileNotFoundError:
        return None
    return table
