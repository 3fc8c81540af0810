import pytest

from tenantgate.web.pages.printable import printable


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("it's \u00e9", "it's \u00e9"),
        (["openid", "e'mail"], "openid, e'mail"),
        ({"a": ["\u00e9"]}, '{"a": ["\u00e9"]}'),
        (None, "null"),
        (True, "true"),
        (7, "7"),
        ("a\x1b[31mb\r\nc\u202ed\x00", "a [31mb  c d "),
        ("x" * 1001, "x" * 1000 + "\u2026"),
    ],
)
def test_a_value_in_one_line(value: object, text: str) -> None:
    assert printable(value) == text
