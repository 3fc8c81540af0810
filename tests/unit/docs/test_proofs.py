"""The pages that name a test or a setting as proof: each of them exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tenantgate.settings.model import Settings
from tenantgate_cli.paths import ROOT
from tests.unit.docs.test_links import FENCED, LINK

PAGES = ("docs/SECURITY.md", "docs/HIPAA_READINESS.md")
_LABELED = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
_SETTING = re.compile(r"`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`")
_TEST = re.compile(r"`(test_\w+)`")


def problems(page: Path) -> Iterator[str]:
    """Yield what is wrong with a page's links to tests, and with the names of its settings."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    links = _LABELED.findall(text)
    for label, target in links:
        if not target.endswith(".py"):
            continue
        named = _TEST.fullmatch(label)
        if named is None:
            yield f"{target}: the link must name the test"
        elif named[1] not in functions(page.parent / target):
            yield f"{target} has no {named[1]}"
    known = {name.upper() for name in Settings.model_fields} | secrets() | codes()
    for name in _SETTING.findall(text):
        if name not in known:
            yield f"{name} isn't in CONFIGURATION.md"
    linked = {label for label, _ in links}
    yield from (f"{name} has no link" for name in _TEST.findall(text) if f"`{name}`" not in linked)


def functions(path: Path) -> set[str]:
    """Return the names of the functions of a test module; none if there is no such file."""
    if not path.is_file():
        return set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def secrets() -> set[str]:
    return set(re.findall(r"^\| `([A-Z_]+)` \|", _page("docs/CONFIGURATION.md"), re.MULTILINE))


def codes() -> set[str]:
    """Return the error codes and the event types."""
    from tenantgate.audit.types import EVENT_TYPES  # noqa: PLC0415

    return {*re.findall(r"^## ([A-Z]+_\d+)$", _page("docs/ERROR_CODES.md"), re.MULTILINE), *EVENT_TYPES}


def _page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_each_line_has_a_state_and_a_link_unless_it_is_yours() -> None:
    rows = [line.split(" | ") for line in _page("docs/HIPAA_READINESS.md").splitlines() if line.startswith("| ")]
    lines = [row for row in rows if row[0].startswith(("| (", "| 1", "| 2", "| 3", "| 5"))]
    assert len(lines) > 50
    for row in lines:
        (state,) = (cell for cell in row if cell in ("done", "partly", "yours"))
        proof = row[-1]
        # A line below has the proof, or one above that this one names.
        is_linked = _LABELED.search(proof) or proof.startswith(("see the next", "As (a)", "The audit", "Changes of"))
        assert state == "yours" or is_linked, row[0]


# (standard, specification) of 45 CFR 164.308 to 164.312, without (a)(2) of 164.310, which one line covers.
_LINES = """
(a)(1) (a)(2)(i) (a)(2)(ii) (a)(2)(iii) (a)(2)(iv) (b) (c)(1) (c)(2) (d) (e)(1) (e)(2)(i) (e)(2)(ii)
(a)(1)(ii)(A) (a)(1)(ii)(B) (a)(1)(ii)(C) (a)(1)(ii)(D) (a)(2) (a)(3)(ii)(A) (a)(3)(ii)(B) (a)(3)(ii)(C) (a)(4)(ii)(A)
(a)(4)(ii)(B) (a)(4)(ii)(C) (a)(5)(ii)(A) (a)(5)(ii)(B) (a)(5)(ii)(C) (a)(5)(ii)(D) (a)(6)(ii) (a)(7)(ii)(A)
(a)(7)(ii)(B) (a)(7)(ii)(C) (a)(7)(ii)(D) (a)(7)(ii)(E) (a)(8) (b)(1)
(a)(1) (b) (c) (d)(2)(i) (d)(2)(ii) (d)(2)(iii) (d)(2)(iv)
"""


def test_no_line_of_the_safeguards_is_missing() -> None:
    found = re.findall(r"^\| (\([a-e]\)[()\dA-Eiv]*)", _page("docs/HIPAA_READINESS.md"), re.MULTILINE)
    assert found == _LINES.split()


@pytest.mark.parametrize("page", PAGES)
def test_each_test_and_setting_of_a_page_exists(page: str) -> None:
    assert [*problems(ROOT / page)] == []
    assert len(LINK.findall((ROOT / page).read_text(encoding="utf-8"))) > 20


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[`test_a`](test_x.py)", []),
        ("[`test_b`](test_x.py)", ["test_x.py has no test_b"]),
        ("[`test_a`](test_y.py)", ["test_y.py has no test_a"]),
        ("[a test](test_x.py)", ["test_x.py: the link must name the test"]),
        ("`test_a`", ["test_a has no link"]),
        ("`SESSION_IDLE_MINUTES`, `AUTH_005`, `KEY_ENCRYPTION_KEYS`, `AUTH_LOGOUT`", []),
        ("`SESSION_IDLE_HOURS`", ["SESSION_IDLE_HOURS isn't in CONFIGURATION.md"]),
    ],
)
def test_finds_a_proof_that_does_not_exist(text: str, found: list[str], tmp_path: Path) -> None:
    (tmp_path / "test_x.py").write_text("def test_a() -> None: ...\n")
    (tmp_path / "page.md").write_text(text)
    assert [*problems(tmp_path / "page.md")] == found
