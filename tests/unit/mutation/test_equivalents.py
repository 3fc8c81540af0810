"""The list of mutants that no test can kill, and the table of a run."""

from pathlib import Path

import pytest

from mutation import equivalents, table
from mutation.judge import Verdict
from mutation.mutants import Key, Mutant, mutants_of

KNOWN = Key("sample", "f", "return a < b", "return a <= b")
ENTRY = """
[[mutant]]
module = "sample"
function = "f"
original = "return a < b"
mutated = "return a <= b"
reason = "a and b are never equal"
"""


def listed(tmp_path: Path, text: str) -> dict[Key, str]:
    file = tmp_path / "equivalents.toml"
    file.write_text(text, encoding="utf-8")
    return equivalents.read(file)


def test_an_entry_is_read_with_its_reason(tmp_path: Path) -> None:
    assert listed(tmp_path, ENTRY) == {KNOWN: "a and b are never equal"}


@pytest.mark.parametrize(
    "text", [ENTRY + ENTRY, ENTRY.replace("a and b are never equal", " ")], ids=["twice", "without-a-reason"]
)
def test_an_entry_without_a_reason_or_given_twice_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"reason|second"):
        listed(tmp_path, text)


def test_an_entry_that_names_no_mutant_any_longer_is_reported(tmp_path: Path) -> None:
    reasons = listed(tmp_path, ENTRY)
    path = tmp_path / "sample.py"
    path.write_text("def f(a, b):\n    return a < b\n", encoding="utf-8")
    assert equivalents.stale(reasons, (mutant.key for mutant in mutants_of("sample", path)), ["sample"]) == []
    path.write_text("def f(a, b):\n    return a > b\n", encoding="utf-8")
    assert equivalents.stale(reasons, (mutant.key for mutant in mutants_of("sample", path)), ["sample"]) == [KNOWN]
    # A run of other modules says nothing about it.
    assert equivalents.stale(reasons, [], ["other"]) == []


def test_equivalent_mutants_count_neither_for_nor_against_the_score() -> None:
    verdicts = [verdict(KNOWN, killed=False), *(verdict(KNOWN._replace(occurrence=n), killed=n < 4) for n in (2, 3, 4))]
    row, total = table.rows({"sample": 9}, verdicts, {KNOWN})

    assert row == ("sample", 9, 4, 2, 1)
    assert (row.survived, round(row.score, 1)) == (1, 66.7)
    assert total == ("**all**", 9, 4, 2, 1)
    assert [found.mutant.key.occurrence for found in table.survivors(verdicts, {KNOWN})] == [4]


def test_the_table_takes_the_place_of_the_last_one(tmp_path: Path) -> None:
    document = tmp_path / "README.md"
    document.write_text("before\n<!-- begin run -->\nold\n<!-- end run -->\nafter\n", encoding="utf-8")
    table.write("new\n", document)
    assert document.read_text(encoding="utf-8") == "before\n<!-- begin run -->\nnew\n<!-- end run -->\nafter\n"
    document.write_text("no marks", encoding="utf-8")
    with pytest.raises(ValueError, match="marks"):
        table.write("new\n", document)


def verdict(key: Key, *, killed: bool) -> Verdict:
    return Verdict(Mutant(key, Path("sample.py"), range(1), 0), killed, "", 0.0)
