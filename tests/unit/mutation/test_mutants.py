"""The changes that are made, the text that is left alone, and the names of mutants."""

from pathlib import Path

import pytest

from mutation.mutants import Key, Mutant, mutants_of, sample

FORMS = [
    pytest.param("x = a < b", {"x = a <= b", "x = a >= b"}, id="comparison"),
    pytest.param("x = a in b", {"x = a not in b"}, id="membership"),
    pytest.param("x = a and b", {"x = a or b", "x = a", "x = b"}, id="and"),
    pytest.param("x = a or b or c", {"x = a and b and c", "x = b or c", "x = a or c", "x = a or b"}, id="or"),
    pytest.param("x = not a", {"x = a"}, id="not"),
    pytest.param("x = a + b", {"x = a - b"}, id="arithmetic"),
    pytest.param("x += b", {"x -= b"}, id="in-place"),
    pytest.param("x = 5", {"x = 6", "x = 4"}, id="integer"),
    pytest.param("x = True", {"x = False"}, id="truth"),
    pytest.param("x = 'word'", {"x = 'wordX'"}, id="word"),
    pytest.param("x = a[0]", {"x = a[1]", "x = a[-1]"}, id="index"),
    pytest.param("x = a[b:c]", {"x = a[:c]", "x = a[b:]"}, id="slice"),
    pytest.param("f(a)", {"pass"}, id="call"),
    pytest.param("self.a = b", {"pass"}, id="attribute"),
    pytest.param("if a:\n  f()", {"if not a:", "pass"}, id="condition"),
    pytest.param("for a in b:\n  break", {"pass"}, id="break"),
    pytest.param("x = [a for a in b if a]", {"x = [a for a in b if not a]"}, id="filter"),
    pytest.param("raise Refused('a word', code=1)", {"pass"}, id="raise"),
    pytest.param("_log.info('word', extra={'a': 1})", {"pass"}, id="log"),
]


@pytest.mark.parametrize(("source", "changed"), FORMS)
def test_each_form_is_changed(tmp_path: Path, source: str, changed: set[str]) -> None:
    assert {mutant.key.mutated for mutant in mutants(tmp_path, source)} == changed


@pytest.mark.parametrize(
    "source",
    [
        "'A docstring.'",
        "x = 'text for people'",
        "x = f'text {a}'",
        "x = f'word{a}' + b",
        "import a",
        "assert a",
        "def f(a: 'word') -> 'word': pass",
        "@decorated(1)\ndef f(): pass",
        "type T = a | b",
        "__slots__ = ('a',)",
        "x = cast('T', a)",
        "if TYPE_CHECKING:\n  x = 1",
        "def f():\n  return None",
        "if __name__ == '__main__':\n  main()",
    ],
)
def test_text_types_and_imports_are_left_alone(tmp_path: Path, source: str) -> None:
    assert mutants(tmp_path, source) == []


def test_a_mutant_is_named_by_its_function_and_text_and_keeps_the_name_when_lines_move(tmp_path: Path) -> None:
    source = "class C:\n    def f(self):\n        return self.a\n"
    (mutant,) = mutants(tmp_path, source)
    (moved,) = mutants(tmp_path, "# more lines\n\n" + source)

    assert mutant.key == moved.key == Key("sample", "C.f", "return self.a", "return None")
    assert (list(mutant.lines), list(moved.lines)) == ([3], [5])


def test_equal_changes_of_a_function_have_different_names(tmp_path: Path) -> None:
    found = mutants(tmp_path, "def f():\n    g()\n    g()\n")
    assert [mutant.key.occurrence for mutant in found] == [1, 2]


def test_a_long_statement_is_named_by_the_text_around_the_change(tmp_path: Path) -> None:
    (mutant,) = mutants(tmp_path, f"x = [{'a, ' * 50}not b{', c' * 50}]")
    assert mutant.key.original.startswith("…")
    assert mutant.key.original.endswith("…")
    assert "not b" in mutant.key.original
    assert len(mutant.key.original) < 100


def test_the_compiled_mutant_has_the_one_change(tmp_path: Path) -> None:
    source = "def f():\n    return [1, 1]\n"
    values = []
    for mutant in mutants(tmp_path, source):
        names: dict[str, object] = {}
        exec(mutant.code(), names)
        function = names["f"]
        assert callable(function)
        values.append(function())
    assert values == [None, [2, 1], [0, 1], [1, 2], [1, 0]]


def test_a_seed_always_chooses_the_same_mutants(tmp_path: Path) -> None:
    found = mutants(tmp_path, "x = 1\n" * 50)
    assert sample(found, 10, seed=1) == sample(found, 10, seed=1)
    assert sample(found, 10, seed=1) != sample(found, 10, seed=2)
    assert len(set(sample(found, 10, seed=1))) == 10
    assert set(sample(found, 10, seed=1)) < set(sample(found, 11, seed=1))
    assert sample(found, 0, seed=1) == found


def mutants(folder: Path, source: str) -> list[Mutant]:
    path = folder / "sample.py"
    path.write_text(source, encoding="utf-8")
    return mutants_of("sample", path)
