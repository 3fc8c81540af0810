import pytest

from tenantgate.web.accept import prefers_html


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        pytest.param("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True, id="a-browser"),
        pytest.param("text/html", True, id="html"),
        pytest.param("TEXT/HTML", True, id="upper-case"),
        pytest.param("text/html;q=0.9, application/json;q=0.5", True, id="html-rather"),
        pytest.param("application/json;q=0.5;v=1, text/html;q=0.4", False, id="json-rather"),
        pytest.param("text/html, application/json", False, id="equally"),
        pytest.param("text/html;q=0", False, id="not-html"),
        pytest.param("text/html;q=x", False, id="malformed"),
        pytest.param("*/*", False, id="anything"),
        pytest.param("text/*", False, id="any-text"),
        pytest.param("", False, id="empty"),
        pytest.param(None, False, id="absent"),
    ],
)
def test_prefers_html(accept: str | None, expected: bool) -> None:
    assert prefers_html(accept) is expected
