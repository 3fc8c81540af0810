"""The variants of the cold-start benchmark: each technique must still be there to be taken out."""

from pathlib import Path

import pytest

from benchmarks.cold_start_gains import TECHNIQUES, Edit, Gain, table

ROOT = Path(__file__).parents[3]
EDITS = [edit for technique in TECHNIQUES for edit in technique.edits]


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.module)
def test_the_line_to_take_out_exists_once(edit: Edit) -> None:
    folder = ROOT / "layers" / "shared" if edit.module.startswith("tenantgate.") else ROOT
    source = folder.joinpath(*edit.module.split(".")).with_suffix(".py").read_text(encoding="utf-8")

    assert source.count(edit.old) == 1


def test_every_module_of_the_package_is_measured() -> None:
    package = ROOT / "layers" / "shared" / "tenantgate" / "cold_start"
    modules = {path.stem for path in package.glob("*.py")} - {"__init__"}
    edited = {edit.module.rpartition(".")[2] for edit in EDITS}
    removed = {name.partition(".")[0] for technique in TECHNIQUES for name in technique.removed}

    # `late_typing` is taken out where the handler calls it.
    assert modules == edited - {"handler"} | removed | {"late_typing"}


def test_the_table_has_a_line_for_each_gain() -> None:
    [_, _, line] = table([Gain("a technique", "AuthorizerFunction", 1.25, 2.0, 50.4)]).splitlines()

    assert line == "| a technique | authorizer: an accepted token | 1.2 | 2.0 | 50 |"
