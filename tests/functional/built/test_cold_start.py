"""The benchmark's journey through the built functions: sign in, read, sign out, each in its own process."""

import math
from pathlib import Path

import pytest

from benchmarks.cold_start import STARTS, measure

pytestmark = pytest.mark.anyio


async def test_every_start_is_measured_on_a_whole_journey(build_dir: Path) -> None:
    # It raises when a function returns an unexpected status.
    figures = await measure(build_dir, 1, lambda line: None)

    assert [figure.name for figure in figures] == ["a bare Python handler", *(start.name for start in STARTS)]
    assert figures[0].ratio == 1
    assert all(math.isfinite(figure.ratio) and figure.milliseconds > 0 for figure in figures)
