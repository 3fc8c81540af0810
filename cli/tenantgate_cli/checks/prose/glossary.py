"""Patterns of words to avoid, what to write instead, and the exceptions that are allowed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from tenantgate_cli.checks.prose.passages import Passage

HERE = Path(__file__).parent


class Word(NamedTuple):
    """An expression to avoid, and the suggestion `say`.

    `opens`: only at the beginning of such a text; `kinds`: only in passages of these kinds (empty: in all).
    """

    name: str
    pattern: re.Pattern[str]
    say: str
    opens: frozenset[str]
    kinds: frozenset[str]

    def found_in(self, passage: Passage) -> Iterator[re.Match[str]]:
        """Yield the matches in a passage."""
        if self.kinds and passage.kind not in self.kinds:
            return
        if not self.opens:
            yield from self.pattern.finditer(passage.text)
        elif passage.opens in self.opens and (found := self.pattern.match(passage.text)):
            yield found


class Exemption(NamedTuple):
    """An exception: the word `name` in files that match the glob `path`, in text that `text` matches."""

    name: str
    path: str
    text: re.Pattern[str]
    reason: str

    def covers(self, finding: Finding) -> bool:
        return (
            self.name in {finding.word.name, "*"}
            and PurePosixPath(finding.path).full_match(self.path)
            and self.text.search(finding.context) is not None
        )


class Finding(NamedTuple):
    """A word to avoid and its place; `context` is the text around it."""

    path: str
    line: int
    word: Word
    match: str
    context: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.match} → {self.word.say}: {self.context}"


def load_words(path: Path = HERE / "words.toml") -> list[Word]:
    """Read the patterns. Each also has a `hit` and a `miss`, which the tests run."""
    return [
        Word(
            entry["name"],
            re.compile(entry["pattern"], re.IGNORECASE),
            entry["say"],
            frozenset(entry.get("opens", ())),
            frozenset(entry.get("kinds", ())),
        )
        for entry in tomllib.loads(path.read_text(encoding="utf-8"))["word"]
    ]


def load_exemptions(path: Path = HERE / "allowed.toml") -> list[Exemption]:
    """Read the allow-list."""
    return [
        Exemption(entry["word"], entry["path"], re.compile(entry.get("text", ""), re.IGNORECASE), entry["reason"])
        for entry in tomllib.loads(path.read_text(encoding="utf-8")).get("allow", ())
    ]


def findings_in(path: str, passages: Sequence[Passage], words: Sequence[Word]) -> list[Finding]:
    """Return every finding of a file in the order of its lines."""
    findings = [
        Finding(
            path,
            passage.line_at(found.start()),
            word,
            passage.shown[found.start() : found.end()],
            _context(passage.shown, found),
        )
        for passage in passages
        for word in words
        for found in word.found_in(passage)
    ]
    return sorted(findings, key=lambda finding: finding.line)


def _context(text: str, found: re.Match[str]) -> str:
    start, end = max(0, found.start() - 40), found.end() + 60
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"
