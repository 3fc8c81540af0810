"""The contract of the provider's stores, kept by those in memory (for unit tests) and those on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from tenantgate.openid_provider.models import CODES, AuthorizationCode, BrowserSession, StoredKey
from tenantgate.openid_provider.storage.repository import BrowserSessionRepository, CodeRepository, KeyRepository
from tenantgate.openid_provider.storage.stores import BrowserSessionStore, CodeStore, KeyStore
from tests.fixtures.databases.kinds import KINDS
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.providers.built_in import MemoryBrowserSessions, MemoryCodes, MemoryKeys

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
    sessions: BrowserSessionStore
    keys: KeyStore


@pytest.fixture(params=["memory", *KINDS])
async def stores(request: pytest.FixtureRequest, database_urls: DatabaseUrls) -> AsyncIterator[Stores]:
    if request.param == "memory":
        yield Stores(MemoryCodes(), MemoryBrowserSessions(), MemoryKeys())
        return
    database = KINDS[request.param](database_urls.app_url)
    try:
        yield Stores(CodeRepository(database), BrowserSessionRepository(database), KeyRepository(database))
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


async def test_a_browser_session_is_found_only_under_its_tenant_until_it_is_removed(stores: Stores) -> None:
    await stores.sessions.save(SESSION)
    assert await stores.sessions.find(SESSION.digest, tenant_id=TENANT) == SESSION
    assert await stores.sessions.find(SESSION.digest, tenant_id=OTHER_TENANT) is None
    await stores.sessions.remove(SESSION.digest, tenant_id=OTHER_TENANT)
    assert await stores.sessions.find(SESSION.digest, tenant_id=TENANT) == SESSION
    await stores.sessions.remove(SESSION.digest, tenant_id=TENANT)
    assert await stores.sessions.find(SESSION.digest, tenant_id=TENANT) is None


async def test_the_first_key_of_an_algorithm_stays(stores: Stores) -> None:
    first, second = StoredKey("one", "RS256", "sealed"), StoredKey("two", "RS256", "sealed too")
    await stores.keys.add(first)
    await stores.keys.add(second)
    assert await stores.keys.load() == [first]
    await stores.keys.remove("one")
    assert await stores.keys.load() == []
