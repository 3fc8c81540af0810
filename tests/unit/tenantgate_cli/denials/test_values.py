"""Values as text."""

from __future__ import annotations

import pytest

from tenantgate.tokens.forms import parse_tenant_id_pattern
from tenantgate_cli.denials.values import as_text, duration, pattern_text


@pytest.mark.parametrize("written", ["org-{uuid}", "{slug}", "t_{digits}.x", "a/{slug}+{digits}"])
def test_a_tenant_pattern_is_shown_as_it_was_written(written: str) -> None:
    assert pattern_text(parse_tenant_id_pattern(written).pattern) == written


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (172800, "2 d"), (-300, "-5 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("value", "text"), [(None, ""), ({"b", "a"}, "a, b"), ([2, 1], "1, 2"), (3, "3"), ("x", "x")])
def test_values(value: object, text: str) -> None:
    assert as_text(value) == text
