"""Start, look-up and end of sessions."""

import asyncio
import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from tenantgate import time_limits
from tenantgate.crypto.errors import KeyServiceUnavailable
from tenantgate.data_keys.models import KeyContext, WrappedKey
from tenantgate.errors.access import SessionEnded
from tenantgate.errors.tokens import TenantNotAllowed
from tenantgate.identity.principal import Principal
from tenantgate.sessions.errors import SecretReused
from tenantgate.sessions.models import SessionPolicy, SessionTokens, SignIn, StoredSession, TenantState, User
from tenantgate.sessions.service import SessionService
from tests.fixtures.data_keys.memory import Away, MemoryKeyStore, data_keys_in_memory
from tests.fixtures.databases.session_stores import OTHER_TENANT, TENANT, MemorySessionStore, session_service_of

pytestmark = pytest.mark.anyio

NOW = 1_800_000_000
TOKENS = SessionTokens(access_token="access-canary", id_token="id-canary", refresh_token="refresh-canary")
SIGN_IN = SignIn("https://issuer.example", "user-1", sid="sid-1", acr="urn:acr:2", amr=("pwd",), device="Firefox")
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
    return session_service_of(store, keys=keys, clock=lambda: now)


async def test_a_started_session_is_found_again_by_its_cookie(store: MemorySessionStore) -> None:
    started = await service_of(store).start(principal=principal(), tokens=TOKENS, sign_in=SIGN_IN)
    assert await service_of(store).find_live(started.secret) == started.session
    assert started.session.tokens == TOKENS
    assert (started.session.auth_time, started.session.expires_at) == (NOW, NOW + 12 * 3600)


async def test_neither_the_cookie_nor_the_tokens_can_be_read_from_the_store(store: MemorySessionStore) -> None:
    started = await service_of(store).start(principal=principal(), tokens=TOKENS, sign_in=SIGN_IN)
    secret = started.secret.rpartition(".")[2]
    (row,) = store.rows.values()
    assert row.secret_hash == hashlib.sha256(secret.encode()).digest()
    assert secret not in repr(row)
    assert "canary" not in repr(row)


async def test_tokens_do_not_show_in_a_representation(store: MemorySessionStore) -> None:
    started = await service_of(store).start(principal=principal(), tokens=TOKENS, sign_in=SIGN_IN)
    assert "canary" not in repr(started.session) + repr(TOKENS)


async def test_the_cookie_begins_with_the_tenant_and_differs_each_time(store: MemorySessionStore) -> None:
    service = service_of(store)
    cookies = [(await service.start(principal=principal(), tokens=TOKENS, sign_in=SIGN_IN)).secret for _ in range(3)]
    assert len(set(cookies)) == 3
    assert all(cookie.startswith(f"{TENANT}.") for cookie in cookies)


@pytest.mark.parametrize("tenant_id", ["acme; Path=/", "a.b.c", "münchen", "100%", "~_-", "\U0001f5dd" * 128])
async def test_any_tenant_id_makes_a_cookie_that_a_header_can_carry(store: MemorySessionStore, tenant_id: str) -> None:
    started = await service_of(store).start(principal=principal(tenant_id), tokens=TOKENS, sign_in=SIGN_IN)
    assert started.secret.isascii()
    assert not set(started.secret) & set(' ",;\\=/')
    assert (await service_of(store).find_live(started.secret)).user.tenant_id == tenant_id


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
    started = await service_of(store).start(principal=principal(), tokens=TOKENS, sign_in=SIGN_IN)
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
    started = await service_of(store).start(principal=principal(), tokens=TOKENS, sign_in=SIGN_IN)
    forged = forge(started.secret)
    with pytest.raises(SessionEnded):
        await service_of(store).find_live(forged)
    assert await service_of(store).end(forged) is None
    assert await service_of(store).find_live(started.secret) == started.session


async def test_an_ended_session_is_gone_and_is_given_back_once(store: MemorySessionStore) -> None:
    started = await service_of(store).start(principal=principal(), tokens=TOKENS, sign_in=SIGN_IN)
    ended = await service_of(store).end(started.secret)
    assert ended is not None
    assert ended.id == started.session.id
    assert await service_of(store).end(started.secret) is None
    with pytest.raises(SessionEnded):
        await service_of(store).find_live(started.secret)


