"""The page of provider recipes and the README's table: links that lead somewhere, one row for each recipe."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tenantgate_cli.generate.providers import read_recipes

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "AUTH_CONFIGURATION.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
RECIPES = read_recipes(ROOT / "docs" / "providers")


def _anchors(page: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("text", "prefix"), [(PAGE, ""), (README, "docs/AUTH_CONFIGURATION.md")])
def test_every_link_of_the_table_leads_to_a_recipe(text: str, prefix: str) -> None:
    linked = re.findall(rf"^\| \[[^\]]+\]\({re.escape(prefix)}#([^)]+)\) \|", text, re.MULTILINE)
    assert len(linked) == len(RECIPES)
    assert set(linked) <= _anchors(PAGE)


def test_a_recipe_has_steps_and_limits() -> None:
    for recipe in RECIPES:
        assert recipe.data["at_the_provider"], recipe.name
        assert recipe.data["limits"], recipe.name
        assert recipe.settings, recipe.name


def test_a_folder_that_differs_from_the_order_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "unknown.toml").write_text("title = 'x'")
    with pytest.raises(KeyError, match="unknown"):
        read_recipes(tmp_path)
