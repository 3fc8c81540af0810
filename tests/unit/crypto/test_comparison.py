"""Comparison with a secret text."""

import pytest

from tenantgate.crypto.comparison import same_text


@pytest.mark.parametrize(
    ("given", "secret", "same"),
    [
        ("secret", "secret", True),
        ("schlüssel", "schlüssel", True),
        ("", "secret", False),
        ("secre", "secret", False),
        ("secret ", "secret", False),
        ("Secret", "secret", False),
        ("schlu\u0308ssel", "schl\u00fcssel", False),
        ("x" * 100_000, "secret", False),
    ],
)
def test_only_equal_texts_are_the_same(given: str, secret: str, same: bool) -> None:
    assert same_text(given, secret) is same
