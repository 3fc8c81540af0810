"""Lines of tables and keys in a TOML text."""

from __future__ import annotations

import tomllib

import pytest

from tenantgate.route_rules.file_lines import line_of, lines_of

TEXT = """\
# [[api]] in a comment
version = 1

[[api]]
name = "orders"
ids = [ "a", "[[api]]", # ]
  "b = 1",
]

  [[ api.route ]]
  route = "GET /a"  # a = b
  "quoted key" = '''
x = 1
[[api]]
'''
  inline = { a = 1, b = [2] }

[[api.route]]
route = \"\"\"[ \\\"\"\"
x = 3
\"\"\"

[api.limits]
'burst' = 1
[[api]]
name = "last"
"""


def test_every_table_and_key_has_its_line() -> None:
    assert "api" in tomllib.loads(TEXT)
    assert lines_of(TEXT) == {
        ("version",): 2,
        ("api", 0): 4,
        ("api", 0, "name"): 5,
        ("api", 0, "ids"): 6,
        ("api", 0, "route", 0): 10,
        ("api", 0, "route", 0, "route"): 11,
        ("api", 0, "route", 0, "quoted key"): 12,
        ("api", 0, "route", 0, "inline"): 16,
        ("api", 0, "route", 1): 18,
        ("api", 0, "route", 1, "route"): 19,
        ("api", 0, "limits"): 23,
        ("api", 0, "limits", "burst"): 24,
        ("api", 1): 25,
        ("api", 1, "name"): 26,
    }


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n"])
def test_a_text_without_keys_has_no_lines(text: str) -> None:
    assert lines_of(text) == {}


@pytest.mark.parametrize("ending", ["", "\n"])
def test_the_last_line_may_end_without_a_line_break(ending: str) -> None:
    assert lines_of(f"a = 1\nb = [\n2]{ending}") == {("a",): 1, ("b",): 2}


def test_a_value_ends_behind_its_last_bracket() -> None:
    assert lines_of("a = [\n[1],\nb = 2\n[\n[3]],\n]\nc = {d = [\n1]}\ne = 1\n") == {
        ("a",): 1,
        ("c",): 7,
        ("e",): 9,
    }


def test_a_place_without_a_line_has_the_line_of_the_table_around_it() -> None:
    lines = lines_of(TEXT)

    assert line_of(lines, ("api", 0, "route", 0, "inline", "a")) == 16
    assert line_of(lines, ("api", 1, "ids")) == 25
    assert line_of(lines, ("other",)) is None
    assert line_of({}, ()) is None
