"""Decision records have the form that docs/decisions/README.md shows, and name checks that exist."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "docs" / "decisions"
RECORDS = sorted(path for path in FOLDER.iterdir() if path.name != "README.md")
NUMBERS = [path.name[:4] for path in RECORDS]
SECTIONS = ["Context", "Decision", "Consequences", "Alternatives", "Enforced by"]
HEAD = re.compile(r"# (?P<number>\d{4})\. (?P<title>\S.*)\n\nStatus: (?P<status>.*)\nDate: (?P<date>.*)\n\n## ")
STATUS = re.compile(r"Accepted|Superseded by (\d{4})")
MOST_WORDS = 600
# Folders of the project that a record can name files in; the others are made by tools.
SOURCES = [path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".") and path.name != "dist"]
CONTRACTS = {
    contract["id"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
}
TARGETS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def problems(name: str, text: str) -> list[str]:
    """Everything that is wrong with the record `text` in the file `name`, each with its remedy."""
    if not re.fullmatch(r"\d{4}-[a-z0-9]+(-[a-z0-9]+)*\.md", name):
        return [f"rename {name} to NNNN-words-in-lower-case.md"]
    head = HEAD.match(text)
    if head is None:
        return [f'{name} must begin with "# {name[:4]}. Title", a blank line, "Status: …", "Date: …", "## Context"']
    found = []
    if head["number"] != name[:4]:
        found.append(f"the title has the number {head['number']}, the file name {name[:4]}")
    status = STATUS.fullmatch(head["status"])
    if status is None:
        found.append(f'the status must be "Accepted" or "Superseded by NNNN", not "{head["status"]}"')
    elif status[1] is not None and (status[1] not in NUMBERS or status[1] <= name[:4]):
        found.append(f"{status[1]} is not a later record")
    if not _is_date(head["date"]):
        found.append(f'the date must be written as 2026-01-31, not "{head["date"]}"')
    sections = sections_of(text)
    if list(sections) != SECTIONS:
        found.append(f"the sections must be {', '.join(SECTIONS)}, in this order; found: {', '.join(sections)}")
    found += [f'the section "{title}" is empty' for title, body in sections.items() if not body]
    if len(text.split()) > MOST_WORDS:
        found.append(f"{len(text.split())} words; about half a page is expected, and at most {MOST_WORDS} are allowed")
    # A superseded record may name deleted files.
    if head["status"] == "Accepted":
        found += unknown_references(sections)
    found += [f"the link to {link} is broken" for link in _links(text) if not (FOLDER / link).exists()]
    return found


def sections_of(text: str) -> dict[str, str]:
    """The bodies of the sections by their titles, in order."""
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)[1:]
    return {title: body.strip() for title, body in zip(parts[::2], parts[1::2], strict=True)}


def unknown_references(sections: dict[str, str]) -> Iterator[str]:
    """Report references to missing things under "Enforced by" and, for paths of the project, under "Decision"."""
    enforced = sections.get("Enforced by", "")
    checks = [span for span in _code_spans(enforced) if _is_check(span)]
    if enforced and not checks and enforced.rstrip(".") != "Review":
        yield '"Enforced by" must name a test, contract or command in backticks, or say only "Review"'
    for check in checks:
        yield from _unknown_check(check)
    for paragraph in re.split(r"\n\n|\n(?=- )", enforced):
        if "`pyproject.toml` contract" in paragraph:
            yield from _unknown_contracts(re.findall(r'"([^"]*)"', paragraph))
    folders = {folder.name for folder in SOURCES}
    for span in _code_spans(sections.get("Decision", "")):
        folder, slash, _ = span.partition("/")
        if slash and folder in folders:
            yield from _unknown_path(span)


def _is_check(span: str) -> bool:
    is_path = "/" in span or re.search(r"\.\w+(::|$)", span) is not None
    return is_path or span.startswith(("make ", "python -m "))


def _unknown_check(span: str) -> Iterator[str]:
    if span.startswith("make "):
        if span.split()[1] not in TARGETS:
            yield f"the Makefile has no target `{span.split()[1]}`"
    elif span.startswith("python -m "):
        module = ROOT.joinpath(*span.split()[2].split("."))
        if not (module.with_suffix(".py").is_file() or (module / "__main__.py").is_file()):
            yield f"`{span}` names no module"
    else:
        yield from _unknown_path(span)


def _unknown_contracts(ids: list[str]) -> Iterator[str]:
    if not ids:
        yield 'write the id of the contract in quotes: `pyproject.toml` contract "floors"'
    for unknown in set(ids) - CONTRACTS:
        yield f'pyproject.toml has no contract "{unknown}"; it has {", ".join(sorted(CONTRACTS))}'


def _unknown_path(reference: str) -> Iterator[str]:
    path, *names = reference.split("::")
    target = ROOT / path
    if not _is_there(target):
        found = [str(place.relative_to(ROOT)) for folder in SOURCES for place in folder.rglob(target.name)]
        yield f"`{path}` does not exist" + _perhaps(found)
        return
    for name in names:
        definition = re.compile(rf"^\s*(?:(?:async )?def|class) {re.escape(name)}\b", re.MULTILINE)
        if not (target.is_file() and definition.search(target.read_text(encoding="utf-8"))):
            tests = (ROOT / "tests").rglob("test_*.py")
            found = [str(place.relative_to(ROOT)) for place in tests if definition.search(place.read_text("utf-8"))]
            yield f"`{path}` has no `{name}`" + _perhaps(found)


def _is_there(path: Path) -> bool:
    # A folder that moved may leave its bytecode behind.
    files = path.rglob("*") if path.is_dir() else [path]
    return any(file.is_file() and "__pycache__" not in file.parts for file in files)


def _perhaps(found: list[str]) -> str:
    return f"; moved to {' or '.join(found)}?" if found else "; name the check that enforces the decision now"


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _code_spans(text: str) -> list[str]:
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)]


def _links(text: str) -> list[str]:
    return [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_has_the_form(path: Path) -> None:
    assert problems(path.name, path.read_text(encoding="utf-8")) == []


def test_the_sequence_has_no_gap() -> None:
    expected = [f"{number:04}" for number in range(1, len(RECORDS) + 1)]

    assert expected == NUMBERS, f"number the records from 0001 to {expected[-1]}, each once"


def test_the_index_lists_every_record() -> None:
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\[\d{4}\]\([^)]*\) \| .+? \| .+?) \| \S.* \|$", index, re.MULTILINE)
    expected = []
    for path in RECORDS:
        head = HEAD.match(path.read_text(encoding="utf-8"))
        assert head is not None, path.name
        expected.append(f"[{head['number']}]({path.name}) | {head['title']} | {head['status']}")

    assert rows == expected, "docs/decisions/README.md needs one row for each record: | " + " | … |\n| ".join(expected)


def test_the_index_shows_the_form() -> None:
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    (template,) = re.findall(r"```markdown\n(.*?)```", index, re.DOTALL)

    assert problems("0001-title.md", template.replace("NNNN", "0001", 1)) == []


def test_references_to_records_lead_to_one() -> None:
    sources = [path for folder in SOURCES for path in folder.rglob("*") if "node_modules" not in path.parts]
    broken = []
    for path in (*sources, *ROOT.glob("*")):
        if path.suffix not in {".md", ".py", ".toml", ".yaml"} and path.name != "Makefile":
            continue
        text = path.read_text(encoding="utf-8")
        broken += [
            f"{path.relative_to(ROOT)}: {record}"
            for record in re.findall(r"\bdecisions/(\d[\w.-]*)", text)
            if not (FOLDER / record).is_file()
        ]
        broken += [
            f"{path.relative_to(ROOT)}: {number}"
            for number in re.findall(r"\b[Dd]ecisions? (\d{3,})\b", text)
            if number not in NUMBERS
        ]

    assert broken == []


GOOD = """# 0007. Do one thing

