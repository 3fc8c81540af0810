"""Secrets from a simulated Secrets Manager and from the environment (B2)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest
import stamina
from moto import mock_aws

from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.secrets.store import ATTEMPTS, REFRESH_SECONDS, RETRY_AFTER_SECONDS, SecretStore

pytestmark = pytest.mark.anyio

KEY = base64.urlsafe_b64encode(hashlib.sha256(b"a key").digest()).decode()
MEMBERS = {"OIDC_CLIENT_SECRET": "first-value", "COOKIE_SEALING_KEYS": KEY}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class CountingClient:
    """Returns `members`, or fails while they are None. Counts the calls."""

    def __init__(self, members: Mapping[str, str] | None) -> None:
        self.members = members
        self.calls = 0

    def get_secret_value(self, *, SecretId: str) -> Mapping[str, Any]:  # noqa: N803
        self.calls += 1
        if self.members is None:
            raise ConnectionError("Secrets Manager can't be reached")
        return {"SecretString": json.dumps(self.members)}


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=ATTEMPTS):
        yield


@pytest.fixture
def clock() -> Clock:
    return Clock()


def store(client: CountingClient, clock: Clock, *, fall_back: bool = False) -> SecretStore:
    return SecretStore(
        secret_id="tenantgate",
        environment={"OIDC_CLIENT_SECRET": "local-value", "COOKIE_SEALING_KEYS": KEY},
        client=lambda: client,
        fall_back_to_environment=fall_back,
        clock=clock,
    )


async def test_a_secret_rotated_in_secrets_manager_is_picked_up(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        client = boto3.client("secretsmanager", region_name="eu-central-1")
        client.create_secret(Name="tenantgate", SecretString=json.dumps(MEMBERS))
        secrets = SecretStore(
            secret_id="tenantgate", environment={}, client=lambda: client, fall_back_to_environment=False, clock=clock
        )

        assert await secrets.get("OIDC_CLIENT_SECRET") == "first-value"
        client.put_secret_value(SecretId="tenantgate", SecretString=json.dumps(MEMBERS | {"OIDC_CLIENT_SECRET": "new"}))
        clock.now += REFRESH_SECONDS

        assert await secrets.get("OIDC_CLIENT_SECRET") == "new"


async def test_a_failing_read_is_tried_three_times_and_then_refused(clock: Clock) -> None:
    client = CountingClient(None)

    with pytest.raises(SecretsUnavailable):
        await store(client, clock).get("OIDC_CLIENT_SECRET")

    assert client.calls == ATTEMPTS == 3


def test_the_environment_is_the_only_source_without_a_secret_id(clock: Clock) -> None:
    def never() -> CountingClient:
        raise AssertionError("no client is loaded")

    secrets = SecretStore(
        secret_id=None,
        environment={"OIDC_CLIENT_SECRET": "local-value"},
        client=never,
        fall_back_to_environment=False,
        clock=clock,
    )
    secrets.prepare()

    assert secrets.get_now("OIDC_CLIENT_SECRET") == "local-value"


@pytest.mark.parametrize("fall_back", [True, False])
def test_a_failing_read_falls_back_only_where_it_may(clock: Clock, *, fall_back: bool) -> None:
    client = CountingClient(None)
    secrets = store(client, clock, fall_back=fall_back)

    if fall_back:
        assert secrets.get_now("OIDC_CLIENT_SECRET") == "local-value"
    else:
        with pytest.raises(SecretsUnavailable):
            secrets.get_now("OIDC_CLIENT_SECRET")
    assert client.calls == ATTEMPTS


def test_a_second_caller_uses_the_read_of_the_first(clock: Clock) -> None:
    client = CountingClient(MEMBERS)
    secrets = store(client, clock)

    assert secrets.get_now("OIDC_CLIENT_SECRET") == "first-value"
    assert secrets.get_now("OIDC_CLIENT_SECRET") == "first-value"

    assert client.calls == 1


async def test_what_is_in_memory_survives_an_outage_and_recovers(clock: Clock) -> None:
    client = CountingClient(MEMBERS)
    secrets = store(client, clock)
    await secrets.get("OIDC_CLIENT_SECRET")
    client.members = None
    clock.now += REFRESH_SECONDS

    assert await secrets.get("OIDC_CLIENT_SECRET") == "first-value"
    assert (await secrets.check()).status == "stale"

    client.members = MEMBERS | {"OIDC_CLIENT_SECRET": "after"}
    clock.now += RETRY_AFTER_SECONDS
    assert await secrets.get("OIDC_CLIENT_SECRET") == "after"
    assert (await secrets.check()).status == "ok"


def test_a_sealer_is_made_from_the_keys_in_memory_without_another_read(clock: Clock) -> None:
    client = CountingClient(MEMBERS)
    secrets = store(client, clock)
    first = secrets.sealer_now()
    client.members = None
    clock.now += REFRESH_SECONDS
    assert secrets.sealer_now() is first
    assert client.calls == 1


def test_without_keys_in_memory_a_sealer_needs_a_read(clock: Clock) -> None:
    with pytest.raises(SecretsUnavailable):
        store(CountingClient(None), clock).sealer_now()
    with pytest.raises(SecretsUnavailable):
        store(CountingClient({**MEMBERS, "COOKIE_SEALING_KEYS": "x"}), clock).sealer_now()


async def test_an_outage_does_not_cause_a_read_at_every_request(clock: Clock) -> None:
    client = CountingClient(None)
    secrets = store(client, clock)
    for _ in range(5):
        with pytest.raises(SecretsUnavailable):
            await secrets.get("OIDC_CLIENT_SECRET")

    assert client.calls == ATTEMPTS


async def test_without_aws_the_environment_serves_with_a_warning(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    secrets = store(CountingClient(None), clock, fall_back=True)

    assert await secrets.get("OIDC_CLIENT_SECRET") == "local-value"
    assert "secrets come from the environment" in caplog.text
    assert "local-value" not in caplog.text


async def test_a_missing_member_makes_the_check_fail_and_names_it(clock: Clock) -> None:
    secrets = store(CountingClient({"OIDC_CLIENT_SECRET": "x"}), clock)

    health = await secrets.check()

    assert health.status == "unavailable"
    assert "COOKIE_SEALING_KEYS" in health.reason
    with pytest.raises(SecretsUnavailable):
        await secrets.sealer()


async def test_a_bad_sealing_key_is_refused_without_being_repeated(clock: Clock) -> None:
    secrets = store(CountingClient(MEMBERS | {"COOKIE_SEALING_KEYS": "too-short"}), clock)

    with pytest.raises(SecretsUnavailable) as caught:
        await secrets.sealer()
    assert "too-short" not in str(caught.value)


@pytest.mark.parametrize("keys", ["too-short", "A" * 43, ",", " , "])
async def test_an_unusable_sealing_key_makes_the_check_fail_and_says_what_to_do(clock: Clock, keys: str) -> None:
    secrets = store(CountingClient(MEMBERS | {"COOKIE_SEALING_KEYS": keys}), clock)

    health = await secrets.check()

    assert health.status == "unavailable"
    assert health.reason.startswith("COOKIE_SEALING_KEYS: ")
    assert "os.urandom(32)" in health.reason
    assert "A" * 43 not in health.reason
    assert "too-short" not in health.reason


async def test_invalidate_reads_again_at_once(clock: Clock) -> None:
    client = CountingClient(MEMBERS)
    secrets = store(client, clock)
    await secrets.get("OIDC_CLIENT_SECRET")
    client.members = MEMBERS | {"OIDC_CLIENT_SECRET": "rotated"}
    secrets.invalidate()

    assert await secrets.get("OIDC_CLIENT_SECRET") == "rotated"


async def test_the_store_is_fresh_only_once_it_has_values(clock: Clock) -> None:
    """Another thread may look while the environment replaces an unreachable Secrets Manager."""
    secrets = store(CountingClient(None), clock, fall_back=True)
    seen: list[bool] = []

    class Observer(logging.Handler):
        def emit(self, _: logging.LogRecord) -> None:
            seen.append(secrets._is_fresh())

    logger, handler = logging.getLogger("tenantgate.secrets.store"), Observer()
    logger.addHandler(handler)
    try:
        assert await secrets.get("OIDC_CLIENT_SECRET") == "local-value"
    finally:
        logger.removeHandler(handler)
    assert seen == [False, False], "not before it has values"
    assert secrets._is_fresh()


def test_a_read_that_began_before_an_invalidation_does_not_count(clock: Clock) -> None:
    client = CountingClient(MEMBERS)
    secrets = store(client, clock)
    read_now = client.get_secret_value

    def read_then_invalidate(*, SecretId: str) -> Mapping[str, Any]:  # noqa: N803
        read = read_now(SecretId=SecretId)
        secrets.invalidate()
        client.members = MEMBERS | {"OIDC_CLIENT_SECRET": "second-value"}
        return read

    client.get_secret_value = read_then_invalidate  # type: ignore[method-assign]
    secrets.get_now("OIDC_CLIENT_SECRET")
    client.get_secret_value = read_now  # type: ignore[method-assign]
    assert secrets.get_now("OIDC_CLIENT_SECRET") == "second-value"
    assert client.calls == 2


async def test_concurrent_requests_cause_one_read(clock: Clock) -> None:
    client = CountingClient(MEMBERS)
    secrets = store(client, clock)

    values = await asyncio.gather(*(secrets.get("OIDC_CLIENT_SECRET") for _ in range(8)))

    assert values == ["first-value"] * 8
    assert client.calls == 1


async def test_prepare_loads_the_client_without_a_read(clock: Clock) -> None:
    client, loaded = CountingClient(MEMBERS), []
    secrets = SecretStore(
        secret_id="tenantgate",
        environment={},
        client=lambda: loaded.append(client) or client,  # type: ignore[func-returns-value]
        fall_back_to_environment=False,
        clock=clock,
    )

    secrets.prepare()

    assert loaded == [client]
    assert client.calls == 0


async def test_a_client_that_cannot_be_loaded_fails_the_read_and_not_its_preparation(clock: Clock) -> None:
    def broken() -> CountingClient:
        raise RuntimeError("no credentials")

    secrets = SecretStore(
        secret_id="tenantgate", environment={}, client=broken, fall_back_to_environment=False, clock=clock
    )
    secrets.prepare()
    assert (await secrets.check()).status == "unavailable"
