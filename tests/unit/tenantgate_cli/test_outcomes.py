"""Checks that run at the same time: their limits, their order, and the texts that they must not print."""

from __future__ import annotations

import json
import threading
import time

import pytest

from tenantgate_cli.outcomes import Check, Finding, failed, ok, passed, report, run_all, skipped, warning


def returning(finding: Finding, after: float = 0.0) -> Check:
    def run() -> Finding:
        time.sleep(after)
        return finding

    return Check("part", run)


def test_the_outcomes_have_the_order_of_the_checks_and_run_at_the_same_time() -> None:
    together = threading.Barrier(3)

    def run() -> Finding:
        together.wait(10)
        return ok("")

    outcomes = run_all([Check(name, run) for name in ("a", "b", "c")])

    assert [(outcome.check, outcome.finding.status) for outcome in outcomes] == [("a", "ok"), ("b", "ok"), ("c", "ok")]


def test_a_check_that_hangs_fails_at_its_limit_and_delays_no_other() -> None:
    forever = threading.Event()

    def hang() -> Finding:
        forever.wait()
        return ok("")

    began = time.monotonic()
    slow, fast = run_all([Check("slow", hang, 0.2, "start it again"), returning(ok("fine"))])
    forever.set()

    assert time.monotonic() - began < 5
    assert slow.finding == failed("no result within 0.2 s", "start it again")
    assert fast.finding == ok("fine")


def test_an_unexpected_error_is_a_failure_of_that_check_only() -> None:
    def broken() -> Finding:
        raise KeyError("it")

    first, second = run_all([Check("broken", broken), returning(ok("fine"))])

    assert (first.finding.status, first.finding.found) == ("failed", "KeyError: 'it'")
    assert second.finding.status == "ok"


def test_no_text_contains_a_secret_or_writes_to_the_terminal() -> None:
    def broken() -> Finding:
        raise ValueError("password s3cret-and-more refused\x1b[2J")

    (outcome,) = run_all([Check("part", broken)], ["s3cret", "s3cret-and-more", ""])

    assert outcome.finding.found == "ValueError: password *** refused?[2J"


def test_only_a_failure_fails() -> None:
    fine = run_all([returning(ok("")), returning(warning("", "")), returning(skipped(""))])

    assert passed(fine)
    assert not passed([*fine, *run_all([returning(failed("", ""))])])


def test_the_json_has_its_declared_shape(capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = run_all([returning(ok("one")), returning(warning("two", "fix")), returning(failed("three", "repair"))])

    report("the thing", outcomes, as_json=True)
    shown = json.loads(capsys.readouterr().out)

    assert set(shown) == {"ok", "target", "checks", "problems"}
    assert (shown["ok"], shown["target"]) == (False, "the thing")
    assert all(set(check) == {"check", "status", "found", "fix", "milliseconds"} for check in shown["checks"])
    assert all(isinstance(check["milliseconds"], int) for check in shown["checks"])
    assert shown["problems"] == [{"problem": "part: three", "remedy": "repair"}]


def test_the_table_has_a_line_for_each_check_and_the_fix_below_it(capsys: pytest.CaptureFixture[str]) -> None:
    report("the thing", run_all([returning(ok("one")), returning(failed("two", "repair it"))]), as_json=False)
    lines = capsys.readouterr().out.splitlines()

    assert lines[0].startswith("✓ part ")
    assert lines[1].startswith("✗ part ")
    assert lines[1].endswith(" ms  two")
    assert lines[2:] == ["  → repair it", "the thing: 1 ok, 1 failed"]
