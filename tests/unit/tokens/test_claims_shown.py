"""A claim's value in a form for logs: limited, and never a structure that the token's author chose."""

from __future__ import annotations

import pytest

from tenantgate.tokens.claims import shown


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None), (True, True), (1.5, 1.5), (7, 7), (1 << 62, 1 << 62), (1 << 63, "int"), (-(1 << 63), "int"),
        ("a", "a"), ("a" * 120, "a" * 120), ("a" * 121, "a" * 120 + "..."), ({"a": 1}, "dict"), ([], []),
        (["a"] * 8, ["a"] * 8), (["a"] * 9, "list"), (["a", 1], "list"), ([["a"]], "list"),
        (["a" * 121], ["a" * 120 + "..."]),
    ],
)  # fmt: skip
def test_shows_short_texts_and_numbers_and_of_others_the_type(value: object, expected: object) -> None:
    assert shown(value) == expected
    assert type(shown(value)) is type(expected)
