"""The short form of `make races`, and proof that it detects faults."""

from __future__ import annotations

import pytest

from races.coordinator import run_races
from tests.fixtures.databases.postgres import DatabaseUrls

pytestmark = pytest.mark.anyio


async def test_each_race_of_8_has_exactly_one_winner(database_urls: DatabaseUrls) -> None:
    run = await run_races(database_urls.app_url, races=40, callers=8, processes=2)
    assert run.findings == []
    assert run.redemptions == 40


async def test_a_lease_that_does_not_hold_is_detected(database_urls: DatabaseUrls) -> None:
    run = await run_races(database_urls.app_url, races=5, callers=8, processes=2, lease=0.0)
    assert run.findings
    assert run.redemptions > 5
