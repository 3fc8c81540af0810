"""The contract of the provider's stores, kept by those in memory (for unit tests) and those on PostgreSQL."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from tenantgate.openid_provider.models import CODES, AuthorizationCode, BrowserSession, RefreshToken, StoredKey
from tenantgate.openid_provider.storage.repository import (
    BrowserSessionRepository,
    CodeRepository,
    ExpiredRepository,
    KeyRepository,
    RefreshTokenRepository,
)
from tenantgate.openid_provider.storage.stores import BrowserSessionStore, CodeStore, KeyStore, RefreshTokenStore
from tests.fixtures.databases.kinds import KINDS
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.providers.built_in import MemoryBrowserSessions, MemoryCodes, MemoryKeys, MemoryRefreshTokens

pytestmark = pytest.mark.anyio

NOW = 1_800_000_000
TENANT, OTHER_TENANT = (f"org-{n * 8}-0000-4000-8000-000000000000" for n in "12")


def new_digest() -> bytes:
    return CODES.issue(TENANT).digest


USER = "6f0a4b86-55e5-4f5c-9a0e-2f7f0d4f6c11"
CODE = AuthorizationCode(
    digest=new_digest(),
    client_id="client",
    redirect_uri="https://app.example.test/cb?a=ü",
    scope="openid",
    tenant_id=TENANT,
    user_id=USER,
    sid=USER,
    auth_time=NOW - 5,
    code_challenge="c" * 43,
    nonce="'; --",
    expires_at=NOW + 60,
)
SESSION = BrowserSession(
    digest=new_digest(), sid=USER, tenant_id=TENANT, user_id=USER, auth_time=NOW, expires_at=NOW + 60
)


@dataclass
class Stores:
    codes: CodeStore
    refresh_tokens: RefreshTokenStore
    sessions: BrowserSessionStore
    keys: KeyStore


@pytest.fixture(params=["memory", *KINDS])
async def stores(request: pytest.FixtureRequest, database_urls: DatabaseUrls) -> AsyncIterator[Stores]:
    if request.param == "memory":
        codes = MemoryCodes()
        yield Stores(codes, MemoryRefreshTokens(codes), MemoryBrowserSessions(), MemoryKeys())
        return
    database = KINDS[request.param](database_urls.app_url)
    try:
        yield Stores(
            CodeRepository(database),
            RefreshTokenRepository(database),
            BrowserSessionRepository(database),
            KeyRepository(database),
        )
    finally:
        await database.dispose()


async def test_a_code_comes_back_as_it_was_saved_and_once(stores: Stores) -> None:
    code = replace(CODE, digest=new_digest())
    await stores.codes.save(code)
    redeem = {"tenant_id": TENANT, "client_id": "client"}
    assert await stores.codes.redeem(code.digest, now=NOW, **redeem) == code
    assert await stores.codes.redeem(code.digest, now=NOW, **redeem) is None


@pytest.mark.parametrize(
    ("tenant_id", "client_id", "now"),
    [
        pytest.param(OTHER_TENANT, "client", NOW, id="another-tenants"),
        pytest.param(TENANT, "other", NOW, id="another-clients"),
        pytest.param(TENANT, "client", NOW + 60, id="expires-this-instant"),
    ],
)
async def test_a_code_that_is_refused_is_not_used_up(stores: Stores, tenant_id: str, client_id: str, now: int) -> None:
    code = replace(CODE, digest=new_digest(), nonce=None)
    await stores.codes.save(code)
    assert await stores.codes.redeem(code.digest, tenant_id=tenant_id, client_id=client_id, now=now) is None
    assert await stores.codes.redeem(code.digest, tenant_id=TENANT, client_id="client", now=NOW + 59) == code


async def test_one_of_several_concurrent_redemptions_gets_the_code(stores: Stores) -> None:
    code = replace(CODE, digest=new_digest())
    await stores.codes.save(code)
    redemptions = [stores.codes.redeem(code.digest, tenant_id=TENANT, client_id="client", now=NOW) for _ in range(8)]
    assert [one for one in await asyncio.gather(*redemptions) if one is not None] == [code]


def new_family() -> RefreshToken:
    return RefreshToken(
        family_id=str(uuid.uuid4()),
        digest=new_digest(),
        code_digest=new_digest(),
        client_id="client",
        scope="openid offline_access",
        tenant_id=TENANT,
        user_id=USER,
        sid=str(uuid.uuid4()),
        auth_time=NOW - 5,
        expires_at=NOW + 60,
        ends_at=NOW + 600,
    )


async def begin(stores: Stores, token: RefreshToken) -> None:
    code = replace(CODE, digest=token.code_digest, sid=token.sid)
    await stores.codes.save(code)
    assert await stores.refresh_tokens.save(token)


def successor_of(token: RefreshToken) -> RefreshToken:
    return replace(token, digest=new_digest(), expires_at=token.expires_at + 10)


async def test_a_family_is_found_by_each_of_its_tokens_until_it_is_revoked(stores: Stores) -> None:
    first = new_family()
    await begin(stores, first)
    assert await stores.refresh_tokens.find(first.digest, tenant_id=TENANT) == first
    second = successor_of(first)
    assert await stores.refresh_tokens.rotate(first, second)
    third = successor_of(second)
    assert await stores.refresh_tokens.rotate(second, third)
    for token in (first, second, third):
        assert await stores.refresh_tokens.find(token.digest, tenant_id=TENANT) == third
        assert await stores.refresh_tokens.find(token.digest, tenant_id=OTHER_TENANT) is None
    assert await stores.refresh_tokens.revoke(first)
    assert not await stores.refresh_tokens.revoke(third)
    for token in (first, second, third):
        assert await stores.refresh_tokens.find(token.digest, tenant_id=TENANT) is None
    assert not await stores.refresh_tokens.rotate(third, successor_of(third))


async def test_an_earlier_token_is_not_replaced_again(stores: Stores) -> None:
    first = new_family()
    await begin(stores, first)
    second = successor_of(first)
    assert await stores.refresh_tokens.rotate(first, second)
    assert not await stores.refresh_tokens.rotate(first, successor_of(first))
    assert await stores.refresh_tokens.find(first.digest, tenant_id=TENANT) == second


async def test_one_of_several_concurrent_rotations_succeeds(stores: Stores) -> None:
    first = new_family()
    await begin(stores, first)
    successors = [successor_of(first) for _ in range(8)]
    succeeded = await asyncio.gather(*(stores.refresh_tokens.rotate(first, successor) for successor in successors))
    assert sorted(succeeded) == [False] * 7 + [True]
    assert await stores.refresh_tokens.find(first.digest, tenant_id=TENANT) == successors[succeeded.index(True)]


async def test_no_rotation_survives_a_concurrent_revocation(stores: Stores) -> None:
    for _ in range(8):
        first = new_family()
        await begin(stores, first)
        second = successor_of(first)
        _, revoked = await asyncio.gather(
            stores.refresh_tokens.rotate(first, second), stores.refresh_tokens.revoke(first)
        )
        assert revoked
        assert await stores.refresh_tokens.find(second.digest, tenant_id=TENANT) is None


async def test_a_code_or_a_browser_session_ends_only_its_own_families(stores: Stores) -> None:
    by_code, by_session, other = [new_family() for _ in range(3)]
    for token in (by_code, by_session, other):
        await begin(stores, token)
    await stores.refresh_tokens.revoke_for_code(by_code.code_digest, tenant_id=OTHER_TENANT, client_id="client")
    await stores.refresh_tokens.revoke_for_code(by_code.code_digest, tenant_id=TENANT, client_id="other")
    await stores.refresh_tokens.revoke_for_session(by_session.sid, tenant_id=OTHER_TENANT)
    for token in (by_code, by_session, other):
        assert await stores.refresh_tokens.find(token.digest, tenant_id=TENANT) == token
    await stores.refresh_tokens.revoke_for_code(by_code.code_digest, tenant_id=TENANT, client_id="client")
    await stores.refresh_tokens.revoke_for_session(by_session.sid, tenant_id=TENANT)
    found = [await stores.refresh_tokens.find(token.digest, tenant_id=TENANT) for token in (by_code, by_session, other)]
    assert found == [None, None, other]


async def test_a_revoked_code_or_browser_session_begins_no_family(stores: Stores) -> None:
    by_code, by_session = new_family(), new_family()
    for token in (by_code, by_session):
        await stores.codes.save(replace(CODE, digest=token.code_digest, sid=token.sid))
    await stores.refresh_tokens.revoke_for_code(by_code.code_digest, tenant_id=TENANT, client_id="client")
    await stores.refresh_tokens.revoke_for_session(by_session.sid, tenant_id=TENANT)
    assert [await stores.refresh_tokens.save(token) for token in (by_code, by_session)] == [False, False]
    for token in (by_code, by_session):
        redeemed = await stores.codes.redeem(token.code_digest, tenant_id=TENANT, client_id="client", now=NOW)
        assert redeemed is None


async def test_no_family_survives_a_concurrent_revocation(stores: Stores) -> None:
    for _ in range(8):
        token = new_family()
        await stores.codes.save(replace(CODE, digest=token.code_digest, sid=token.sid))
        await asyncio.gather(
            stores.refresh_tokens.save(token), stores.refresh_tokens.revoke_for_session(token.sid, tenant_id=TENANT)
        )
        assert await stores.refresh_tokens.find(token.digest, tenant_id=TENANT) is None


async def test_a_sign_in_forgets_the_tenants_expired_families(stores: Stores) -> None:
    expired = replace(new_family(), expires_at=NOW - 6)
    await begin(stores, expired)
    await begin(stores, new_family())
    assert await stores.refresh_tokens.find(expired.digest, tenant_id=TENANT) is None


async def test_a_browser_session_is_found_only_under_its_tenant_until_it_is_removed(stores: Stores) -> None:
    await stores.sessions.save(SESSION)
    assert await stores.sessions.find(SESSION.digest, tenant_id=TENANT) == SESSION
    assert await stores.sessions.find(SESSION.digest, tenant_id=OTHER_TENANT) is None
    assert not await stores.sessions.remove(SESSION.digest, tenant_id=OTHER_TENANT)
    assert await stores.sessions.find(SESSION.digest, tenant_id=TENANT) == SESSION
    removed = await asyncio.gather(*(stores.sessions.remove(SESSION.digest, tenant_id=TENANT) for _ in range(4)))
    assert sorted(removed) == [False, False, False, True]
    assert await stores.sessions.find(SESSION.digest, tenant_id=TENANT) is None


@pytest.mark.parametrize("kind", KINDS)
async def test_only_a_tenants_expired_rows_are_removed(kind: str, database_urls: DatabaseUrls) -> None:
    database = KINDS[kind](database_urls.app_url)
    stores = Stores(
        CodeRepository(database),
        RefreshTokenRepository(database),
        BrowserSessionRepository(database),
        KeyRepository(database),
    )
    try:
        token, code, session = new_family(), replace(CODE, digest=new_digest()), replace(SESSION, digest=new_digest())
        await begin(stores, token)
        await stores.codes.save(code)
        await stores.sessions.save(session)
        redeem = {"tenant_id": TENANT, "client_id": "client"}

        # Nothing has expired, or it is another tenant's.
        await ExpiredRepository(database).remove(TENANT, now=NOW)
        await ExpiredRepository(database).remove(OTHER_TENANT, now=NOW + 86_400)
        assert await stores.refresh_tokens.find(token.digest, tenant_id=TENANT) == token
        assert await stores.sessions.find(session.digest, tenant_id=TENANT) == session
        # Codes stay for an hour.
        await ExpiredRepository(database).remove(TENANT, now=NOW + 3600)
        assert await stores.refresh_tokens.find(token.digest, tenant_id=TENANT) is None
        assert await stores.sessions.find(session.digest, tenant_id=TENANT) is None
        assert await stores.codes.redeem(code.digest, now=NOW, **redeem) == code
        await stores.codes.save(replace(code, digest=(late := new_digest())))
        await ExpiredRepository(database).remove(TENANT, now=NOW + 3661)
        assert await stores.codes.redeem(late, now=NOW, **redeem) is None
    finally:
        await database.dispose()


async def test_the_first_key_of_an_algorithm_stays(stores: Stores) -> None:
    first, second = StoredKey("one", "RS256", "sealed"), StoredKey("two", "RS256", "sealed too")
    await stores.keys.add(first)
    await stores.keys.add(second)
    assert await stores.keys.load() == [first]
    await stores.keys.remove("one")
    assert await stores.keys.load() == []
