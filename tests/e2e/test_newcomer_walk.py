"""The walk of `newcomer_walk.py` in a copy of this checkout."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.e2e.newcomer_walk import Walk
from tests.fixtures.programs.requires import requires_chromium, requires_node
from tests.fixtures.stack.checkout import copy_checkout

pytestmark = [requires_chromium, requires_node]


def test_a_new_user_gets_from_a_clone_to_another_providers_token(
    page: Page, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines: list[str] = []
    Walk(tmp_path / "clone", page, lines.append).walk(copy_checkout)

    with capsys.disabled():
        print("", *lines, sep="\n")
    assert len(lines) == 10
