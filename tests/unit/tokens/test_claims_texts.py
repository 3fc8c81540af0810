"""Texts in claims: their lengths to the character."""

from __future__ import annotations

import pytest

from tenantgate.errors.tokens import InvalidClaim, MissingClaim
from tenantgate.tokens.claims import one_text, required_text, shown, texts_in


@pytest.mark.parametrize("text", ["x", "x" * 256, "ü" * 256, "a b"])
def test_a_required_text_has_1_to_256_printable_characters(text: str) -> None:
    assert required_text({"sub": text}, "sub") == text


@pytest.mark.parametrize("value", ["", "x" * 257, "a\n", "\0", 7, True, ["x"], {}])
def test_any_other_value_is_not_a_required_text(value: object) -> None:
    with pytest.raises(InvalidClaim) as refused:
        required_text({"sub": value}, "sub")
    assert refused.value.private["claim"] == "sub"


@pytest.mark.parametrize("claims", [{}, {"sub": None}])
def test_a_required_text_may_not_be_missing(claims: dict[str, object]) -> None:
    with pytest.raises(MissingClaim) as refused:
        required_text(claims, "sub")
    assert refused.value.private["claim"] == "sub"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        ("", ""),
        (["a"], "a"),
        (0, "0"),
        (7, "7"),
        ([7], "7"),
        (2**63 - 1, "9223372036854775807"),
        (2**63, None),
        (-1, None),
        (1.0, None),
        (True, None),
        (None, None),
        ([], None),
        (["a", "b"], None),
        ([["a"]], None),
        ({"a": 1}, None),
    ],
)
def test_one_value_is_a_text_or_a_whole_number(value: object, text: str | None) -> None:
    assert one_text(value) == text


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("a", ["a"]),
        (["a", "b"], ["a", "b"]),
        (["a", 7, None, True, "", ["b"], {"c": 1}], ["a", "7"]),
        (7, ["7"]),
        ("", []),
        (None, []),
        ({}, []),
    ],
)
def test_several_values_are_read_as_far_as_they_are_texts(value: object, texts: list[str]) -> None:
    assert texts_in(value) == texts


@pytest.mark.parametrize(
    ("value", "logged"),
    [
        ("x" * 120, "x" * 120),
        ("x" * 121, "x" * 120 + "..."),
        (None, None),
        (True, True),
        (1.5, 1.5),
        (2**63 - 1, 2**63 - 1),
        (2**63, "int"),
        (-(2**63), "int"),
        (["a"] * 8, ["a"] * 8),
        (["a"] * 9, "list"),
        (["a", 1], "list"),
        (["x" * 121], ["x" * 120 + "..."]),
        ({"a": 1}, "dict"),
        ([], []),
    ],
)
def test_a_value_is_logged_in_a_bounded_form(value: object, logged: object) -> None:
    assert shown(value) == logged
