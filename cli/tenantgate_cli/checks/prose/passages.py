"""Extract the English of a file: docstrings, comments, messages, names and paragraphs, each with its lines.

Code is masked: text between backticks, URLs, tags and placeholders become filler that no pattern matches.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePath
from typing import NamedTuple

FILLER = "¤"
_CODE = re.compile(
    r"(`+)(?!`).+?(?<!`)\1(?!`)|\b\w+://\S+|\{\{.*?\}\}|\{%.*?%\}|</?[a-z][^<>]*>|<!--.*?-->|\]\([^()\s]*\)"
)
_DIRECTIVE = re.compile(r"\b(noqa|type: ?ignore|fmt|pragma|mypy|nosec)(:\s?[A-Za-z0-9, ]*|\[[^\]]*\])?")
_WORDS_OF_A_NAME = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|GRANT|REVOKE|WITH|SET)\b")
_FENCE = re.compile(r"\s*(```|~~~)")
# A list item, a heading, a table row or a quotation begins a new paragraph.
_BLOCK = re.compile(r"\s*([-*+]\s|\d+[.)]\s|#{1,6}\s|\||>)")
_GENERATED = re.compile(r"<!-- (?:begin (?P<block>[\w-]+)|(?P<table>[\w-]+): written by .*?) -->")
_GENERATED_PAGE = "<!-- Written by `make docs`"


class Passage(NamedTuple):
    """Text that reads as one piece.

    `opens` is `module`, `class`, `function`, `comment` or `message` if the text begins one, otherwise empty. `text` is
    `shown` with its code masked. `offsets` are the positions in both at which the lines `numbers` begin.
    """

    kind: str
    opens: str
    text: str
    shown: str
    offsets: tuple[int, ...]
    numbers: tuple[int, ...]

    def line_at(self, position: int) -> int:
        return self.numbers[bisect_right(self.offsets, position) - 1]


def passages(path: PurePath, source: str) -> list[Passage]:
    """Return the passages of a file; the reader is chosen by its name."""
    if path.suffix != ".py" and _GENERATED_PAGE in source:
        return []
    found = list(_reader(path)(source))
    if path.suffix in {".py", ".md"}:
        found.append(_name(path.stem, 1))
    return found


def _reader(path: PurePath) -> Callable[[str], Iterable[Passage]]:
    return {".py": _python, ".md": _markdown, ".html": _template}.get(path.suffix, _plain)


def _passage(kind: str, opens: str, lines: Iterable[tuple[int, str]]) -> Passage | None:
    text, offsets, numbers = "", [], []
    for number, line in lines:
        words = " ".join(line.split())
        if words:
            text += " " if text else ""
            offsets.append(len(text))
            numbers.append(number)
            text += words
    return Passage(kind, opens, _masked(text), text, tuple(offsets), tuple(numbers)) if text else None


def _masked(text: str) -> str:
    return _CODE.sub(lambda found: FILLER * len(found[0]), text)


def _paragraphs(kind: str, opens: str, start: int, text: str) -> Iterator[Passage]:
    """Split text at blank lines; only the first paragraph opens anything."""
    block: list[tuple[int, str]] = []
    for number, line in enumerate([*text.split("\n"), ""], start):
        if line.strip():
            block.append((number, line))
        elif (passage := _passage(kind, opens, block)) is not None:
            yield passage
            block, opens = [], ""


def _python(source: str) -> Iterator[Passage]:
    tree = ast.parse(source)
    docstrings: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if ast.get_docstring(node, clean=False) is not None:
                statement = node.body[0]
                assert isinstance(statement, ast.Expr)  # noqa: S101  (it has a docstring)
                assert isinstance(statement.value, ast.Constant)  # noqa: S101
                docstrings.add(id(statement.value))
                yield from _paragraphs("docstring", _opens(node), statement.lineno, str(statement.value.value))
            if not isinstance(node, ast.Module):
                yield _name(node.name, node.lineno)
        elif isinstance(node, ast.arg):
            yield _name(node.arg, node.lineno)
        elif isinstance(node, ast.keyword) and node.arg == "id" and isinstance(node.value, ast.Constant):
            yield _name(str(node.value.value), node.value.lineno)
    yield from _messages(tree, docstrings)
    yield from _comments(source)


def _opens(node: ast.AST) -> str:
    return {"Module": "module", "ClassDef": "class"}.get(type(node).__name__, "function")


def _name(name: str, line: int) -> Passage:
    words = " ".join(_WORDS_OF_A_NAME.findall(name)).lower()
    return Passage("name", "", words, words, (0,), (line,))


def _messages(tree: ast.Module, docstrings: set[int]) -> Iterator[Passage]:
    pieces: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            pieces.update(id(value) for value in node.values)
            text = "".join(str(v.value) if isinstance(v, ast.Constant) else FILLER for v in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in pieces | docstrings:
            text = node.value
        else:
            continue
        if len(text.split()) > 2 and not _SQL.match(text):
            yield from _paragraphs("message", "message", node.lineno, text)


def _comments(source: str) -> Iterator[Passage]:
    block: list[tuple[int, str]] = []
    last = (0, -1)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT or token.string.startswith("#!"):
            continue
        text = _DIRECTIVE.sub("", token.string.lstrip("# "))
        alone = not token.line[: token.start[1]].strip()
        if not (alone and token.start == (last[0] + 1, last[1])):
            yield from _comment(block)
            block = []
        block.append((token.start[0], text))
        last = token.start if alone else (0, -1)
    yield from _comment(block)


def _comment(block: list[tuple[int, str]]) -> Iterator[Passage]:
    if block:
        yield from _paragraphs("comment", "comment", block[0][0], "\n".join(text for _, text in block))


def _markdown(source: str) -> Iterator[Passage]:
    """Yield paragraphs, and the comments of fenced blocks; generated tables come from code and are left out."""
    prose: list[str] = []
    fenced = until = ""
    for number, line in enumerate(source.split("\n"), 1):
        if until:
            until = "" if until in line else until
            prose.append("")
        elif found := _GENERATED.search(line):
            until = f"<!-- end {found['block']} -->" if found["block"] else f"<!-- /{found['table']} -->"
            prose.append("")
        elif fence := _FENCE.match(line):
            fenced = "" if fenced else fence[1]
            prose.append("")
        elif fenced:
            prose.append("")
            if (comment := re.search(r"(?:^|\s)#\s(.*)", line)) is not None:
                yield from _paragraphs("comment", "", number, comment[1])
        else:
            prose.append(line)
    block: list[tuple[int, str]] = []
    for number, line in enumerate([*prose, ""], 1):
        heading = re.match(r"#{1,6}\s", line)
        if block and (not line.strip() or _BLOCK.match(line) or re.match(r"#{1,6}\s", block[-1][1])):
            yield from filter(None, [_passage(_markdown_kind(block[0][1]), "", block)])
            block = []
        if line.strip():
            block.append((number, line if heading else _BLOCK.sub("", line)))


def _markdown_kind(first: str) -> str:
    return "heading" if first.startswith("#") else "prose"


def _template(source: str) -> Iterator[Passage]:
    return _paragraphs("prose", "", 1, source)


def _plain(source: str) -> Iterator[Passage]:
    """Yield the lines of TOML, YAML, Makefiles, scripts and the like: blocks of comments apart from everything else."""
    block: list[tuple[int, str]] = []
    was_comment = False
    for number, line in enumerate([*source.split("\n"), ""], 1):
        found = re.match(r"\s*(#|//|\*|/\*+)\s?", line)
        if block and (not line.strip() or bool(found) is not was_comment):
            opens = "comment" if was_comment else ""
            yield from filter(None, [_passage("comment" if was_comment else "prose", opens, block)])
            block = []
        was_comment = bool(found)
        if line.strip() and not line.startswith("#!"):
            block.append((number, line[found.end() :] if found else line))