async def test_an_expired_session_can_still_be_ended_with_its_tokens(store: MemorySessionStore) -> None:
    started = await service_of(store).start(principal=principal(), tokens=TOKENS, sign_in=SIGN_IN)
    ended = await service_of(store, now=NOW + 100_000).end(started.secret)
    assert ended is not None
    assert await service_of(store).tokens_of([ended]) == [TOKENS]


async def test_without_the_key_service_no_session_starts_but_each_ends(store: MemorySessionStore) -> None:
    rows, service = MemoryKeyStore(), Away()

    def process() -> SessionService:
        return session_service_of(store, clock=lambda: NOW, token_keys=data_keys_in_memory(rows, service))

    secrets = [(await process().start(principal=principal(), tokens=TOKENS, sign_in=SIGN_IN)).secret for _ in range(4)]
    service.away = True
    with pytest.raises(KeyServiceUnavailable):
        await process().start(principal=principal(), tokens=TOKENS, sign_in=SIGN_IN)
    with pytest.raises(KeyServiceUnavailable):
        await process().find_live(secrets[0])
    # Without tokens: the look-up, the sign-out, the end by the user, and that by the provider.
    assert await process().locate(secrets[0])
    ended = await process().end(secrets[0])
    assert ended is not None
    assert await process().tokens_of([ended]) == []
    row = await process().locate(secrets[1])
    assert await process().end_of_user(row.user, row.id) == 1
    row = await process().locate(secrets[2])
    assert len(await process().end_sessions([row.id], tenant_id=TENANT)) == 1
    assert len(store.rows) == 1


