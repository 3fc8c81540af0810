"""The names and the form of anchors."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tenantgate.transparency.anchors.objects import (
    checkpoints_name,
    checkpoints_object,
    read_checkpoints,
    require_name,
)
from tenantgate.transparency.errors import CheckpointMalformed


@pytest.mark.parametrize(
    "name", ["", "/a", "../a", "a/../b", "a//b", "a/.b", "a..b", "a/", "A", "a\nb", "a b", "a" * 201]
)
def test_no_name_leaves_its_place(name: str) -> None:
    with pytest.raises(ValueError, match="not the name"):
        require_name(name)


def test_names_of_checkpoints_sort_by_their_time_and_never_repeat() -> None:
    now = datetime(2026, 11, 27, 3, 30, tzinfo=UTC)
    names = [checkpoints_name(now + timedelta(microseconds=n)) for n in range(3)]
    assert names == sorted(names)
    assert names[0].startswith("checkpoints/2026/11/27/033000.000000-")
    assert checkpoints_name(now) != checkpoints_name(now)
    require_name(names[0])


def test_checkpoints_are_read_as_they_were_written() -> None:
    notes = ["a\n1\nb\n\n— a c\n", "ä"]
    assert read_checkpoints(checkpoints_object(notes)) == notes


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"[" * 100_000,
        json.dumps({"version": 2, "checkpoints": []}).encode(),
        json.dumps({"version": 1, "checkpoints": [1]}).encode(),
        json.dumps({"version": 1}).encode(),
    ],
)
def test_another_object_is_refused(content: bytes) -> None:
    with pytest.raises(CheckpointMalformed):
        read_checkpoints(content)