Status: Accepted
Date: 2026-01-31

## Context

A problem.

## Decision

A choice in `tests/conftest.py`, for `/orders/{id}`.

## Consequences

A price.

## Alternatives

- Another one: worse.

## Enforced by

- `tests/unit/docs/test_decisions.py::test_the_sequence_has_no_gap`, `tests/unit/docs/` and `make check`
- `pyproject.toml` contract "lean": no more libraries than `cryptography`.
"""


def test_a_good_record_has_no_problem() -> None:
    assert problems("0007-one-thing.md", GOOD) == []
    assert problems("0007-one-thing.md", GOOD.partition("- `tests")[0] + "Review\n") == []


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("# 0007.", "# 0008.", "the title has the number 0008"),
        ("# 0007. Do", "# 7: Do", "must begin with"),
        ("Status: Accepted\n", "", "must begin with"),
        ("Accepted", "accepted", "the status must be"),
        ("Accepted", "Superseded by 9999", "9999 is not a later record"),
        ("Accepted", "Superseded by 0001", "0001 is not a later record"),
        ("2026-01-31", "2026-02-31", "the date must be written as"),
        ("2026-01-31", "20260131", "the date must be written as"),
        ("## Alternatives\n\n- Another one: worse.\n\n", "", "the sections must be"),
        ("## Context", "## Why", "the sections must be"),
        ("A price.\n", "", 'the section "Consequences" is empty'),
        ("A price.", "word " * MOST_WORDS, "words"),
        ("tests/conftest.py", "tests/gone/conftest.py", "`tests/gone/conftest.py` does not exist; moved to tests/"),
        ("unit/docs/test_decisions.py", "unit/test_decisions.py", "moved to tests/unit/docs/test_decisions.py?"),
        ("test_the_sequence", "test_the_missing_sequence", "has no `test_the_missing_sequence_has_no_gap`; name"),
        ("test_decisions.py::", "test_generated.py::", "moved to tests/unit/docs/test_decisions.py?"),
        ("make check", "make coffee", "the Makefile has no target `coffee`"),
        ("make check", "python -m benchmarks.coffee", "`python -m benchmarks.coffee` names no module"),
        ('"lean"', '"leaner"', 'pyproject.toml has no contract "leaner"'),
        (' "lean"', "", "write the id of the contract in quotes"),
        (GOOD[GOOD.index("- `tests") :], "Careful people.\n", "must name a test, contract or command"),
        ("A problem.", "See [the other one](0000-missing.md).", "the link to 0000-missing.md is broken"),
    ],
)
def test_a_record_of_another_form_is_refused(before: str, after: str, problem: str) -> None:
    assert before in GOOD
    found = problems("0007-one-thing.md", GOOD.replace(before, after))

    assert len(found) == 1
    assert problem in found[0]


@pytest.mark.parametrize("name", ["7-one-thing.md", "0007_one_thing.md", "0007-One-Thing.md", "0007.md", "notes.txt"])
def test_a_file_of_another_name_is_refused(name: str) -> None:
    assert problems(name, GOOD) == [f"rename {name} to NNNN-words-in-lower-case.md"]
