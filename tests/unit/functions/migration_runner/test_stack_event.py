"""Every request of CloudFormation gets a response, also if the migration fails or hangs."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from urllib.parse import SplitResult

import pytest

from functions.migration_runner import stack_event
from functions.migration_runner.custom_resource import ResponseLost
from tenantgate.database.errors import DatabaseUnreachable, MadeByNewer, MigrationFailed
from tenantgate.errors.base import InternalError, ValidationFailed
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.settings.errors import SettingsError
from tests.fixtures.process.settings import process_settings
from tests.unit.functions.migration_runner.test_custom_resource import EVENT

APPLICATION = "postgresql+asyncpg://app:app-canary@db.example/tenantgate"
OWNER = "postgresql+asyncpg://owner:owner-canary@db.example/tenantgate"


@dataclass
class World:
    """The handler's surroundings: the migrator, the login and CloudFormation."""

    upgrade: Callable[..., Any]
    calls: list[tuple[object, ...]] = field(default_factory=list)
    responses: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(lambda *_, **__: SimpleNamespace(before="0006", after="0007"))

    def upgrade(url: str, revision: str, **options: Any) -> Any:
        made.calls.append(("upgrade", url, revision, options["application_url"]))
        assert options["seconds"] > 0
        return made.upgrade()

    def put(url: SplitResult, body: bytes, *, seconds: float) -> None:
        assert url.geturl() == EVENT["ResponseURL"]
        assert seconds > 0
        made.responses.append(json.loads(body))

    migrator = SimpleNamespace(upgrade=upgrade, revisions=lambda: ["0006", "0007"], head=lambda: "0007")
    monkeypatch.setattr(stack_event, "migrator", migrator)
    monkeypatch.setattr(stack_event, "ensure_login", lambda *urls: made.calls.append(("login", *urls)))
    monkeypatch.setattr(stack_event, "WRITER_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(stack_event, "put", put)
    with process_settings(DATABASE_URL=APPLICATION, DATABASE_OWNER_URL=OWNER):
        yield made


def context(seconds: float = 60.0) -> Any:
    return SimpleNamespace(get_remaining_time_in_millis=lambda: int(seconds * 1000))


def respond(*, wrong_settings: SettingsError | None = None, seconds: float = 60.0, **changes: object) -> dict[str, Any]:
    return stack_event.respond(EVENT | changes, wrong_settings=wrong_settings, context=context(seconds))


def failing(world: World, error: BaseException) -> None:
    def fail() -> None:
        raise error

    world.upgrade = fail


@pytest.mark.parametrize("kind", ["Create", "Update"])
@pytest.mark.parametrize(
    ("properties", "target"), [({}, "head"), ({"SchemaRevision": "0006"}, "0006"), ({"SchemaRevision": "0007"}, "0007")]
)
def test_create_and_update_migrate_and_open_the_login_together(
    *, world: World, kind: str, properties: dict[str, str], target: str
) -> None:
    reported = respond(RequestType=kind, ResourceProperties=properties)
    assert world.calls == [("upgrade", OWNER, target, APPLICATION)]
    assert reported["status"] == "SUCCESS"
    assert [(sent["Status"], sent["Data"]) for sent in world.responses] == [("SUCCESS", {"SchemaRevision": "0007"})]


@pytest.mark.parametrize("wrong", [None, SettingsError({"LOG_LEVEL": "x"}, {})], ids=["right", "wrong-settings"])
def test_delete_does_nothing(world: World, wrong: SettingsError | None) -> None:
    respond(RequestType="Delete", wrong_settings=wrong)
    assert world.calls == []
    assert world.responses[0]["Status"] == "SUCCESS"


def test_a_newer_database_is_a_success_without_a_migration(world: World) -> None:
    failing(world, MadeByNewer("newer", detail={"revision": "0009", "newest_known": "0007"}))
    respond(RequestType="Update")
    assert world.calls[1:] == [("login", OWNER, APPLICATION)]
    assert (world.responses[0]["Status"], world.responses[0]["Data"]) == ("SUCCESS", {"SchemaRevision": "0009"})


@pytest.mark.parametrize(
    ("error", "reported"),
    [
        pytest.param(
            MigrationFailed("a migration failed", detail={"stopped_at": "0006", "reason": "syntax error"}),
            "SYS_008 A migration failed. stopped_at: 0006, reason: syntax error.",
            id="migration",
        ),
        pytest.param(DatabaseUnreachable("OperationalError", error="canary"), "SYS_001 ", id="unreachable"),
        pytest.param(SecretsUnavailable("the secret can't be used", failure="canary"), "SYS_002 ", id="secret"),
        pytest.param(RuntimeError("canary"), "an unexpected RuntimeError", id="bug"),
        pytest.param(SystemExit("canary"), "an unexpected SystemExit", id="exit"),
        pytest.param(MemoryError(), "an unexpected MemoryError", id="memory"),
    ],
)
def test_a_failure_is_reported_without_a_secret(world: World, error: BaseException, reported: str) -> None:
    failing(world, error)
    assert respond()["status"] == "FAILED"
    [sent] = world.responses
    assert sent["Status"] == "FAILED"
    assert sent["Reason"].startswith(reported)
    assert "canary" not in json.dumps(sent)
    assert "db.example" not in json.dumps(sent)


def test_wrong_settings_are_reported_by_name(world: World) -> None:
    respond(wrong_settings=SettingsError({"LOG_LEVEL": "must be", "DATABASE_URL": "set"}, {"LOG_LEVEL": "canary"}))
    assert world.responses[0]["Status"] == "FAILED"
    assert "LOG_LEVEL, DATABASE_URL;" in world.responses[0]["Reason"]
    assert "canary" not in world.responses[0]["Reason"]
    assert world.calls == []


def test_a_template_of_another_version_is_reported(world: World) -> None:
    respond(ResourceProperties={"SchemaRevision": "0008"})
    assert "the code has no revision 0008; its newest is 0007" in world.responses[0]["Reason"]
    assert world.calls == []


def test_a_migration_that_hangs_gets_a_response_in_time(world: World) -> None:
    release = threading.Event()
    world.upgrade = release.wait
    assert respond(seconds=4.0)["status"] == "FAILED"
    release.set()
    assert world.responses[0]["Reason"] == "the migration has not ended in the function's time"


def test_a_lost_response_fails_the_invocation_so_that_lambda_repeats_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(*_: object, **__: object) -> None:
        raise ResponseLost("status 503")

    monkeypatch.setattr(stack_event, "put", lose)
    with pytest.raises(InternalError) as lost:
        respond()
    assert lost.value.__context__ is None
    assert lost.value.private == {"problem": "status 503"}


LOCAL = {"ENVIRONMENT": "development", "PUBLIC_BASE_URL": "http://localhost:3000"}
DEPLOYED = {
    "ENVIRONMENT": "development",
    "PUBLIC_BASE_URL": "https://auth.example.com",
    "ALLOWED_ORIGINS": "https://a.example",
}


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [(DEPLOYED, None), ({"ENVIRONMENT": "test"}, None), (LOCAL, SettingsError({"LOG_LEVEL": "x"}, {}))],
    ids=["deployed", "test", "wrong-settings"],
)
def test_only_a_local_development_stack_sends_to_this_machine(
    world: World, settings: dict[str, str], wrong: SettingsError | None
) -> None:
    with process_settings(**settings), pytest.raises(ValidationFailed):
        respond(ResponseURL="http://127.0.0.1:9/a", wrong_settings=wrong)
    assert world.calls == []
    assert world.responses == []
