"""The tokens of sessions at rest: under the tenant's data key, and in the form of earlier versions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest

from tenantgate.crypto.envelopes import KeyOwner, is_envelope
from tenantgate.crypto.errors import KeyServiceUnavailable
from tenantgate.crypto.sealing import Sealer, new_sealing_key
from tenantgate.data_keys.service import DataKeys
from tenantgate.errors.access import SessionEnded
from tenantgate.secrets.errors import SecretMissing, SecretsUnavailable
from tenantgate.sessions.models import SessionTokens, StoredSession
from tenantgate.sessions.storing.tokens import PURPOSE, TokenEncryption, TokenKeys
from tests.fixtures.audit.events import MemoryKeys
from tests.fixtures.data_keys.memory import Away, MemoryKeyStore, data_keys_in_memory
from tests.fixtures.databases.session_stores import OTHER_TENANT, TENANT, stored_session

pytestmark = pytest.mark.anyio

TOKENS = SessionTokens("access-canary", "id-canary", "refresh-canary")
SEALER = Sealer([new_sealing_key()])


async def sealer() -> Sealer:
    return SEALER


class NoKeys(MemoryKeys):
    """A deployment whose key-encryption key can't be used."""

    async def decrypt(self, owner: KeyOwner, envelope: str, *, place: object) -> bytes:
        raise AssertionError(owner)


async def stored(encryption: TokenEncryption, tenant_id: str = TENANT) -> StoredSession:
    session = stored_session(tenant_id=tenant_id)
    writer = await encryption.writer(tenant_id)
    return replace(
        session,
        sealed_tokens=writer.tokens(TOKENS, session.id),
        sealed_replay=writer.replay(b"the replay", session.id),
    )


@pytest.fixture
def keys() -> DataKeys:
    return data_keys_in_memory()


async def test_tokens_are_envelopes_and_open_again(keys: DataKeys) -> None:
    encryption = TokenEncryption(sealer, keys)
    session = await stored(encryption)
    assert is_envelope(session.sealed_tokens)
    assert is_envelope(session.sealed_replay or "")
    assert "canary" not in session.sealed_tokens
    assert await encryption.tokens(session) == TOKENS
    assert await encryption.replay(session) == b"the replay"


async def test_rows_of_earlier_versions_still_open(keys: DataKeys) -> None:
    session = await stored(TokenEncryption(sealer, None))
    assert not is_envelope(session.sealed_tokens)
    encryption = TokenEncryption(sealer, keys)
    assert await encryption.tokens(session) == TOKENS
    assert await encryption.replay(session) == b"the replay"


@pytest.mark.parametrize(
    "moved",
    [
        pytest.param(lambda session: replace(session, id=uuid4()), id="another-session"),
        pytest.param(lambda session: replace(session, tenant_id=OTHER_TENANT), id="another-tenant"),
        pytest.param(lambda session: replace(session, sealed_tokens=session.sealed_replay), id="another-column"),
        pytest.param(lambda session: replace(session, sealed_tokens=session.sealed_tokens[:-4] + "AAAA"), id="changed"),
        pytest.param(lambda session: replace(session, sealed_tokens="e1." + "A" * 2_000_000), id="oversized"),
        pytest.param(lambda session: replace(session, sealed_tokens=""), id="empty"),
    ],
)
async def test_moved_or_changed_tokens_do_not_open(
    keys: DataKeys, moved: Callable[[StoredSession], StoredSession]
) -> None:
    encryption = TokenEncryption(sealer, keys)
    session = await stored(encryption)
    # The other tenant has a key, too.
    await encryption.writer(OTHER_TENANT)
    with pytest.raises(SessionEnded):
        await encryption.tokens(moved(session))


async def test_tokens_of_an_earlier_key_open_until_the_keys_are_destroyed(keys: DataKeys) -> None:
    encryption, owner = TokenEncryption(sealer, keys), KeyOwner(TENANT, PURPOSE)
    before = await stored(encryption)
    assert await keys.rotate(owner, (await keys.current(owner)).id)
    after = await stored(encryption)
    assert [await encryption.tokens(one) for one in (before, after)] == [TOKENS, TOKENS]
    assert await keys.destroy(owner) == 2
    for one in (before, after):
        with pytest.raises(SessionEnded):
            await encryption.tokens(one)


async def test_without_a_key_encryption_key_the_sealed_form_stays_in_use() -> None:
    encryption = TokenEncryption(sealer, NoKeys(SecretMissing("KEY_ENCRYPTION_KEYS has no value")))
    session = await stored(encryption)
    assert not is_envelope(session.sealed_tokens)
    assert await encryption.tokens(session) == TOKENS


@pytest.mark.parametrize(
    "failure", [SecretsUnavailable("KEY_ENCRYPTION_KEYS: a key has 32 bytes"), KeyServiceUnavailable("away")]
)
async def test_a_key_that_can_not_be_used_never_leads_to_another_form(failure: Exception) -> None:
    keys: TokenKeys = NoKeys(failure)
    with pytest.raises(type(failure)):
        await TokenEncryption(sealer, keys).writer(TENANT)


async def test_without_the_key_service_only_keys_in_memory_open() -> None:
    store, service = MemoryKeyStore(), Away()
    warm = TokenEncryption(sealer, data_keys_in_memory(store, service))
    session = await stored(warm)
    service.away = True
    assert await warm.tokens(session) == TOKENS
    assert await stored(warm)
    cold = TokenEncryption(sealer, data_keys_in_memory(store, service))
    with pytest.raises(KeyServiceUnavailable):
        await cold.tokens(session)
    with pytest.raises(KeyServiceUnavailable):
        await cold.writer(TENANT)
