import re

import pytest

from benchmarks.report import replace_section
from tenantgate_cli.paths import ROOT

TEXT = "# Page\n\n<!-- begin one -->\nold\n<!-- end one -->\n\n<!-- begin two -->\n<!-- end two -->\n"


def test_replaces_what_a_section_holds_and_nothing_else() -> None:
    replaced = replace_section(TEXT, "one", "new\n")

    assert replaced == TEXT.replace("old\n", "new\n")
    assert replace_section(replaced, "one", "new\n") == replaced


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("# Page\n", id="missing"),
        pytest.param(TEXT + TEXT, id="twice"),
        pytest.param("<!-- begin one -->\n", id="without-an-end"),
    ],
)
def test_refuses_a_text_without_exactly_one_such_section(text: str) -> None:
    with pytest.raises(ValueError, match="one section one"):
        replace_section(text, "one", "new\n")


def test_the_page_has_figures_in_each_section() -> None:
    page = (ROOT / "docs" / "PERFORMANCE.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"<!-- begin ([\w-]+) -->\n(.*?)<!-- end \1 -->", page, flags=re.DOTALL))

    assert set(sections) == {"machine", "cold-start", "cold-start-gains", "verify", "peers", "route-rules"}
    assert all(sections.values())
