"""The page about single-page apps shows the example's own code and the defaults of the settings."""

import re
import textwrap

import pytest

from tenantgate.settings.deployment import DEVELOPMENT_BASE_URL, DEVELOPMENT_ORIGINS
from tenantgate_cli.paths import ROOT

PAGE = (ROOT / "docs" / "SINGLE_PAGE_APP.md").read_text("utf-8")
EXAMPLE = ROOT / "examples" / "single_page_app"
SNIPPETS = re.findall(r"```js\n(.*?)```", PAGE, re.DOTALL)


def lines(code: str) -> str:
    return "\n".join(line.strip() for line in textwrap.dedent(code).strip().splitlines())


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_every_snippet_is_a_part_of_the_example(number: int) -> None:
    assert lines(SNIPPETS[number]) in lines((EXAMPLE / "app.js").read_text("utf-8"))


def test_there_is_a_snippet_for_each_step() -> None:
    assert len(SNIPPETS) == 10


def test_the_example_calls_the_default_address_and_its_policy_allows_only_that() -> None:
    html = (EXAMPLE / "index.html").read_text("utf-8")
    assert f'<meta name="tenantgate-api" content="{DEVELOPMENT_BASE_URL}">' in html
    assert f"connect-src {DEVELOPMENT_BASE_URL};" in html
    assert html.count("http://") == 2
    assert "http://" not in (EXAMPLE / "app.js").read_text("utf-8")


def test_the_page_names_the_default_origins_and_the_examples_port_is_one_of_them() -> None:
    for origin in DEVELOPMENT_ORIGINS:
        assert f"`{origin}`" in PAGE
    (port,) = re.findall(r"http\.server (\d+)", PAGE)
    assert f"http://localhost:{port}" in DEVELOPMENT_ORIGINS


def test_the_example_uses_no_storage_and_no_html() -> None:
    script = (EXAMPLE / "app.js").read_text("utf-8")
    for forbidden in ("localStorage", "sessionStorage", "innerHTML", "document.cookie", "eval("):
        assert forbidden not in script
