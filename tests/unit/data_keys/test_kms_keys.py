"""Key-encryption keys in AWS KMS, as moto has it."""

import threading
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from moto import mock_aws

from tenantgate import time_limits
from tenantgate.aws.kms import kms_client
from tenantgate.crypto.envelopes import KeyOwner
from tenantgate.crypto.errors import EnvelopeBroken, KeyServiceUnavailable
from tenantgate.data_keys import kms_keys
from tenantgate.data_keys.kms_keys import PAUSE_SECONDS, KmsKeys
from tenantgate.data_keys.models import KeyContext, WrappedKey
from tenantgate.data_keys.service import DataKeys
from tenantgate.data_keys.wrapping import KeyEncryption
from tests.fixtures.data_keys.memory import MemoryKeyStore, data_keys_in_memory, local_keys

pytestmark = pytest.mark.anyio

REGION = "eu-central-1"
CONTEXT = KeyContext("org-1", "session-tokens", str(uuid4()))
OWNER = KeyOwner("org-1", "session-tokens")
ARN = f"arn:aws:kms:{REGION}:123456789012:key/{uuid4()}"


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    kms_client.cache_clear()
    with mock_aws():
        yield boto3.client("kms", region_name=REGION)
    kms_client.cache_clear()


def created(kms: Any) -> str:
    arn: str = kms.create_key()["KeyMetadata"]["Arn"]
    return arn


async def test_wraps_with_the_newest_and_unwraps_with_each(kms: Any) -> None:
    old, new = created(kms), created(kms)
    first = await KmsKeys([old], kms_client).wrap(b"k" * 32, CONTEXT)
    both = KmsKeys([new, old], kms_client)
    second = await both.wrap(b"k" * 32, CONTEXT)
    assert [wrapped.wrapped_by for wrapped in (first, second)] == [f"kms:{arn[-36:]}" for arn in (old, new)]
    assert [await both.unwrap(wrapped, CONTEXT) for wrapped in (first, second)] == [b"k" * 32] * 2
    with pytest.raises(KeyServiceUnavailable, match="doesn't have"):
        await KmsKeys([new], kms_client).unwrap(first, CONTEXT)


@pytest.mark.parametrize("changed", [{"tenant": "org-2"}, {"purpose": "audit"}, {"key": str(uuid4())}])
async def test_another_context_is_refused_by_kms(kms: Any, changed: dict[str, str]) -> None:
    keys = KmsKeys([created(kms)], kms_client)
    wrapped = await keys.wrap(b"k" * 32, CONTEXT)
    with pytest.raises(EnvelopeBroken):
        await keys.unwrap(wrapped, CONTEXT._replace(**changed))
    # Not the key service is away, but this key is broken: others are still asked for.
    assert await keys.unwrap(wrapped, CONTEXT) == b"k" * 32


async def test_kms_gets_the_tenant_and_the_purpose_as_context(kms: Any) -> None:
    calls: list[tuple[str, Mapping[str, Any]]] = []

    class Recording:
        def encrypt(self, **arguments: Any) -> Mapping[str, Any]:
            calls.append(("encrypt", arguments))
            return {"CiphertextBlob": b"wrapped"}

        def decrypt(self, **arguments: Any) -> Mapping[str, Any]:
            calls.append(("decrypt", arguments))
            return {"Plaintext": b"k" * 32}

    keys = KmsKeys([ARN], lambda _: Recording())
    wrapped = await keys.wrap(b"k" * 32, CONTEXT)
    await keys.unwrap(wrapped, CONTEXT)
    context = {"tenant": "org-1", "purpose": "session-tokens", "key": CONTEXT.key}
    assert calls == [
        ("encrypt", {"KeyId": ARN, "EncryptionContext": context, "Plaintext": b"k" * 32}),
        ("decrypt", {"KeyId": ARN, "EncryptionContext": context, "CiphertextBlob": b"wrapped"}),
    ]


