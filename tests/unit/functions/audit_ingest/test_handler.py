"""The Lambda adapter: its counts, and the failed invocations that Lambda repeats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from tenantgate.audit.ingest import Ingested
from tenantgate.database.errors import DatabaseUnreachable
from tests.fixtures.process.handlers import imported_handler
from tests.fixtures.web.setup import lambda_context, log_lines
from tests.unit.functions.audit_ingest.test_delivery import data, packed

DELIVERY = packed(data("one", "two"))


class Work:
    """The ingest, whose result a test chooses, and the order of what happened."""

    def __init__(self, result: Ingested | Exception) -> None:
        self.result = result
        self.happened: list[object] = []

    async def lines(self, texts: Iterable[str]) -> Ingested:
        self.happened.append(list(texts))
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    async def dispose(self) -> None:
        self.happened.append("disposed")


@pytest.fixture
def module() -> Iterator[Any]:
    with imported_handler("audit_ingest") as found:
        yield found


def prepared(module: Any, patch: pytest.MonkeyPatch, result: Ingested | Exception) -> Work:
    work = Work(result)
    patch.setattr(module, "ingest", lambda: work)
    patch.setattr(module, "dispose_database", work.dispose)
    return work


def test_an_invocation_stores_the_lines_and_returns_the_counts(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    work = prepared(module, monkeypatch, Ingested(stored=1, known=1))
    for _ in range(2):
        assert module.lambda_handler(DELIVERY, lambda_context("r-1")) == {"stored": 1, "known": 1, "dropped": 0}
    assert work.happened == [["one", "two"], "disposed"] * 2


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        pytest.param(DatabaseUnreachable("no route"), "SYS_001", id="known"),
        pytest.param(RuntimeError("secret value"), "SYS_003", id="bug"),
    ],
)
def test_without_the_database_the_invocation_fails_with_only_a_code(
    module: Any, monkeypatch: pytest.MonkeyPatch, failure: Exception, code: str
) -> None:
    work = prepared(module, monkeypatch, failure)
    with pytest.raises(module.IngestFailed) as raised:
        module.lambda_handler(DELIVERY, lambda_context("r-1"))
    assert str(raised.value) == code
    assert raised.value.__cause__ is raised.value.__context__ is None
    assert work.happened == [["one", "two"], "disposed"]


def test_another_event_is_not_repeated(
    module: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    work = prepared(module, monkeypatch, Ingested())
    event = {"awslogs": {"data": "personal-and-secret"}}
    assert module.lambda_handler(event, lambda_context("r-1")) == {"stored": 0, "known": 0, "dropped": 1}
    assert work.happened == []
    (found,) = (one for one in log_lines(capsys.readouterr().out) if one["level"] == "ERROR")
    assert "personal" not in str(found)
