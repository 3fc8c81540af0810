"""The plain-English check: its patterns, what it reads of each kind of file, and its allow-list."""

from __future__ import annotations

import re
import textwrap
import tomllib
from pathlib import Path, PurePath

import pytest

from tenantgate_cli.checks.prose.__main__ import check, main
from tenantgate_cli.checks.prose.glossary import HERE, Exemption, Word, load_exemptions, load_words
from tenantgate_cli.checks.prose.passages import FILLER, Passage, passages

ROOT = Path(__file__).parents[4]
WORDS = {word.name: word for word in load_words()}
EXAMPLES = tomllib.loads((HERE / "words.toml").read_text(encoding="utf-8"))["word"]
MEND = Word("mend", re.compile(r"\bmend", re.IGNORECASE), "fix", frozenset(), frozenset())


def example(entry: dict[str, object], which: str) -> Passage:
    """Return the example `hit` or `miss` of a word as the passage that its pattern is for."""
    opens, kinds = entry.get("opens", [""]), entry.get("kinds", ["docstring"])
    assert isinstance(opens, list)
    assert isinstance(kinds, list)
    text = re.sub("`[^`]*`", lambda found: FILLER * len(found[0]), str(entry[which]))
    return Passage(kinds[0], opens[0], text, text, (0,), (1,))


@pytest.mark.parametrize("entry", EXAMPLES, ids=lambda entry: entry["name"])
def test_a_pattern_finds_its_hit_and_not_its_near_miss(entry: dict[str, object]) -> None:
    word = WORDS[str(entry["name"])]
    assert list(word.found_in(example(entry, "hit")))
    assert not list(word.found_in(example(entry, "miss")))


def test_every_word_has_a_name_of_its_own_and_a_suggestion() -> None:
    assert len(WORDS) == len(EXAMPLES)
    assert all(word.say for word in WORDS.values())


def shown(name: str, source: str) -> list[str]:
    return [
        f"{passage.kind} {passage.opens}".strip() + f": {passage.text}" for passage in passages(PurePath(name), source)
    ]


def test_python_gives_docstrings_comments_messages_and_names() -> None:
    source = textwrap.dedent('''\
        """A module.

        More of it.
        """
        # One comment
        # of two lines.
        class HTTPThing:  # noqa: N801  (beside code)
            def find_it(self, some_arg: int) -> None:
                """Find `code` at https://example.com now."""
                log(f"the key {some_arg} is late", "short text")
                pytest.param(1, id="another-tenants-key")
                run("SELECT id FROM table WHERE id = 1")
        ''')
    assert sorted(shown("thing.py", source)) == sorted([
        "docstring module: A module.",
        "docstring: More of it.",
        "comment comment: One comment of two lines.",
        "comment comment: (beside code)",
        "name: http thing",
        "name: find it",
        "name: self",
        "name: some arg",
        f"docstring function: Find {FILLER * 6} at {FILLER * 19} now.",
        f"message message: the key {FILLER} is late",
        "name: another tenants key",
        "name: thing",
    ])  # fmt: skip


def test_markdown_gives_paragraphs_without_code_and_generated_tables() -> None:
    source = textwrap.dedent("""\
        # A heading
        Text with `code`
        over two lines.
        - an item
        - another [link](docs/mend.md)
        ```sh
        mend everything   # why it runs
        ```
        <!-- begin figures -->
        mend
        <!-- end figures -->
        <!-- table: written by `make docs` -->
        mend
        <!-- /table -->
        The end.
        """)
    assert shown("page.md", source) == [
        "comment: why it runs",
        "heading: # A heading",
        f"prose: Text with {FILLER * 6} over two lines.",
        "prose: an item",
        f"prose: another [link{FILLER * 15}",
        "prose: The end.",
        "name: page",
    ]


def test_a_generated_page_is_left_to_the_code_that_it_comes_from() -> None:
    assert passages(PurePath("page.md"), "<!-- Written by `make docs` from x.py -->\nmend\n") == []


def test_other_files_give_comments_apart_from_the_rest() -> None:
    assert shown("Makefile", "# One\n# two\nrun: ## Do it\n\n  other\n") == [
        "comment comment: One two",
        "prose: run: ## Do it",
        "prose: other",
    ]


def test_a_template_gives_its_text_without_tags_and_placeholders() -> None:
    (passage,) = passages(PurePath("page.html"), '<p class="mend">Hello {{ mend }} and bye</p>\n')
    assert re.sub(f"{FILLER}+", "·", passage.text) == "·Hello · and bye·"


def test_a_finding_names_the_line_of_the_word(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("One line,\nthen\nmend it.\n")
    findings, _ = check(tmp_path, [tmp_path], [MEND], [])
    assert [str(finding) for finding in findings] == ["page.md:3: mend → fix: One line, then mend it."]


@pytest.mark.parametrize(
    ("exemption", "covers"),
    [
        (Exemption("mend", "docs/**", re.compile(""), "a reason"), True),
        (Exemption("*", "docs/page.md", re.compile("a quotation"), "a reason"), True),
        (Exemption("mend", "docs/*/page.md", re.compile(""), "a reason"), False),
        (Exemption("mend", "docs/**", re.compile("another text"), "a reason"), False),
        (Exemption("anew", "docs/**", re.compile(""), "a reason"), False),
    ],
)
def test_an_exemption_covers_its_word_in_its_paths_and_text_or_is_stale(
    tmp_path: Path, exemption: Exemption, *, covers: bool
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text("Mend it: a quotation.\n")
    findings, stale = check(tmp_path, [tmp_path], [MEND], [exemption])
    assert (findings == [], stale == []) == (covers, covers)


def test_every_exemption_states_its_reason() -> None:
    assert all(exemption.reason for exemption in load_exemptions())


@pytest.mark.parametrize(
    "name",
    ["CHANGELOG.md", "docs/fuzzing/LOG.md", ".venv/page.md", "node_modules/x/page.md", "data.json", "__pycache__/x.py"],
)
def test_leaves_out_history_installed_files_and_data(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("# mend\n")
    assert check(tmp_path, [tmp_path], [MEND], []) == ([], [])


def test_the_command_fails_on_a_finding_and_counts_with_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "page.md").write_text("Fix the cache.\n")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "page.md").write_text("Mend the cache.\n")
    assert main(["good"], tmp_path) == 0
    assert main(["bad"], tmp_path) == 1
    assert "bad/page.md:1: Mend → fix: Mend the cache." in capsys.readouterr().out
    assert main(["--report"], tmp_path) == 0
    assert "1 bad" in capsys.readouterr().out


def test_contributing_lists_words_that_the_check_finds() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = page.partition("## Plain English")[2].partition("\n## ")[0]
    avoided = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    words = [word for cell in avoided for word in re.findall("`([^`]+)`", cell)]
    assert len(words) > 20
    for text in words:
        passage = Passage("docstring", "function", text, text, (0,), (1,))
        assert any(True for word in WORDS.values() for _ in word.found_in(passage)), text