async def test_the_tokens_of_an_ended_session_are_not_awaited_for_long(
    store: MemorySessionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hanging(Away):
        async def unwrap(self, wrapped: WrappedKey, context: KeyContext) -> bytes:
            await asyncio.Event().wait()
            raise AssertionError(wrapped, context)

    monkeypatch.setattr(time_limits, "SIGN_OUT_KEYS", 0.02)
    rows = MemoryKeyStore()
    warm = session_service_of(store, clock=lambda: NOW, token_keys=data_keys_in_memory(rows))
    started = await warm.start(principal=principal(), tokens=TOKENS, sign_in=SIGN_IN)
    cold = session_service_of(store, clock=lambda: NOW, token_keys=data_keys_in_memory(rows, Hanging()))
    ended = await cold.end(started.secret)
    assert ended is not None
    assert await cold.tokens_of([ended]) == []
    assert await warm.tokens_of([ended]) == [TOKENS]


async def test_a_rotated_sealing_key_ends_no_session_until_it_is_retired(store: MemorySessionStore) -> None:
    started = await service_of(store).start(principal=principal(), tokens=TOKENS, sign_in=SIGN_IN)
    assert await service_of(store, keys=(NEW_KEY, KEY)).find_live(started.secret) == started.session
    with pytest.raises(SessionEnded):
        await service_of(store, keys=(NEW_KEY,)).find_live(started.secret)


async def test_a_session_lives_until_its_absolute_timeout_if_it_is_used(store: MemorySessionStore) -> None:
    started = await service_of(store).start(principal=principal(), tokens=TOKENS, sign_in=SIGN_IN)
    for minutes in range(0, 12 * 60, 29):
        assert (await service_of(store, now=NOW + minutes * 60).find_live(started.secret)).user.user_id == "user-1"
    with pytest.raises(SessionEnded, match="expired"):
        await service_of(store, now=NOW + 12 * 3600).find_live(started.secret)


async def test_a_session_ends_when_it_is_idle(store: MemorySessionStore) -> None:
    started = await service_of(store).start(principal=principal(), tokens=TOKENS, sign_in=SIGN_IN)
    with pytest.raises(SessionEnded, match="idle"):
        await service_of(store, now=NOW + 1800).find_live(started.secret)
    assert (await service_of(store, now=NOW + 1799).find_live(started.secret)).last_used_at == NOW + 1799


async def test_a_use_is_written_at_most_once_a_minute(store: MemorySessionStore) -> None:
    started = await service_of(store).start(principal=principal(), tokens=TOKENS, sign_in=SIGN_IN)
    uses = []
    for seconds in (59, 60, 100, 119, 120):
        await service_of(store, now=NOW + seconds).find_live(started.secret)
        (row,) = store.rows.values()
        uses.append(row.last_used_at - NOW)
    assert uses == [0, 60, 60, 60, 120]


@pytest.mark.parametrize(
    ("tenant", "refused_at"),
    [
        pytest.param(TenantState(idle_minutes=5), 300, id="idle"),
        pytest.param(TenantState(absolute_hours=1, idle_minutes=None), 3600, id="absolute"),
        pytest.param(TenantState(status="suspended"), 0, id="suspended"),
        pytest.param(TenantState(allowed_issuers=("https://other.example",)), 0, id="issuer"),
    ],
)
async def test_a_tenants_policy_holds_for_its_open_sessions(
    store: MemorySessionStore, tenant: TenantState, refused_at: int
) -> None:
    started = await service_of(store).start(principal=principal(), tokens=TOKENS, sign_in=SIGN_IN)
    store.tenants[TENANT] = tenant
    if refused_at:
        store.rows = {key: replace(row, last_used_at=NOW + refused_at - 300) for key, row in store.rows.items()}
        await service_of(store, now=NOW + refused_at - 1).find_live(started.secret)
        store.rows = {key: replace(row, last_used_at=NOW + refused_at - 300) for key, row in store.rows.items()}
    with pytest.raises(SessionEnded):
        await service_of(store, now=NOW + refused_at).find_live(started.secret)


@pytest.mark.parametrize(
    ("tenant", "registers"),
    [
        pytest.param(None, False, id="not-registered"),
        pytest.param(TenantState(status="suspended"), True, id="suspended"),
        pytest.param(TenantState(allowed_issuers=()), True, id="no-issuer"),
        pytest.param(TenantState(allowed_issuers=("https://other.example",)), False, id="another-issuer"),
    ],
)
async def test_a_tenant_that_may_not_sign_in_gets_no_session(
    store: MemorySessionStore, tenant: TenantState | None, registers: bool
) -> None:
    if tenant is not None:
        store.tenants[TENANT] = tenant
    service = session_service_of(store, clock=lambda: NOW, policy=SessionPolicy(registers_tenants=registers))
    with pytest.raises(TenantNotAllowed):
        await service.start(principal=principal(), tokens=TOKENS, sign_in=SIGN_IN)
    assert store.rows == {}


async def test_an_earlier_secret_ends_the_session_after_its_grace(
    store: MemorySessionStore, caplog: pytest.LogCaptureFixture
) -> None:
    started = await service_of(store).start(principal=principal(), tokens=TOKENS, sign_in=SIGN_IN)
    ((key, row),) = store.rows.items()
    store.rows = {(TENANT, bytes(32)): replace(row, secret_hash=bytes(32), previous_hash=key[1], rotated_at=NOW + 5.0)}
    store.earlier[key] = row.id
    assert (await service_of(store, now=NOW + 14).find_live(started.secret)).id == row.id
    with pytest.raises(SecretReused):
        await service_of(store, now=NOW + 15).find_live(started.secret)
    assert store.rows == {}
    [line] = [record for record in caplog.records if record.levelname == "WARNING"]
    assert line.__dict__["context"]["event"] == "SESSION_SECRET_REUSED"
    assert started.secret.rpartition(".")[2] not in str(line.__dict__)


async def test_the_sessions_of_a_user_are_the_live_ones(store: MemorySessionStore) -> None:
    for seconds in (0, 1000):
        await service_of(store, now=NOW + seconds).start(principal=principal(), tokens=TOKENS, sign_in=SIGN_IN)
    user = User(TENANT, "https://issuer.example", "user-1")
    assert [row.auth_time - NOW for row in await service_of(store, now=NOW + 1100).of_user(user)] == [1000, 0]
    assert [row.auth_time - NOW for row in await service_of(store, now=NOW + 1900).of_user(user)] == [1000]
    assert await service_of(store).end_of_user(user._replace(issuer="https://other.example")) == 0
    assert await service_of(store).end_of_user(user) == 2


async def test_a_session_keeps_what_the_sign_in_granted(store: MemorySessionStore) -> None:
    started = await service_of(store).start(principal=principal(), tokens=TOKENS, sign_in=SIGN_IN)
    entry = await service_of(store, now=NOW + 5).authenticate(started.secret)
    assert entry.principal() == Principal(
        "user-1",
        TENANT,
        "https://issuer.example",
        frozenset({"openid"}),
        NOW + 12 * 3600,
        "session",
        {"auth_time": NOW, "acr": "urn:acr:2", "amr": ["pwd"]},
        frozenset(),
        str(started.session.id),
        NOW,
    )
    assert entry.csrf_token == started.session.csrf_token
    assert len(entry.csrf_token) == 43
