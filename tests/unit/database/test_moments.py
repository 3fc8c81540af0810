"""Epoch seconds to PostgreSQL's times and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tenantgate.database.moments import moment, whole_seconds


@pytest.mark.parametrize("seconds", [0, 1, 1_800_000_000, 253_402_300_799, -1])
def test_seconds_come_back(seconds: int) -> None:
    assert whole_seconds(moment(seconds)) == seconds
    assert moment(seconds).tzinfo is UTC


@pytest.mark.parametrize(("seconds", "whole"), [(1_800_000_000.999, 1_800_000_000), (-0.5, -1)])
def test_fractions_are_rounded_down(seconds: float, whole: int) -> None:
    assert whole_seconds(moment(seconds)) == whole


def test_a_time_of_another_zone_is_the_same_moment() -> None:
    assert whole_seconds(datetime(1970, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))) == 0
