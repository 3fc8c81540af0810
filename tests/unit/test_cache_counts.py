"""Hits and misses: counted by use, and written about once a minute, at the end of a request."""

from __future__ import annotations

import json
import logging

import pytest

from tenantgate import cache_counts
from tenantgate.cache_counts import EVERY_SECONDS, LAST_USES, SESSIONS, Counts
from tenantgate.context import RequestContext, begin_request, end_request
from tenantgate.observability.logging import configure_logging


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(cache_counts, "time", made)
    return made


def contexts(records: list[logging.LogRecord]) -> list[dict[str, object]]:
    return [record.__dict__["context"] for record in records]


def test_each_use_has_one_line_a_minute(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    counts = Counts()
    for found in (True, True, False, None):
        counts.add(SESSIONS, found)
    counts.add(LAST_USES, found=False)
    counts.write_if_due()
    clock.now += EVERY_SECONDS - 0.1
    counts.write_if_due()
    assert caplog.records == []

    clock.now += 0.1
    counts.write_if_due()
    counts.write_if_due()
    assert contexts(caplog.records) == [
        {"use": SESSIONS, "cache_hits": 2, "cache_misses": 1, "cache_failures": 1},
        {"use": LAST_USES, "cache_hits": 0, "cache_misses": 1, "cache_failures": 0},
    ]

    caplog.clear()
    counts.add(SESSIONS, found=True)
    clock.now += EVERY_SECONDS
    counts.write_if_due()
    assert contexts(caplog.records) == [{"use": SESSIONS, "cache_hits": 1, "cache_misses": 0, "cache_failures": 0}]


def test_a_minute_without_readings_has_no_line(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    counts = Counts()
    clock.now += 10 * EVERY_SECONDS
    counts.write_if_due()
    assert caplog.records == []


def test_the_process_writes_its_counts_at_the_end_of_a_request_as_metrics_at_any_log_level(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cache_counts._counts, "_by_use", {})
    monkeypatch.setattr(cache_counts._counts, "_next", 0.0)
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        configure_logging(level="ERROR", service="auth_validate")
        begin_request(RequestContext("request-1", user_id="user-1", tenant_id="tenant-1"))
        cache_counts.count(SESSIONS, found=True)
        assert capsys.readouterr().out == ""
        end_request()
    finally:
        logging.getLogger().handlers[:] = handlers
        logging.getLogger().setLevel(level)
    line = json.loads(capsys.readouterr().out)
    [directive] = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Tenantgate"
    assert directive["Dimensions"] == [["service", "use"]]
    assert [metric["Name"] for metric in directive["Metrics"]] == ["cache_hits", "cache_misses", "cache_failures"]
    assert (line["service"], line["use"]) == ("auth_validate", SESSIONS)
    assert (line["cache_hits"], line["cache_misses"], line["cache_failures"]) == (1, 0, 0)
    assert line["message"] == "readings of the cache"
    # The request at whose end the line is written is any one of many.
    assert (line["request_id"], line["user_id"], line["tenant_id"]) == (None, None, None)
