"""The Lambda adapters that a schedule or an operator invokes: what they return, and how they fail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.sessions.tasks import Swept
from tenantgate.signals.tasks import Polled
from tests.fixtures.process.handlers import imported_handler
from tests.fixtures.web.setup import lambda_context, log_lines

REQUEST_ID = "request-0000-0001"

# Function, its work's name, its error, and a result of the work.
REPEATED = [
    pytest.param("session_sweep", "sweep", "SweepFailed", Swept(tenants=2, sessions=3), id="session_sweep"),
    pytest.param("security_event_poll", "poll", "PollFailed", Polled(accepted=2, refused=1), id="security_event_poll"),
]
OF_EVERY_KIND = pytest.mark.parametrize(("function", "work", "error", "result"), REPEATED)


class Handler:
    """The module of a handler, whose work is replaced, and the order of what happened."""

    def __init__(
        self, module: Any, patch: pytest.MonkeyPatch, work: str, done: Callable[[], Awaitable[object]]
    ) -> None:
        self.happened: list[str] = []
        self._module = module

        async def working() -> object:
            self.happened.append("work")
            return await done()

        patch.setattr(module, work, working)
        for name in ("dispose_cache", "dispose_database"):
            patch.setattr(module, name, self._disposal(name))

    def invoke(self) -> Any:
        return self._module.lambda_handler({"any": "event"}, lambda_context(REQUEST_ID))

    def _disposal(self, name: str) -> Callable[[], Awaitable[None]]:
        async def dispose() -> None:
            self.happened.append(name)

        return dispose


def failing(error: Exception) -> Callable[[], Awaitable[object]]:
    async def fail() -> object:
        raise error

    return fail


@OF_EVERY_KIND
def test_an_invocation_returns_the_counts_and_closes_its_connections(
    monkeypatch: pytest.MonkeyPatch, *, function: str, work: str, error: str, result: Any
) -> None:
    async def done() -> object:
        return result

    with imported_handler(function) as module:
        handler = Handler(module, monkeypatch, work, done)
        assert error == module.__dict__[error].__name__
        for _ in range(2):
            returned = handler.invoke()
            assert json.loads(json.dumps(returned)) == {name: getattr(result, name) for name in returned}
            assert set(returned) == set(type(result).__dataclass_fields__)
        assert handler.happened == ["work", "dispose_cache", "dispose_database"] * 2


@OF_EVERY_KIND
@pytest.mark.parametrize(
    ("failure", "code"),
    [
        pytest.param(lambda: DatabaseUnreachable("no route"), "SYS_001", id="known"),
        pytest.param(lambda: RuntimeError("a bug"), "SYS_003", id="bug"),
    ],
)
def test_a_failure_is_a_failed_invocation_with_only_its_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    function: str,
    work: str,
    error: str,
    result: object,
    failure: Callable[[], Exception],
    code: str,
) -> None:
    with imported_handler(function) as module:
        handler = Handler(module, monkeypatch, work, failing(failure()))
        with pytest.raises(module.__dict__[error]) as raised:
            handler.invoke()
    assert str(raised.value) == code
    # The runtime prints the chain of causes.
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None
    assert handler.happened == ["work", "dispose_cache", "dispose_database"]
    (line,) = (line for line in log_lines(capsys.readouterr().out) if line["level"] == "ERROR")
    assert (line["service"], line["request_id"]) == (function, REQUEST_ID)
    assert line["context"].get("error_code", "SYS_003") == code


class Republisher:
    """Publications of which some succeed. `seconds`: for which it was to run."""

    def __init__(self, published: int, failed: int) -> None:
        self.result = published, failed
        self.seconds = 0.0

    async def run(self, seconds: float) -> tuple[int, int]:
        self.seconds = seconds
        await asyncio.sleep(0)
        return self.result


@pytest.fixture
def republisher() -> Iterator[Any]:
    with imported_handler("revocation_republisher") as module:
        yield module


@pytest.mark.parametrize(
    ("left", "seconds"),
    [
        pytest.param(60_000, 58.0, id="a-minute"),
        pytest.param(900_000, 58.0, id="never-longer-than-the-schedule"),
        pytest.param(30_000, 28.0, id="a-shorter-time-out"),
    ],
)
def test_the_republisher_ends_before_its_time_is_over(
    monkeypatch: pytest.MonkeyPatch, republisher: Any, *, left: int, seconds: float
) -> None:
    made = Republisher(published=57, failed=1)
    monkeypatch.setattr(republisher, "republisher", lambda: made)
    context = SimpleNamespace(aws_request_id=REQUEST_ID, get_remaining_time_in_millis=lambda: left)
    assert republisher.lambda_handler({}, context) == {"published": 57, "failed": 1}
    assert made.seconds == seconds


@pytest.mark.parametrize(
    ("made", "message"),
    [
        pytest.param(None, "REDIS_URL is not set", id="no-cache"),
        pytest.param(Republisher(published=0, failed=58), "no publication succeeded", id="none-succeeded"),
    ],
)
def test_a_republisher_that_published_nothing_fails(
    monkeypatch: pytest.MonkeyPatch, republisher: Any, *, made: Republisher | None, message: str
) -> None:
    disposed: list[str] = []

    async def dispose() -> None:
        disposed.append("database")

    monkeypatch.setattr(republisher, "republisher", lambda: made)
    monkeypatch.setattr(republisher, "dispose_database", dispose)
    context = SimpleNamespace(aws_request_id=REQUEST_ID, get_remaining_time_in_millis=lambda: 60_000)
    with pytest.raises(republisher.PublicationFailed, match=f"^{message}$"):
        republisher.lambda_handler({}, context)
    assert disposed == ["database"]
