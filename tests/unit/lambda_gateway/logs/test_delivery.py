"""Deliveries of lines: packed as CloudWatch Logs does, repeated when they fail, bounded, and in order."""

from __future__ import annotations

import asyncio
import gzip
import json
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import pytest

from lambda_gateway.logs import delivery
from lambda_gateway.logs.delivery import MOST_LINES, Deliveries, packed
from lambda_gateway.model import Subscription
from lambda_gateway.runtime.failures import FunctionError

pytestmark = pytest.mark.anyio
SUBSCRIPTION = Subscription("Marked", "Group", "Ingest", lambda line: "marked" in line)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "COLLECTED_FOR", 0.01)


def content_of(event: bytes) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(gzip.decompress(b64decode(json.loads(event)["awslogs"]["data"])))
    return content


class Target:
    """A function that fails as often as `failures` says. `lines`: of each invocation."""

    def __init__(self, *failures: Callable[[], Exception]) -> None:
        self.failures = [*failures]
        self.lines: list[list[str]] = []

    async def invoke(self, name: str, payload: bytes, trace_id: str, limit: float) -> bytes:
        assert name == "Ingest"
        assert trace_id
        assert limit > 0
        self.lines.append([one["message"] for one in content_of(payload)["logEvents"]])
        await asyncio.sleep(0)
        if self.failures:
            make = self.failures.pop(0)
            raise make()
        return b"{}"


def deliveries(target: Target) -> Deliveries:
    return Deliveries(SUBSCRIPTION, target.invoke, pauses=(0.0, 0.0))


def failed() -> Exception:
    return FunctionError("IngestFailed", "SYS_001")


def test_an_event_has_the_form_of_cloudwatch_logs() -> None:
    content = content_of(packed([(17, "marked ü")], SUBSCRIPTION))
    (one,) = content.pop("logEvents")
    assert (one["timestamp"], one["message"]) == (17, "marked ü")
    assert content == {
        "messageType": "DATA_MESSAGE",
        "owner": "123456789012",
        "logGroup": "Group",
        "logStream": "local",
        "subscriptionFilters": ["Marked"],
    }


async def test_lines_that_match_are_delivered_together_and_in_order() -> None:
    target = Target()
    made = deliveries(target)
    for number in range(MOST_LINES + 3):
        made.line(f"marked {number}")
        made.line(f"other {number}")
    await made.stop(5)
    assert [len(one) for one in target.lines] == [MOST_LINES, 3]
    assert [line for one in target.lines for line in one] == [f"marked {number}" for number in range(MOST_LINES + 3)]


@pytest.mark.parametrize(
    ("failures", "invocations"),
    [
        pytest.param([failed], 2, id="once"),
        pytest.param([failed, TimeoutError], 3, id="twice"),
        pytest.param([failed] * 5, 3, id="for-good"),
    ],
)
async def test_a_failed_delivery_is_repeated_twice(failures: list[Callable[[], Exception]], invocations: int) -> None:
    target = Target(*failures)
    made = deliveries(target)
    made.line("marked 1")
    await made.stop(5)
    assert target.lines == [["marked 1"]] * invocations
    target.failures.clear()
    # A delivery that failed for good doesn't keep the next one.
    made.line("marked 2")
    await made.stop(5)
    assert target.lines[-1] == ["marked 2"]


async def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "MOST_WAITING", 4)
    target = Target()
    made = deliveries(target)
    for number in range(10):
        made.line(f"marked {number}")
    await made.stop(5)
    assert target.lines == [[f"marked {number}" for number in range(6, 10)]]


async def test_the_end_waits_for_a_bounded_time() -> None:
    class Hanging(Target):
        async def invoke(self, name: str, payload: bytes, trace_id: str, limit: float) -> bytes:
            await asyncio.sleep(60)
            return payload

    made = deliveries(Hanging())
    made.line("marked")
    began = asyncio.get_running_loop().time()
    await made.stop(0.1)
    assert asyncio.get_running_loop().time() - began < 5
