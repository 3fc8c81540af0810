"""The migration runner's results and failures, without a database; `tests/functional/migration_runner/` has one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from functions.migration_runner import actions
from tenantgate.database.errors import DatabaseUnreachable
from tests.fixtures.process.handlers import imported_handler
from tests.fixtures.web.setup import lambda_context

OWNER = "postgresql+asyncpg://owner@database.example/tenantgate"
APPLICATION = "postgresql+asyncpg://role@database.example/tenantgate"
REQUEST_ID = "request-0000-0001"


class Migrator:
    """A stand-in for the module `database.migrator`, which records its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str | None, ...]] = []

    def head(self) -> str:
        return "0007"

    def current(self, url: str) -> str:
        return "0006"

    def upgrade_sql(self, url: str, revision: str) -> str:
        self.calls.append(("sql", url, revision))
        return "CREATE TABLE"

    def upgrade(self, url: str, revision: str, *, application_url: str | None) -> SimpleNamespace:
        self.calls.append(("upgrade", url, revision, application_url))
        return SimpleNamespace(before="0006", after="0007")

    def downgrade(self, url: str, revision: str) -> SimpleNamespace:
        self.calls.append(("downgrade", url, revision))
        return SimpleNamespace(before="0007", after="0006")


@pytest.fixture
def migrator() -> Migrator:
    return Migrator()


@pytest.fixture(params=[None, APPLICATION], ids=["without-an-application", "with-one"])
def handler(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, migrator: Migrator) -> Iterator[Any]:
    variables = {} if request.param is None else {"DATABASE_URL": request.param}
    with imported_handler("migration_runner", DATABASE_OWNER_URL=OWNER, **variables) as module:
        monkeypatch.setattr(actions, "migrator", migrator)
        module.application = request.param
        yield module


@pytest.mark.parametrize(
    ("event", "calls", "result"),
    [
        pytest.param({"action": "current"}, [], {"revision": "0006", "head": "0007"}, id="current"),
        pytest.param(
            {"action": "upgrade"},
            [("upgrade", OWNER, "head")],
            {"before": "0006", "after": "0007"},
            id="upgrade",
        ),
        pytest.param(
            {"action": "upgrade", "revision": "0007"},
            [("upgrade", OWNER, "0007")],
            {"before": "0006", "after": "0007"},
            id="upgrade-to",
        ),
        pytest.param(
            {"action": "downgrade", "revision": "-1"},
            [("downgrade", OWNER, "-1")],
            {"before": "0007", "after": "0006"},
            id="downgrade",
        ),
        pytest.param(
            {"action": "dry-run", "revision": "+1"}, [("sql", OWNER, "+1")], {"sql": "CREATE TABLE"}, id="dry-run"
        ),
    ],
)
def test_an_action_returns_its_result(
    *, handler: Any, migrator: Migrator, event: dict[str, str], calls: list[tuple[str, ...]], result: dict[str, str]
) -> None:
    assert handler.lambda_handler(event, lambda_context(REQUEST_ID)) == {"action": event["action"], **result}
    # Only a deployment that names its application's user has one to log in.
    login = (handler.application,)
    assert migrator.calls == [(*call, *login) if call[0] == "upgrade" else call for call in calls]


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        pytest.param(DatabaseUnreachable("no route"), "SYS_001", id="known"),
        pytest.param(RuntimeError("a bug"), "SYS_003", id="bug"),
    ],
)
def test_a_failure_has_our_error_shape_and_no_chain_of_causes(
    monkeypatch: pytest.MonkeyPatch, *, handler: Any, migrator: Migrator, failure: Exception, code: str
) -> None:
    def fail(*_: str, **__: object) -> None:
        raise failure

    monkeypatch.setattr(migrator, "upgrade", fail)
    with pytest.raises(handler.RunnerFailed) as raised:
        handler.lambda_handler({"action": "upgrade"}, lambda_context(REQUEST_ID))
    body = json.loads(str(raised.value))
    assert (body["error"]["code"], body["error"]["request_id"]) == (code, REQUEST_ID)
    assert body["remedy"]
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None
    assert migrator.calls == []


def test_an_invalid_event_runs_nothing(handler: Any, migrator: Migrator) -> None:
    with pytest.raises(handler.RunnerFailed, match="VAL_001"):
        handler.lambda_handler({"action": "drop"}, lambda_context(REQUEST_ID))
    assert migrator.calls == []


def test_wrong_settings_fail_each_invocation_and_not_the_start(migrator: Migrator) -> None:
    with (
        imported_handler("migration_runner", DATABASE_OWNER_URL=OWNER, LOG_LEVEL="LOUD") as module,
        pytest.raises(module.RunnerFailed, match="SYS_003"),
    ):
        module.lambda_handler({"action": "current"}, lambda_context(REQUEST_ID))
    assert migrator.calls == []
