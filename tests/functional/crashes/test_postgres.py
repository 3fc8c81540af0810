"""The short form of `python -m tests.functional.crashes.postgres`, and proof that it detects lost writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres
from tests.fixtures.databases.postgres import execute
from tests.functional.crashes.comparison import compare, rows
from tests.functional.crashes.outages import HEALTHY_SECONDS, run_outages

pytestmark = [pytest.mark.timed]


def test_a_killed_postgresql_loses_nothing_that_was_acknowledged(redis_url: str, tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "postgres") as server:
        admin_url = server.start().admin_url
        done = run_outages(server, redis_url, tmp_path, kills=3, longest_outage=1.5)
        assert done.lost == []
        assert done.found == []
        assert done.acknowledged > 30
        assert max(done.healthy) < HEALTHY_SECONDS

        # Each lost write is detected.
        for statement, text in (
            ("DELETE FROM revocations WHERE kind = 'session'", "the end of a session isn't recorded"),
            ("DELETE FROM revocations WHERE kind = 'token'", "a revoked token isn't recorded"),
            ("UPDATE sessions SET secret_hash = previous_hash WHERE previous_hash IS NOT NULL", "an earlier secret"),
            ("DELETE FROM sessions", "a session is missing"),
        ):
            execute(admin_url, statement)
            found = [lost.text for lost in compare(done.visits, rows(admin_url))]
            assert any(text in one for one in found), (text, found)
