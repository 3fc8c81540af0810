"""Every relative link in the docs leads to a file that exists and, with a `#`, to one of its headings."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from tenantgate_cli.paths import ROOT
from tests.unit.docs.test_commands import PAGES

FENCED = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^)\s]+)\)")


def broken(page: Path) -> list[str]:
    """Return the targets of the page's relative links that lead nowhere."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    targets = [target for target in LINK.findall(text) if not re.match(r"[a-z]+:", target)]
    return [target for target in targets if not _leads_somewhere(page, target)]


def _leads_somewhere(page: Path, target: str) -> bool:
    path, _, anchor = unquote(target).partition("#")
    file = page.parent / path if path else page
    if not file.exists():
        return False
    return not anchor or (file.suffix == ".md" and anchor in anchors(file))


def anchors(page: Path) -> set[str]:
    """Return GitHub's anchors of the page's headings."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.+?) *$", FENCED.sub("", page.read_text(encoding="utf-8")), re.MULTILINE):
        shown = LINK.sub(lambda link: link[0][1:].partition("](")[0], heading)
        base = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        number = 0
        while (anchor := f"{base}-{number}" if number else base) in found:
            number += 1
        found.add(anchor)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_the_links_of_a_page_lead_somewhere(page: str) -> None:
    assert broken(ROOT / page) == []


@pytest.mark.parametrize(
    ("link", "is_broken"),
    [
        ("[x](other.md)", False),
        ("[x](other.md#two-words)", False),
        ("[x](other.md#two-words-1)", False),
        ("[x](#here-1)", True),
        ("[x](missing.md)", True),
        ("[x](other.md#missing)", True),
        ("[a [b] c](missing.md)", True),
        ("[x](https://example.com/missing)", False),
        ("```\n[x](missing.md)\n```", False),
    ],
)
def test_finds_what_leads_nowhere(link: str, *, is_broken: bool, tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# Two words\n\n## Two `words`\n")
    (tmp_path / "page.md").write_text(f"# Here\n\n{link}\n")

    assert bool(broken(tmp_path / "page.md")) is is_broken
