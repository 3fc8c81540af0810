"""The load generator's own logic: pace, judgement, search, growth and verdict."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import pytest

from benchmarks.load.capacity import MARGIN, confirmed, search
from benchmarks.load.growth import Growth, Peak, growth, peaks, slope
from benchmarks.load.mix import Mix, Record, Result, judge
from benchmarks.load.phases import Phase, run_phase
from benchmarks.load.report import section, write_plots
from benchmarks.load.verdict import Run, broken_limits
from benchmarks.load.watch import OTHER_DESCRIPTORS, POSTGRES_CONNECTIONS, VALKEY_CLIENTS, Sample
from benchmarks.serving.messages import Response

pytestmark = pytest.mark.anyio

NONE_GREW = [Growth("container, MB", 100, 100, 0.0, 3.0)]


def record(result: Result = "served", detail: str = "200", *, due: float = 0.0, seconds: float = 0.01) -> Record:
    return Record("validate, bearer", result, detail, due, seconds, 0.0)


def phase(*records: Record, seconds: float = 1.0) -> Phase:
    return Phase(len(records) / seconds, 0.0, seconds, records, {"container": 0.5, "load": 0.1})


def sample(at: float, megabytes: float = 100.0, descriptors: float = 50.0, connections: int = 20) -> Sample:
    values = {f"{name}, MB": megabytes for name in ("container", "PostgreSQL", "Valkey")}
    values |= {OTHER_DESCRIPTORS: descriptors, POSTGRES_CONNECTIONS: connections, VALKEY_CLIENTS: 9}
    return Sample(at, values)


def run(highest: Phase, twice: Phase, *, grew: list[Growth] | None = None, left: float = 0.0) -> Run:
    samples = [sample(float(at)) for at in range(4)]
    after = sample(4, descriptors=50 + left)
    return Run(highest, twice, sample(0), after, samples, (NONE_GREW, grew or NONE_GREW), peaks(samples, workers=2))


GOOD = phase(*[record()] * 100)


@pytest.mark.parametrize(
    ("head", "body", "expected"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", b"", ("served", "200"), id="served"),
        pytest.param(b"HTTP/1.1 303 See Other\r\n\r\n", b"", ("served", "303"), id="signed-in"),
        pytest.param(
            b"HTTP/1.1 503 x\r\nRetry-After: 1\r\n\r\n",
            b'{"error":{"code":"SYS_010"}}',
            ("shed", "503 SYS_010"),
            id="shed",
        ),
        pytest.param(
            b"HTTP/1.1 503 x\r\nx: y\r\n\r\n",
            b'{"error":{"code":"SYS_001"}}',
            ("failed", "503 SYS_001 without Retry-After"),
            id="without-retry-after",
        ),
        pytest.param(b"HTTP/1.1 401 x\r\n\r\n", b'{"code":"AUTH_020"}', ("failed", "401 AUTH_020"), id="refused"),
        pytest.param(b"HTTP/1.1 500 x\r\n\r\n", b"", ("failed", "500"), id="broken"),
    ],
)
def test_judges_a_response(head: bytes, body: bytes, expected: tuple[str, str]) -> None:
    assert judge(Response(head, body)) == expected


async def test_requests_begin_in_time_although_earlier_ones_are_not_complete() -> None:
    class Stuck:
        begun = 0
        together = 0

        def next_kind(self) -> str:
            return "refresh"

        async def send(self, kind: str, due: float) -> Record:
            self.begun += 1
            self.together = max(self.together, self.begun)
            await asyncio.sleep(0.3)
            self.begun -= 1
            return record(due=due)

    stuck = Stuck()
    measured = await run_phase(cast("Mix", stuck), 200, 0.2)

    assert len(measured.records) == 40
    assert stuck.together > 20
    assert [round(200 * (each.due - measured.began)) for each in measured.records] == list(range(40))


@pytest.mark.parametrize("limit", [85.0, 119.0, 400.0])
async def test_the_search_finds_the_highest_rate_that_holds(limit: float) -> None:
    tried: list[float] = []

    async def holds(rate: float) -> bool:
        tried.append(rate)
        return rate <= limit

    found = await search(holds)
    assert limit * 0.9 < found <= limit


async def test_a_rate_that_does_not_hold_for_longer_is_lowered() -> None:
    tried: list[float] = []

    async def holds(rate: float) -> bool:
        tried.append(rate)
        return rate < 85

    assert await confirmed(100.0, holds) == tried[-1] == pytest.approx(100 * MARGIN**2)
    assert len(tried) == 3

    async def never(_: float) -> bool:
        return False

    with pytest.raises(SystemExit, match="is the machine busy"):
        await confirmed(100.0, never)


async def test_the_search_tries_a_rate_twice_and_gives_up_if_the_first_one_does_not_hold() -> None:
    tried: list[float] = []

    async def holds(rate: float) -> bool:
        tried.append(rate)
        return False

    with pytest.raises(SystemExit, match="not even"):
        await search(holds)
    assert tried == [80.0, 80.0]


def test_a_slope_ignores_single_peaks() -> None:
    points = [(float(second), 100 + 0.5 * second + (900 if second == 30 else 0)) for second in range(60)]
    assert slope(points) == pytest.approx(0.5)
    assert slope(points[:1]) == 0


def test_growth_is_measured_at_the_end_of_the_phase() -> None:
    # It grows until caches are full, and then by 6 MB a minute.
    samples = [sample(float(at), megabytes=100 + at if at < 40 else 140 + 0.1 * (at - 40)) for at in range(100)]
    (memory, *others) = growth(samples, 0.0, 100.0)
    assert (memory.series, memory.exceeded) == ("container, MB", True)
    assert memory.per_minute == pytest.approx(6.0)
    assert not any(each.exceeded for each in others)


def test_a_single_step_does_not_count() -> None:
    for at in range(20, 110):
        stepped = [sample(float(second), megabytes=100 if second < at else 130) for second in range(120)]
        (memory, *_) = growth(stepped, 0.0, 120.0)
        assert memory.per_minute == 0


def test_connections_are_bounded_by_the_pools_of_all_workers() -> None:
    filled = [sample(float(at), connections=50 if at == 30 else 42 if at > 30 else 5) for at in range(200)]
    for workers, expected in ((2, []), (1, [POSTGRES_CONNECTIONS])):
        found = peaks(filled, workers=workers)
        assert [peak.series for peak in found if peak.exceeded] == expected
        assert [(peak.most, peak.usual) for peak in found] == [(50, 42), (9, 9)]


def test_a_run_without_faults_keeps_all_limits() -> None:
    assert broken_limits(run(GOOD, phase(*[record()] * 90, *[record("shed", "503 SYS_010")] * 110))) == []


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        pytest.param(
            run(GOOD, phase(*GOOD.records, record("failed", "no response within 15 s"))), "no response", id="time-out"
        ),
        pytest.param(run(GOOD, phase(*GOOD.records, record(seconds=5.1))), "a response took 5100 ms", id="slow"),
        pytest.param(run(GOOD, phase(*GOOD.records, record("shed", "503", seconds=6))), "took 6000 ms", id="slow-shed"),
        pytest.param(
            run(phase(*GOOD.records, *[record("shed", "503")] * 5), GOOD), "were shed, more than 1%", id="shed-early"
        ),
        pytest.param(run(GOOD, phase(*[record()] * 50)), "only 50%", id="collapse"),
        pytest.param(
            run(GOOD, GOOD, grew=[Growth("container, MB", 100, 200, 20.0, 3.0)]),
            "container, MB grew by 20.0",
            id="growth",
        ),
        pytest.param(
            run(GOOD, GOOD)._replace(peaks=[Peak(VALKEY_CLIENTS, 140, 131, 130)]),
            "131 Valkey clients, more than 130",
            id="connections",
        ),
        pytest.param(run(GOOD, GOOD, left=500), "500 more other descriptors", id="descriptors"),
        pytest.param(
            run(GOOD, phase(*[record()._replace(late=0.9)] * 100)),
            "the load generator was late itself",
            id="late-generator",
        ),
    ],
)
def test_a_run_with_a_fault_names_it(broken: Run, problem: str) -> None:
    (found,) = broken_limits(broken)
    assert problem in found


def test_the_section_has_tables_and_plots(tmp_path: Path) -> None:
    measured = run(GOOD, phase(*GOOD.records, record("shed", "503 SYS_010", due=0.5)))
    written = section(measured)
    write_plots(measured, tmp_path / "load")

    assert "| highest rate | 100 | 100 | 0.0% | 0 | 10 / 10 / 10 |" in written
    assert "1 × 503 SYS_010" in written
    assert "Every limit was kept." in written
    for name in ("memory.svg", "open.svg", "responses.svg"):
        assert f"(load/{name})" in written
        assert (tmp_path / "load" / name).read_text().startswith("<svg")
