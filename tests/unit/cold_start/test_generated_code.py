"""Generated code that was compiled at build time equals a fresh compilation, and is optional."""

import builtins
import collections
import dataclasses
import marshal
import typing
from pathlib import Path
from types import CodeType

import pytest

from tenantgate.cold_start import generated_code as ahead
from tenantgate.cold_start.generated_code import Mode, compiled_ahead, generating, read_table, write_table


def generated() -> tuple[typing.Any, ...]:
    """One of each that generates text: behaviour of all of them, as plain values."""

    @dataclasses.dataclass(frozen=True, order=True)
    class Point:
        x: int
        y: int = 2

    point = collections.namedtuple("point", "x y", defaults=(2,))  # noqa: PYI024  (as libraries make them)

    class Shape(typing.TypedDict):
        sides: "list[int] | None"

    annotations = typing.get_type_hints(Shape)
    return repr(Point(1)), Point(1) < Point(3), hash(Point(1)), point(1), annotations, typing.ForwardRef("int | str")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    sources: dict[Mode, dict[str, bytes]] = {"exec": {}, "eval": {}}

    def record(source: str, mode: Mode) -> CodeType:
        code = ahead.compile_generated(source, mode)
        sources[mode][source] = marshal.dumps(code)
        return code

    with generating(record):
        generated()
    file = tmp_path / "compiled_ahead.bin"
    write_table(file, sources)
    return file


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The text that had to be compiled."""
    seen: list[str] = []
    compile_generated = ahead.compile_generated

    def watched(source: str, mode: Mode) -> CodeType:
        seen.append(source)
        return compile_generated(source, mode)

    monkeypatch.setattr(ahead, "compile_generated", watched)
    return seen


def test_text_that_the_table_knows_is_not_compiled_and_means_the_same(table: Path, compiled: list[str]) -> None:
    expected = generated()

    with compiled_ahead(table):
        assert generated() == expected
    assert compiled == []


def test_text_that_the_table_doesnt_know_is_compiled(table: Path, compiled: list[str]) -> None:
    with compiled_ahead(table):

        @dataclasses.dataclass
        class Unheard:
            of: int

        assert Unheard(1) == Unheard(1)
        with pytest.raises(SyntaxError):
            typing.ForwardRef("not a type")
    assert len(compiled) == 2


def test_without_a_table_nothing_is_touched(tmp_path: Path) -> None:
    with compiled_ahead(tmp_path / "compiled_ahead.bin"):
        assert not hooked()
        assert generated()


def test_afterwards_everything_is_as_before_even_after_a_failure(table: Path) -> None:
    with compiled_ahead(table), compiled_ahead(table):
        assert hooked() == {"compile", "exec", "eval"}
    assert not hooked()

    with pytest.raises(ZeroDivisionError), compiled_ahead(table):
        raise ZeroDivisionError
    assert not hooked()


def test_a_checkout_has_no_table_and_a_table_is_for_one_python() -> None:
    assert read_table(ahead.TABLE) is None
    assert ahead.TABLE.name == "generated_code.cpython-313.bin"


def hooked() -> set[str]:
    places = ((typing, "compile"), (dataclasses, "exec"), (collections, "eval"))
    return {
        name
        for module, name in places
        if vars(module).get(name, getattr(builtins, name)) is not getattr(builtins, name)
    }
