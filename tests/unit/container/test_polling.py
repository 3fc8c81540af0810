"""The container's polls for security events."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from container.polling import polling
from tenantgate.errors.tokens import ProviderUnreachable
from tests.fixtures.tokens.issuer import policy_of

pytestmark = pytest.mark.anyio

ENTRY = {"issuer": "https://other.example", "audiences": ["a"], "tenants": "*", "event_audiences": ["b"]}
PUSHES = policy_of(trusted_issuers=json.dumps([ENTRY]))
POLLED = policy_of(trusted_issuers=json.dumps([ENTRY | {"event_poll_url": "https://other.example/poll"}]))


async def test_polls_again_after_a_failure_and_stops_with_the_block(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    calls = 0

    async def work() -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ProviderUnreachable("refused")

    async with polling(POLLED, work, every=0.01), asyncio.timeout(5):
        while calls < 3:
            await asyncio.sleep(0.01)
    ended = calls
    await asyncio.sleep(0.05)
    assert calls == ended
    assert [vars(record)["context"]["task"] for record in caplog.records] == ["security event poll"]


async def test_without_an_issuer_to_poll_nothing_runs() -> None:
    async def work() -> None:
        raise AssertionError("no issuer has event_poll_url")

    async with polling(PUSHES, work, every=0.001):
        await asyncio.sleep(0.02)