async def test_a_wrapped_key_that_was_changed_is_refused(kms: Any) -> None:
    keys = KmsKeys([created(kms)], kms_client)
    wrapped = await keys.wrap(b"k" * 32, CONTEXT)
    changed = wrapped.wrapped_key[:-1] + bytes([wrapped.wrapped_key[-1] ^ 1])
    with pytest.raises(EnvelopeBroken):
        await keys.unwrap(wrapped._replace(wrapped_key=changed), CONTEXT)


class Failing:
    """A client whose calls fail, or wait for an event."""

    def __init__(self, failure: Exception | threading.Event) -> None:
        self.failure, self.calls = failure, 0

    def encrypt(self, **_: Any) -> Mapping[str, Any]:
        self.calls += 1
        if isinstance(self.failure, threading.Event):
            self.failure.wait(10)
            return {"CiphertextBlob": b"late"}
        raise self.failure

    decrypt = encrypt


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "canary"}}, "Decrypt")


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "DisabledException", "KMSInvalidStateException", "NotFoundException"]
)
async def test_a_key_that_can_not_be_used_is_a_sys_009_and_the_next_call_is_made(
    code: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = Failing(refused(code))
    keys = KmsKeys([ARN], lambda _: client)
    for _ in range(2):
        with pytest.raises(KeyServiceUnavailable) as caught:
            await keys.unwrap(WrappedKey(f"kms:{ARN[-36:]}", b"wrapped"), CONTEXT)
        assert caught.value.error.code == "SYS_009"
    assert client.calls == 2
    assert [record.__dict__["context"]["error"] for record in caplog.records] == [code, code]


async def test_while_kms_does_not_respond_calls_fail_at_once() -> None:
    now = 0.0
    client = Failing(ConnectTimeoutError(endpoint_url="https://kms"))
    keys = KmsKeys([ARN], lambda _: client, clock=lambda: now)
    for _ in range(5):
        with pytest.raises(KeyServiceUnavailable):
            await keys.wrap(b"k" * 32, CONTEXT)
    assert client.calls == 1
    now = PAUSE_SECONDS
    with pytest.raises(KeyServiceUnavailable):
        await keys.wrap(b"k" * 32, CONTEXT)
    assert client.calls == 2


async def test_a_call_that_hangs_ends_for_its_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_limits, "KMS_TOTAL", 0.02)
    event = threading.Event()
    try:
        with pytest.raises(KeyServiceUnavailable):
            await KmsKeys([ARN], lambda _: Failing(event)).wrap(b"k" * 32, CONTEXT)
    finally:
        event.set()


@pytest.mark.parametrize(
    "arns",
    [
        [],
        [""],
        ["alias/keys"],
        ["arn:aws:kms:eu-central-1:123456789012:alias/keys"],
        [ARN, "1234"],
        [f"{ARN}/x"],
        [f"x{ARN}"],
    ],
)
def test_only_arns_of_keys_are_taken(arns: list[str]) -> None:
    with pytest.raises(ValueError, match="ARN"):
        KmsKeys(arns, kms_client)


async def test_a_deployment_moves_from_local_keys_to_kms_and_back(kms: Any) -> None:
    store = MemoryKeyStore()
    envelope = (await data_keys_in_memory(store).current(OWNER)).encrypt(b"secret", place=())
    moved = KeyEncryption(local_keys(), KmsKeys([created(kms)], kms_client))
    assert await DataKeys(store, moved).decrypt(OWNER, envelope, place=()) == b"secret"
    (row,) = store.rows.values()
    assert await DataKeys(store, moved).rewrap(row)
    (row,) = store.rows.values()
    assert row.wrapped_by == await moved.newest()
    with pytest.raises(KeyServiceUnavailable):
        await data_keys_in_memory(store).decrypt(OWNER, envelope, place=())
    assert await DataKeys(store, moved).decrypt(OWNER, envelope, place=()) == b"secret"
    assert (await KeyEncryption(local_keys(), None).newest()).startswith("local:")


def test_the_client_makes_two_short_attempts(kms: Any) -> None:
    config = kms_client(REGION).meta.config
    assert (config.connect_timeout, config.read_timeout) == (time_limits.KMS_CONNECT, time_limits.KMS_READ)
    assert config.retries["total_max_attempts"] == 2
    assert kms_keys.KMS == "kms:"
