"""A provider's own words, made fit for a log."""

import pytest

from tenantgate.login.provider_text import provider_text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        pytest.param("AADSTS65004: User declined to consent.", "AADSTS65004: User declined to consent.", id="plain"),
        pytest.param("Zugriff verweigert für Ännchen", "Zugriff verweigert für Ännchen", id="another-language"),
        pytest.param('no\r\n{"level":"ERROR"}', 'no {"level":"ERROR"}', id="line-break"),
        pytest.param("no\u2028next\u0085third", "no next third", id="other-line-breaks"),
        pytest.param("\x1b[31mred\x1b[0m\x00", "[31mred [0m", id="terminal-escape"),
        pytest.param("a\u202egnp.exe", "a gnp.exe", id="right-to-left-override"),
        pytest.param("a\u200bb\ufeff", "a b", id="zero-width"),
        pytest.param("\ud800x", "x", id="lone-surrogate"),
        pytest.param("  a \t b  ", "a b", id="white-space"),
        pytest.param("x" * 300, "x" * 300, id="longest"),
        pytest.param("x" * 301, "x" * 300 + "…", id="longer"),
        pytest.param("x" * 1_000_000, "x" * 300 + "…", id="enormous"),
        pytest.param("", None, id="empty"),
        pytest.param(" \n", None, id="blank"),
        pytest.param(None, None, id="absent"),
        pytest.param(7, None, id="number"),
        pytest.param(["no"], None, id="list"),
    ],
)
def test_is_one_readable_line(text: object, kept: str | None) -> None:
    assert provider_text(text) == kept
