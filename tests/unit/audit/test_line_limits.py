"""Floods of refused requests leave a bounded number of events, and the others are counted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tenantgate.audit.line_limits import (
    OF_A_TENANT,
    OF_ALL,
    OF_SIGN_INS,
    OF_THE_DEPLOYMENT,
    PERIOD,
    LeftOut,
    LineLimits,
)
from tenantgate.tokens.tenant import DEPLOYMENT
from tests.fixtures.tokens.issuer import ManualClock


@pytest.mark.parametrize(("log", "limit"), [("org-1", OF_A_TENANT), (DEPLOYMENT, OF_THE_DEPLOYMENT)])
def test_a_log_gets_a_few_events_of_a_period_and_the_number_of_the_others(log: str, limit: int) -> None:
    limits = LineLimits(clock := ManualClock())
    for _ in range(2):
        admitted = [limits.admits(log, "AUTH_TOKEN_REFUSED") for _ in range(1_000)]
        assert admitted == [True] * limit + [False] * (1_000 - limit)
        assert limits.due() == ()
        clock.pass_by(PERIOD)
        assert limits.due() == [LeftOut(log, "AUTH_TOKEN_REFUSED", 1_000 - limit)]
        assert limits.due() == ()


def test_a_flood_in_one_log_leaves_the_others_their_events() -> None:
    limits = LineLimits(ManualClock())
    for _ in range(10_000):
        limits.admits(DEPLOYMENT, "AUTH_TOKEN_REFUSED")
    assert limits.admits("org-1", "AUTH_PERMISSION_DENIED")


def test_a_flood_of_one_type_leaves_the_deployments_log_the_others() -> None:
    limits = LineLimits(ManualClock())
    for _ in range(10_000):
        limits.admits(DEPLOYMENT, "AUTH_TOKEN_REFUSED")
    assert sum(limits.admits(DEPLOYMENT, "LOGOUT_TOKEN_REFUSED") for _ in range(100)) == OF_THE_DEPLOYMENT
    assert sum(limits.admits(DEPLOYMENT, "AUTH_LOGIN_FAILED") for _ in range(1_000)) == OF_SIGN_INS


def test_many_logs_together_are_bounded_in_events_and_in_memory() -> None:
    limits = LineLimits(clock := ManualClock())
    admitted = sum(limits.admits(f"org-{number}", "AUTH_TOKEN_EXPIRED") for number in range(5_000))
    assert admitted == OF_ALL
    clock.pass_by(PERIOD)
    counts = limits.due()
    assert len(counts) == 101
    assert sum(one.number for one in counts) == 5_000 - OF_ALL
    assert counts[-1] == LeftOut(DEPLOYMENT, "AUTH_TOKEN_EXPIRED", 5_000 - OF_ALL - 100)


def test_threads_lose_no_count() -> None:
    limits = LineLimits(clock := ManualClock())
    with ThreadPoolExecutor(8) as pool:
        admitted = list(pool.map(lambda _: limits.admits("org-1", "AUTH_PERMISSION_DENIED"), range(4_000)))
    clock.pass_by(PERIOD)
    (left_out,) = limits.due()
    assert (sum(admitted), left_out.number) == (OF_A_TENANT, 4_000 - OF_A_TENANT)
