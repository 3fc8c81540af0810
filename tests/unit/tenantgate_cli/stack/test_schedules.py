"""The local stack's schedules."""

from __future__ import annotations

import asyncio
import contextlib
import json
from types import SimpleNamespace
from typing import Any

import pytest

from lambda_gateway.runtime.failures import FunctionError
from tenantgate_cli.paths import ROOT
from tenantgate_cli.stack import schedules
from tenantgate_cli.stack.schedules import SCHEDULES, Schedule, keep_schedules, schedules_for
from tenantgate_cli.stack.variables import variables_for

pytestmark = pytest.mark.anyio

FUNCTION = "SessionSweepFunction"
STORED = {"OIDC_CLIENT_SECRET": "stored", "COOKIE_SEALING_KEYS": "A" * 43}
ADDRESSES = {
    "app_url": "postgresql://app:x@127.0.0.1:5/t",
    "owner_url": "postgresql://owner:x@127.0.0.1:5/t",
    "redis_url": "redis://:x@127.0.0.1:6/0",
}


class Functions(dict[str, object]):
    """Functions of which the first invocations fail."""

    def __init__(self, *names: str) -> None:
        super().__init__(dict.fromkeys(names))
        self.invoked: list[str] = []

    async def invoke(self, name: str, payload: bytes, trace_id: str, limit: float) -> bytes:
        assert payload == b"{}"
        assert trace_id.startswith("Root=1-")
        self.invoked.append(name)
        if len(self.invoked) == 1:
            raise FunctionError("SweepFailed", "SYS_001")
        if len(self.invoked) == 2:
            raise TimeoutError
        return b"{}"


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "FAILED_SECONDS", 0.01)


async def run(functions: Functions) -> None:
    gateway: Any = SimpleNamespace(functions=functions)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.3):
            await keep_schedules(gateway, [Schedule(FUNCTION, pause=0.01, limit=1)])


async def test_it_invokes_again_after_failures() -> None:
    functions = Functions(FUNCTION)
    await run(functions)
    assert len(functions.invoked) > 2
    assert set(functions.invoked) == {FUNCTION}


async def test_a_template_without_the_function_is_served_without_it() -> None:
    functions = Functions("AuthMeFunction")
    await run(functions)
    assert functions.invoked == []


def test_the_products_template_has_every_scheduled_function() -> None:
    template = (ROOT / "template.yaml").read_text()
    assert [schedule.function for schedule in SCHEDULES if f"\n  {schedule.function}:\n" not in template] == []


@pytest.mark.parametrize(
    ("members", "polls"),
    [
        pytest.param({}, False, id="no-events"),
        pytest.param({"event_audiences": ["https://gate.example"]}, False, id="pushed"),
        pytest.param(
            {"event_audiences": ["https://gate.example"], "event_poll_url": "https://id.example/poll"},
            True,
            id="polled",
        ),
    ],
)
def test_security_events_are_polled_only_if_an_issuer_needs_it(members: dict[str, object], *, polls: bool) -> None:
    entry = {"issuer": "https://id.example", "audiences": ["api"], "tenants": "*", **members}
    given = {
        "OIDC_ISSUER_URL": "https://id.example",
        "OIDC_CLIENT_ID": "client",
        "OIDC_CLIENT_SECRET": "secret",
        "TRUSTED_ISSUERS": json.dumps([entry]),
    }
    settings = variables_for(3000, given, STORED, **ADDRESSES).settings
    expected = {schedule.function for schedule in SCHEDULES} - (set() if polls else {"SecurityEventPollFunction"})
    assert {schedule.function for schedule in schedules_for(settings)} == expected
