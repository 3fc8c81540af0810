"""The figures of a run, as Markdown and as plots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.load.growth import SHARE
from benchmarks.load.phases import Phase, Times
from benchmarks.load.verdict import LONGEST, Run, broken_limits
from benchmarks.load.watch import OTHER_DESCRIPTORS, POSTGRES_CONNECTIONS, VALKEY_CLIENTS
from benchmarks.plots import Mark, Points, line_plot

SECTION = "load"
FOLDER = "load"
_MEMORY = "memory.svg"
_OPEN = "open.svg"
_RESPONSES = "responses.svg"


def section(run: Run) -> str:
    """Return the body of the section in docs/RELIABILITY.md."""
    problems = broken_limits(run)
    verdict = "Every limit was kept." if not problems else "Limits that were exceeded: " + "; ".join(problems) + "."
    plots = {
        _RESPONSES: "Requests served and shed per second",
        _MEMORY: "Memory of the servers",
        _OPEN: "Descriptors and connections",
    }
    images = "\n".join(f"![{text}]({FOLDER}/{name})" for name, text in plots.items())
    return f"{tables(run)}\n{verdict}\n\n{images}\n"


def tables(run: Run) -> str:
    """Return the tables of responses, processor time, growth and connections."""
    return "\n".join("\n".join([*rows, ""]) for rows in (_responses(run), _processor(run), _growth(run)))


def write_plots(run: Run, folder: Path) -> None:
    """Write the plots into this folder, which is created."""
    folder.mkdir(exist_ok=True)
    begin = run.samples[0].at
    marks = [Mark(phase.began - begin, name) for name, phase in run.phases.items()]
    marks.append(Mark(run.twice.ended - begin, "end"))

    def drawn(names: Mapping[str, str]) -> dict[str, Points]:
        return {
            title: [(sample.at - begin, sample.values[name]) for sample in run.samples] for name, title in names.items()
        }

    memory = drawn({f"{name}, MB": name for name in ("container", "PostgreSQL", "Valkey")})
    opened = drawn(
        {
            OTHER_DESCRIPTORS: "other descriptors, container",
            POSTGRES_CONNECTIONS: "connections, PostgreSQL",
            VALKEY_CLIENTS: "clients, Valkey",
        }
    )
    responses = {
        "served": _per_second(run.phases.values(), "served", begin),
        "shed": _per_second(run.phases.values(), "shed", begin),
    }
    time = "time, s"
    written = {
        _MEMORY: line_plot("Memory of the servers", memory, x=time, y="PSS, MB", marks=marks),
        _OPEN: line_plot("Descriptors and connections", opened, x=time, y="open", marks=marks),
        _RESPONSES: line_plot("Responses", responses, x=time, y="per second", marks=marks),
    }
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8")


def _responses(run: Run) -> Iterable[str]:
    yield (
        "| load | per second | served per second | shed | no or another response | served, p50 / p99 / longest, ms "
        "| shed, p50 / p99 / longest, ms | generator late, p99, ms |"
    )
    yield "|---|---:|---:|---|---:|---:|---:|---:|"
    for name, phase in run.phases.items():
        shed = ", ".join(f"{count:,} × {detail}" for detail, count in sorted(phase.details("shed").items()))
        cells = [
            name,
            f"{phase.rate:.0f}",
            f"{phase.goodput:.0f}",
            f"{phase.shed_share:.1%}" + (f" ({shed})" if shed else ""),
            f"{len(phase.of('failed')):,}",
            _times(phase.times("served")),
            _times(phase.times("shed")),
            f"{phase.late:.0f}",
        ]
        yield f"| {' | '.join(cells)} |"
    yield f"| limit | | | | 0 | longest ≤ {LONGEST:.0f} | longest ≤ {LONGEST:.0f} | |"


def _processor(run: Run) -> Iterable[str]:
    parts = list(run.highest.cpu)
    yield f"| load | {' | '.join(f'{part}, cores' for part in parts)} |"
    yield f"|---|{'---:|' * len(parts)}"
    for name, phase in run.phases.items():
        yield f"| {name} | {' | '.join(f'{phase.cpu[part] / phase.seconds:.2f}' for part in parts)} |"


def _growth(run: Run) -> Iterable[str]:
    yield f"| last {SHARE:.0%} of the phase | at the beginning | at the end | growth per minute | limit |"
    yield "|---|---:|---:|---:|---:|"
    for name, growths in zip(run.phases, run.growths, strict=True):
        for each in growths:
            values = f"{each.first:.0f} | {each.last:.0f} | {each.per_minute:.2f} | {each.limit:g}"
            yield f"| {name}: {each.series} | {values} |"
    yield ""
    yield "| connections | most | 99 % of the time at most | bound |"
    yield "|---|---:|---:|---:|"
    for peak in run.peaks:
        yield f"| {peak.series} | {peak.most:.0f} | {peak.usual:.0f} | {peak.bound:.0f} |"


def _times(times: Times | None) -> str:
    return "" if times is None else f"{times.p50:.0f} / {times.p99:.0f} / {times.longest:.0f}"


def _per_second(phases: Iterable[Phase], result: str, begin: float) -> Sequence[tuple[float, float]]:
    """Return the number of responses in each second, at the time of the response."""
    points: list[tuple[float, float]] = []
    for phase in phases:
        counts = [0] * (int(phase.seconds) + 1)
        for record in phase.records:
            if record.result == result:
                counts[int(record.due + record.seconds - phase.began)] += 1
        # The last second isn't complete.
        points += [(phase.began - begin + second, float(count)) for second, count in enumerate(counts[:-1])]
    return points
