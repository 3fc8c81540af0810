"""The short form of `python -m tests.functional.crashes.valkey`, and proof that it detects wrong decisions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tenantgate_cli.stack.servers.valkey import EmbeddedValkey
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.databases.valkey import start_valkey
from tests.functional.crashes.decisions import BOUND_SECONDS, FAULTS, RECOVERED_SECONDS, run_decisions

pytestmark = [pytest.mark.timed, pytest.mark.anyio]


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    server = start_valkey(tmp_path_factory.mktemp("valkey"))
    yield server
    server.stop()


async def test_no_decision_is_wrong_while_valkey_is_killed_frozen_and_emptied(
    database_urls: DatabaseUrls, valkey: EmbeddedValkey, tmp_path: Path
) -> None:
    done = await run_decisions(
        database_urls.app_url,
        valkey,
        tmp_path,
        decisions=3_000,
        faults=lambda: iter([(fault, 0.8) for fault in FAULTS]),
    )
    assert done.found == []
    assert done.wrong == 0
    assert done.allowed > 500
    assert done.refused > 500
    assert done.revoked > 20
    assert done.latest < BOUND_SECONDS
    assert max(done.recovered) < RECOVERED_SECONDS


async def test_a_revoked_credential_that_is_allowed_is_detected(
    database_urls: DatabaseUrls, valkey: EmbeddedValkey, tmp_path: Path
) -> None:
    """Authorizers look for a newer list every half second, so that one bound of no time is broken again and again."""
    # A run has a few revocations, and only by chance a request in the moment after one of them.
    for attempt in range(8):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        done = await run_decisions(
            database_urls.app_url, valkey, folder, decisions=8_000, faults=lambda: iter(()), bound=0.0
        )
        if done.wrong:
            break
    assert done.wrong > 0
    assert "after its revocation" in done.found[0]
