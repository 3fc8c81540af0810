"""The short form of `python -m tests.functional.crashes.processes`, and proof that it detects what is missing."""

from __future__ import annotations

from pathlib import Path

from tests.fixtures.databases.postgres import DatabaseUrls
from tests.functional.crashes.acting import run_acts
from tests.functional.crashes.events import WITHOUT_ACT, compare, compare_tables


def test_an_act_and_its_event_are_both_committed_or_neither_when_a_server_is_killed(
    database_urls: DatabaseUrls, redis_url: str, tmp_path: Path
) -> None:
    done = run_acts(database_urls, redis_url, tmp_path, acts=80, containers=2, people=8, calm=2)
    assert done.found == []
    assert done.kills > 0
    assert done.acknowledged > 50
    kinds = {event["event_type"] for event in done.tables["audit_events"]} - WITHOUT_ACT
    assert len(kinds) > 3

    # An event that is missing, and one that another transaction has, are detected, for each type.
    events = {one.after["event_type"]: one for one in done.noted if one.relation == "audit_events"}
    assert set(events) - WITHOUT_ACT == kinds
    for kind in kinds:
        event = events[kind]
        others = [one for one in done.noted if one is not event]
        assert ["has no event" in finding for finding in compare(others)] == [True], kind
        elsewhere = [*others, event._replace(xid="0")]
        assert sorted("has no act" in finding for finding in compare(elsewhere)) == [False, True], kind

    # Also by a reader who knows no transaction.
    recorded = done.tables["audit_events"]
    for kind in ("AUTH_LOGIN_SUCCESS", "AUTH_LOGOUT", "SESSION_ENDED", "TENANT_REGISTERED"):
        first = next((one for one in recorded if one["event_type"] == kind), None)
        if first is not None:
            rest = [one for one in recorded if one is not first]
            assert list(compare_tables({**done.tables, "audit_events": rest})), kind

    for missing in ("audit_leaves", "audit_events"):
        fewer = {**done.tables, missing: done.tables[missing][1:]}
        assert any("neither sealed nor queued" in finding for finding in compare_tables(fewer))
