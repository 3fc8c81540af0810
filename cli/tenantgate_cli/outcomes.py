"""Checks that run at the same time, each with its own time limit, and the table or JSON of their outcomes.

The JSON of `tenantgate doctor` and `tenantgate smoke` has the members `target`, the thing checked, and `checks`, a list
of objects with these members, all texts except the last:

check         the name of the part, the same in every run
status        ok, warning (it works, but not as it should), failed, or skipped (not checked; `found` has the reason)
found         what the check saw
fix           what to do about it; empty for ok and skipped
milliseconds  the time that the check took; null if it was skipped before it ran

Only `failed` makes the command fail. New checks and new members may be added; these stay.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.text import Text

from tenantgate_cli.console import out, printable, say
from tenantgate_cli.program import as_called
from tenantgate_cli.results import Problem, print_result

type Status = Literal["ok", "warning", "failed", "skipped"]

_MARKS: dict[Status, tuple[str, str]] = {
    "ok": ("✓", "green"),
    "warning": ("!", "yellow"),
    "failed": ("✗", "red"),
    "skipped": ("-", "dim"),
}
_UNKNOWN_FIX = "this is a fault of the check itself: report it with this line"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. A `fix` belongs to each `warning` and `failed`."""

    status: Status
    found: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `run` blocks; after `seconds` its line is a failure with `overdue_fix`, and it is left alone."""

    name: str
    run: Callable[[], Finding]
    seconds: float = 10.0
    overdue_fix: str = "check the network between this machine and the part, and that the part responds"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finding with the name of its check. `milliseconds` is None if the check didn't run."""

    check: str
    finding: Finding
    milliseconds: int | None

    def members(self) -> dict[str, object]:
        """Return the object that the JSON has."""
        return {
            "check": self.check,
            "status": self.finding.status,
            "found": self.finding.found,
            "fix": as_called(self.finding.fix),
            "milliseconds": self.milliseconds,
        }


def ok(found: str) -> Finding:
    return Finding("ok", found)


def warning(found: str, fix: str) -> Finding:
    return Finding("warning", found, fix)


def failed(found: str, fix: str) -> Finding:
    return Finding("failed", found, fix)


def skipped(reason: str) -> Finding:
    return Finding("skipped", reason)


def run_all(checks: Sequence[Check], secrets: Iterable[str] = ()) -> list[Outcome]:
    """Run the checks at the same time, and return an outcome for each, in order.

    None of the texts contains one of `secrets`, or a character that writes to the terminal. Each check has its own
    daemon thread: one that hangs delays neither the others nor the end of the process.
    """
    began = time.monotonic()
    finished: queue.SimpleQueue[tuple[int, Finding, float]] = queue.SimpleQueue()
    for number, check in enumerate(checks):
        threading.Thread(target=_run, args=(number, check, finished), daemon=True, name=f"check {check.name}").start()
    results: dict[int, tuple[Finding, float]] = {}
    while len(results) < len(checks):
        due = min(check.seconds for number, check in enumerate(checks) if number not in results)
        try:
            number, finding, seconds = finished.get(timeout=max(0.0, began + due - time.monotonic()))
            results.setdefault(number, (finding, seconds))
        except queue.Empty:
            for number, check in enumerate(checks):
                if check.seconds <= due and number not in results:
                    found = f"no result within {check.seconds:g} s"
                    results[number] = (failed(found, check.overdue_fix), check.seconds)
    hidden = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
    return [
        Outcome(check.name, _clean(results[number][0], hidden), round(results[number][1] * 1000))
        for number, check in enumerate(checks)
    ]


def _run(number: int, check: Check, finished: queue.SimpleQueue[tuple[int, Finding, float]]) -> None:
    began = time.perf_counter()
    try:
        finding = check.run()
    # A check reports the errors that it knows; any other one must not stop the rest.
    except Exception as error:  # noqa: BLE001
        finding = failed(f"{type(error).__name__}: {error}", _UNKNOWN_FIX)
    finished.put((number, finding, time.perf_counter() - began))


def _clean(finding: Finding, secrets: Sequence[str]) -> Finding:
    return Finding(finding.status, _hidden(finding.found, secrets), _hidden(finding.fix, secrets))


def _hidden(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return printable(text.replace("\n", "; "))


def passed(outcomes: Iterable[Outcome]) -> bool:
    """Return True if no check failed."""
    return all(outcome.finding.status != "failed" for outcome in outcomes)


def report(subject: str, outcomes: Sequence[Outcome], *, as_json: bool) -> None:
    """Print the outcomes: as JSON, or as a table and a line that counts them. `subject` is the thing checked."""
    if as_json:
        problems = [
            Problem(f"{outcome.check}: {outcome.finding.found}", outcome.finding.fix)
            for outcome in outcomes
            if outcome.finding.status == "failed"
        ]
        print_result(*problems, target=subject, checks=[outcome.members() for outcome in outcomes])
        return
    _print_table(outcomes)
    counts = {
        status: sum(outcome.finding.status == status for outcome in outcomes)
        for status in ("ok", "warning", "failed", "skipped")
    }
    text = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    say(f"{subject}: {text}", "green" if passed(outcomes) else "red")


def _print_table(outcomes: Sequence[Outcome]) -> None:
    """Print a line for each outcome, and the fix below it: never broken, so that the commands in it can be copied."""
    widest = max((len(outcome.check) for outcome in outcomes), default=0)
    for outcome in outcomes:
        mark, style = _MARKS[outcome.finding.status]
        took = "" if outcome.milliseconds is None else f"{outcome.milliseconds} ms"
        line = Text(mark, style=style) + Text(f" {outcome.check:<{widest}} {took:>8}  {outcome.finding.found}")
        out.print(line, soft_wrap=True)
        if outcome.finding.fix:
            out.print(Text("  → ", style="green") + Text(as_called(outcome.finding.fix)), soft_wrap=True)
