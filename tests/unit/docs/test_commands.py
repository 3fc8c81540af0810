"""The command lines in the docs can be pasted: the path of `tenantgate`, its arguments, the targets of make."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tenantgate_cli.paths import ROOT
from tests.unit.tenantgate_cli.interface.test_help import parse

PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "mutation/*.md", "fuzz/*.md")
    for path in ROOT.glob(pattern)
    # History.
    if path.name != "CHANGELOG.md"
)
FENCED = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
SHELL = {"sh", "bash", "console", "shell", ""}
# `make shell` puts it on the PATH; other readers have only the path.
BARE = re.compile(r"(?<![\w./-])tenantgate +[a-z-]")
# In text, with the name of a command.
INLINE = re.compile(r"(?<!`)`(?:\.venv/bin/)?tenantgate ([a-z][^`\n]*)`(?!`)")
INLINE_MADE = re.compile(r"(?<!`)`make ([a-z-]+)")
CALLED = re.compile(r"\.venv/bin/tenantgate( [^|)#\n]*)")
MADE = re.compile(r"(?:^|[$;&] *)make ((?:[A-Z]+=\S+ +)*)([a-z-]+)", re.MULTILINE)
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def shell_blocks(text: str) -> Iterator[str]:
    for _, language, block in FENCED.findall(text):
        if language in SHELL:
            # A line that continues.
            yield block.replace("\\\n", " ")


def problems(text: str) -> list[str]:
    """Return the command lines of a page that can't be called as they are written."""
    found = []
    for block in shell_blocks(text):
        found += [line.strip() for line in block.splitlines() if BARE.search(line)]
        found += [f"make {target}" for _, target in MADE.findall(block) if target not in TARGETS]
        for arguments in CALLED.findall(block):
            try:
                parse(_words(arguments))
            except Exception as error:  # noqa: BLE001 - the parser's errors have no common class
                found.append(f"tenantgate{arguments}: {error}")
    return found


def inline_problems(text: str) -> list[str]:
    """Return the commands in a page's text that don't exist, or have no such option. They may lack arguments."""
    outside = FENCED.sub("", text)
    found = [f"make {target}" for target in INLINE_MADE.findall(outside) if target not in TARGETS]
    for arguments in INLINE.findall(outside):
        words = [word for word in _words(re.sub(r"<[^>]*>", "X", arguments)) if "…" not in word and word != "--help"]
        try:
            parse(words)
        except Exception as error:  # noqa: BLE001 - as above
            # The text may leave out arguments.
            if type(error).__name__ not in {"MissingParameter", "NoArgsIsHelpError", "BadOptionUsage"}:
                found.append(f"tenantgate {arguments}: {error}")
    return found


def _words(arguments: str) -> list[str]:
    words = shlex.split(arguments)
    redirected = next((place for place, word in enumerate(words) if word in {">", "<", "2>"}), len(words))
    return words[:redirected]


@pytest.mark.parametrize("page", PAGES)
def test_the_command_lines_of_a_page_can_be_called(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)

    assert problems((ROOT / page).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_in_the_text_of_a_page_exist(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)

    assert inline_problems((ROOT / page).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("text", "is_wrong"),
    [
        ("`tenantgate restore`", False),
        ("`tenantgate revoke`", False),
        ("`tenantgate token --browser`", False),
        ("`.venv/bin/tenantgate restore --from FOLDER --check`", False),
        ("`tenantgate token --broser`", True),
        ("`tenantgate restores`", True),
        ("`make schema`", False),
        ("`make schemas`", True),
        ("`tenantgate/tokens/`", False),
    ],
)
def test_finds_a_command_in_the_text_that_does_not_exist(text: str, is_wrong: bool) -> None:
    assert bool(inline_problems(f"Use {text} here.")) is is_wrong


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("tenantgate rules check my-rules.toml", ["tenantgate rules check my-rules.toml"]),
        ("curl $(tenantgate token) x", ["curl $(tenantgate token) x"]),
        (".venv/bin/tenantgate rules check my-rules.toml > out.txt", []),
        ("$ TOKEN=$(.venv/bin/tenantgate token)", []),
        (".venv/bin/tenantgate token | .venv/bin/tenantgate explain --token-file -", []),
        (".venv/bin/tenantgate new endpoint \\\n  tenant --dry-run  # shows it", []),
        (
            ".venv/bin/tenantgate tokens",
            ["tenantgate tokens: No such command 'tokens'. Did you mean 'token', 'tenants', 'keys'?"],
        ),
        ("make dev WITH=x && make nothing", ["make nothing"]),
        ("make test T='-k name'", []),
        ("pip install tenantgate", []),
    ],
)
def test_finds_what_can_not_be_called(line: str, found: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)

    assert problems(f"```sh\n{line}\n```\n") == found


def test_the_pages_have_command_lines() -> None:
    text = "\n".join(Path(ROOT / page).read_text(encoding="utf-8") for page in PAGES)

    assert len(CALLED.findall("\n".join(shell_blocks(text)))) > 3


def test_each_target_of_make_has_its_time() -> None:
    listed = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    page = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Make targets\n")[2].partition("\n## ")[0]
    rows = [line for line in page.splitlines() if line.startswith("| `make ")]

    assert sorted(name for row in rows for name in re.findall(r"`make ([a-z-]+)`", row)) == sorted(listed)
    assert all(re.search(r"\| \d+ (s|min)\b", row) for row in rows)
