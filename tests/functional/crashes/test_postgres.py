"""The short form of `python -m tests.functional.crashes.postgres`, and proof that it detects lost writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres
from tests.fixtures.databases.postgres import execute
from tests.functional.crashes.outages import HEALTHY_SECONDS, run_outages

pytestmark = [pytest.mark.timed]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("postgres")) as started:
        yield started


def test_a_killed_postgresql_loses_nothing_that_was_acknowledged(
    server: EmbeddedPostgres, redis_url: str, tmp_path: Path
) -> None:
    done = run_outages(server, redis_url, tmp_path, kills=3, longest_outage=1.5)
    assert done.lost == []
    assert done.found == []
    assert done.acknowledged > 30
    assert max(done.healthy) < HEALTHY_SECONDS


def test_a_lost_commit_is_detected(server: EmbeddedPostgres, redis_url: str, tmp_path: Path) -> None:
    admin_url = server.start().admin_url
    # Commits are acknowledged before they are written.
    execute(
        admin_url,
        "ALTER ROLE tenantgate_app SET synchronous_commit = off",
        "ALTER SYSTEM SET wal_writer_delay = '10s'",
        "SELECT pg_reload_conf()",
    )
    assert run_outages(server, redis_url, tmp_path, kills=1, longest_outage=0.2, patience=0.5).lost
