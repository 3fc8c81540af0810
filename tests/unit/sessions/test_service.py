"""Start, look-up and end of sessions."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from tenantgate.crypto.sealing import Sealer
from tenantgate.errors.access import SessionEnded
from tenantgate.identity.principal import Principal
from tenantgate.sessions.models import SessionTokens, StoredSession
from tenantgate.sessions.service import SessionService
from tests.fixtures.databases.session_stores import OTHER_TENANT, TENANT, MemorySessionStore

pytestmark = pytest.mark.anyio

NOW = 1_800_000_000
TOKENS = SessionTokens(access_token="access-canary", id_token="id-canary", refresh_token="refresh-canary")
KEY, NEW_KEY = (base64.urlsafe_b64encode(hashlib.sha256(bytes([number])).digest()).decode() for number in (1, 2))


def principal(tenant_id: str = TENANT) -> Principal:
    return Principal(
        user_id="user-1",
        tenant_id=tenant_id,
        issuer="https://issuer.example",
        scopes=frozenset({"openid"}),
        expires_at=NOW + 600,
    )


@pytest.fixture
def store() -> MemorySessionStore:
    return MemorySessionStore()


def service_of(store: MemorySessionStore, *, now: float = NOW, keys: tuple[str, ...] = (KEY,)) -> SessionService:
    return SessionService(store, Sealer(keys), clock=lambda: now)


async def test_a_started_session_is_found_again_by_its_cookie(store: MemorySessionStore) -> None:
    started = await service_of(store).start(principal=principal(), tokens=TOKENS)
    assert await service_of(store).find_live(started.secret) == started.session
    assert started.session.tokens == TOKENS
    assert (started.session.created_at, started.session.expires_at) == (NOW, NOW + 600)


async def test_neither_the_cookie_nor_the_tokens_can_be_read_from_the_store(store: MemorySessionStore) -> None:
    started = await service_of(store).start(principal=principal(), tokens=TOKENS)
    secret = started.secret.rpartition(".")[2]
    (row,) = store.rows.values()
    assert row.secret_hash == hashlib.sha256(secret.encode()).digest()
    assert secret not in repr(row)
    assert "canary" not in repr(row)


async def test_tokens_do_not_show_in_a_representation(store: MemorySessionStore) -> None:
    started = await service_of(store).start(principal=principal(), tokens=TOKENS)
    assert "canary" not in repr(started.session) + repr(TOKENS)


async def test_the_cookie_begins_with_the_tenant_and_differs_each_time(store: MemorySessionStore) -> None:
    service = service_of(store)
    cookies = [(await service.start(principal=principal(), tokens=TOKENS)).secret for _ in range(3)]
    assert len(set(cookies)) == 3
    assert all(cookie.startswith(f"{TENANT}.") for cookie in cookies)


@pytest.mark.parametrize("tenant_id", ["acme; Path=/", "a.b.c", "münchen", "100%", "~_-", "\U0001f5dd" * 128])
async def test_any_tenant_id_makes_a_cookie_that_a_header_can_carry(store: MemorySessionStore, tenant_id: str) -> None:
    started = await service_of(store).start(principal=principal(tenant_id), tokens=TOKENS)
    assert started.secret.isascii()
    assert not set(started.secret) & set(' ",;\\=/')
    assert (await service_of(store).find_live(started.secret)).tenant_id == tenant_id


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda row: None, id="unknown"),
        pytest.param(lambda row: replace(row, expires_at=NOW), id="ends-this-instant"),
        pytest.param(lambda row: replace(row, expires_at=NOW - 1), id="expired"),
        pytest.param(lambda row: replace(row, tenant_id=OTHER_TENANT), id="another-tenant"),
        pytest.param(lambda row: replace(row, sealed_tokens=row.sealed_tokens[:-4] + "AAAA"), id="tampered"),
        pytest.param(lambda row: replace(row, id=type(row.id)(int=1)), id="tokens-of-another-session"),
    ],
)
async def test_refuses_a_session_that_is_not_live(
    store: MemorySessionStore, change: Callable[[StoredSession], StoredSession | None]
) -> None:
    started = await service_of(store).start(principal=principal(), tokens=TOKENS)
    ((_, row),) = store.rows.items()
    store.rows.clear()
    if (changed := change(row)) is not None:
        store.rows[changed.tenant_id, changed.secret_hash] = changed
    with pytest.raises(SessionEnded):
        await service_of(store).find_live(started.secret)


def with_other_tenant(cookie: str) -> str:
    return OTHER_TENANT + cookie[len(TENANT) :]


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda cookie: "", id="empty"),
        pytest.param(lambda cookie: cookie.rpartition(".")[2], id="only-the-random-part"),
        pytest.param(lambda cookie: "." + cookie.rpartition(".")[2], id="empty-tenant"),
        pytest.param(with_other_tenant, id="another-tenant-in-front"),
        pytest.param(lambda cookie: cookie[:-1], id="one-character-short"),
        pytest.param(lambda cookie: cookie + "A", id="one-character-more"),
        pytest.param(lambda cookie: cookie + "\n", id="line-end"),
        pytest.param(lambda cookie: cookie.replace("-", "%2D", 1), id="another-spelling"),
        pytest.param(lambda cookie: "%00" + cookie, id="nul"),
        pytest.param(lambda cookie: "%FF" + cookie, id="no-utf-8"),
        pytest.param(lambda cookie: "x" * 100_000 + cookie, id="huge"),
    ],
)
async def test_refuses_a_forged_cookie_everywhere(store: MemorySessionStore, forge: Callable[[str], str]) -> None:
    started = await service_of(store).start(principal=principal(), tokens=TOKENS)
    forged = forge(started.secret)
    with pytest.raises(SessionEnded):
        await service_of(store).find_live(forged)
    assert await service_of(store).end(forged) is None
    assert await service_of(store).find_live(started.secret) == started.session


async def test_an_ended_session_is_gone_and_is_given_back_once(store: MemorySessionStore) -> None:
    started = await service_of(store).start(principal=principal(), tokens=TOKENS)
    assert await service_of(store).end(started.secret) == started.session
    assert await service_of(store).end(started.secret) is None
    with pytest.raises(SessionEnded):
        await service_of(store).find_live(started.secret)


async def test_an_expired_session_can_still_be_ended_with_its_tokens(store: MemorySessionStore) -> None:
    started = await service_of(store).start(principal=principal(), tokens=TOKENS)
    ended = await service_of(store, now=NOW + 10_000).end(started.secret)
    assert ended is not None
    assert ended.tokens == TOKENS


async def test_a_rotated_sealing_key_ends_no_session_until_it_is_retired(store: MemorySessionStore) -> None:
    started = await service_of(store).start(principal=principal(), tokens=TOKENS)
    assert await service_of(store, keys=(NEW_KEY, KEY)).find_live(started.secret) == started.session
    with pytest.raises(SessionEnded):
        await service_of(store, keys=(NEW_KEY,)).find_live(started.secret)
