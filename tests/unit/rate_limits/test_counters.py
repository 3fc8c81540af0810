"""Keys of counters, and the usage after a count."""

from __future__ import annotations

import pytest

from tenantgate.rate_limits.counters import counter, usage
from tenantgate.settings.rate_limits import Limit

LIMIT = Limit(5, 60)


def test_each_list_of_parts_has_its_own_key() -> None:
    parts = [(), ("",), ("a",), ("a", ""), ("", "a"), ("ab",), ("a", "b"), ("a\0b",), ("a/b",)]
    keys = {counter("identity", LIMIT, "t", *each).key for each in parts}
    assert len(keys) == len(parts)


def test_a_key_depends_on_name_partition_and_limit_and_repeats_no_part() -> None:
    keys = {
        counter("identity", LIMIT, "t", "user-1").key,
        counter("tenant", LIMIT, "t", "user-1").key,
        counter("identity", LIMIT, "u", "user-1").key,
        counter("identity", Limit(6, 60), "t", "user-1").key,
        counter("identity", Limit(5, 1), "t", "user-1").key,
    }
    assert len(keys) == 5
    assert not any("user-1" in key for key in keys)


def test_a_long_part_makes_no_long_key() -> None:
    assert len(counter("identity", LIMIT, "t" * 9000, "u" * 9000).key) < 150


def test_counters_of_one_partition_have_one_hash_tag() -> None:
    keys = [counter("identity", LIMIT, "t", "u").key, counter("tenant", LIMIT, "t", "t").key]
    assert len({key[key.index("{") : key.index("}") + 1] for key in keys}) == 1


@pytest.mark.parametrize(
    ("count", "seconds", "refused", "expected"),
    [
        pytest.param(1, 60.0, False, (4, 60, False), id="first"),
        pytest.param(5, 0.001, False, (0, 1, False), id="last-one-just-before-the-end"),
        pytest.param(5, 30.2, True, (0, 31, True), id="used-up"),
        pytest.param(3, 30.0, True, (2, 30, False), id="another-one-is-used-up"),
        pytest.param(9, 70.0, True, (0, 60, True), id="never-more-than-the-window"),
    ],
)
def test_usage(count: int, seconds: float, refused: bool, expected: tuple[int, int, bool]) -> None:
    found = usage(counter("tenant", LIMIT, "t"), count, seconds, refused=refused)
    assert (found.remaining, found.reset, found.exceeded) == expected
