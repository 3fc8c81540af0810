"""The short form of `python -m benchmarks.load`: little load, then far more than the machine holds."""

from __future__ import annotations

import pytest
import uvloop

from benchmarks.load.growth import LEFT_DESCRIPTORS, peaks
from benchmarks.load.phases import Phase
from benchmarks.load.stack import loaded_stack
from benchmarks.load.watch import OTHER_DESCRIPTORS, Sample

LITTLE, FAR_TOO_MUCH = 5.0, 1500.0
# The command's limit is 5 s on a machine without other load.
LONGEST_MS = 12_000.0


async def _phases() -> tuple[Phase, Phase, Sample, Sample]:
    async with loaded_stack(workers=1, sessions=60, tell=lambda _: None) as stack:
        before = await stack.idle()
        little = await stack.phase(LITTLE, 3)
        much = await stack.phase(FAR_TOO_MUCH, 2.5)
        return little, much, before, await stack.idle()


@pytest.mark.timed
def test_overload_is_shed_with_a_response_for_each_request_and_leaves_nothing_open() -> None:
    little, much, before, after = uvloop.run(_phases())

    assert little.details("served").total() == len(little.records) == 15
    # The provider is in this process: on a busy machine, it may not respond in time.
    assert much.details("failed").keys() <= {"504 SYS_004"}
    assert much.of("served")
    assert much.of("shed")
    times = much.times("served", "shed")
    assert times is not None
    assert times.longest < LONGEST_MS
    assert after.values[OTHER_DESCRIPTORS] <= before.values[OTHER_DESCRIPTORS] + LEFT_DESCRIPTORS
    assert not any(peak.exceeded for peak in peaks([before, after], workers=1))
