"""The services of revocations, built from the process's settings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from tenantgate.cache.wiring import cache, dispose_cache
from tenantgate.database.wiring import dispose_database
from tenantgate.revocation import wiring
from tenantgate.revocation.credential import current_revocations
from tenantgate.revocation.distribution.current import CurrentRevocations, NoRevocations
from tenantgate.revoked.names import token_name
from tenantgate.revoked.snapshot import HEAD_KEY, Head
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.process.settings import process_settings

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["valkey", "no-valkey"])
async def with_valkey(
    request: pytest.FixtureRequest, database_urls: DatabaseUrls, redis_url: str
) -> AsyncIterator[bool]:
    has_valkey = request.param == "valkey"
    variables = {"DATABASE_URL": database_urls.app_url, **({"REDIS_URL": redis_url} if has_valkey else {})}
    with process_settings(**variables):
        yield has_valkey
        await dispose_cache()
        await dispose_database()


async def test_a_revocation_reaches_the_list_of_this_process(with_valkey: bool) -> None:
    service = await wiring.revocation_service(actor="user")
    await service.revoke_token("https://issuer.example", token_id="t-1", expires_at=time.time() + 60)
    current = wiring.make_current_revocations()
    assert isinstance(current, CurrentRevocations)
    await current.refresh()
    assert token_name("https://issuer.example", "t-1", "") in current.current().exact
    values = cache()
    assert (values is not None) == with_valkey
    if values is not None:
        (raw,) = await values.get_many([HEAD_KEY])
        head = Head.from_json(raw)
        assert head is not None
        assert head.epoch == current.current().epoch


async def test_only_a_process_with_valkey_publishes(with_valkey: bool) -> None:
    republisher = wiring.republisher()
    assert (republisher is not None) == with_valkey
    if republisher is not None:
        assert await republisher.run(0) == (1, 0)


async def test_the_registered_tenants_are_in_the_list_only_if_no_other_may_take_part(
    database_urls: DatabaseUrls,
) -> None:
    for registration, named in (("open", False), ("closed", True)):
        with process_settings(DATABASE_URL=database_urls.app_url, TENANT_REGISTRATION=registration):
            snapshot = await wiring.revocation_repository().snapshot(now=time.time())
            await dispose_database()
        assert (snapshot.registered is not None) == named


async def test_without_a_database_nothing_counts_as_revoked() -> None:
    with process_settings():
        assert isinstance(wiring.make_current_revocations(), NoRevocations)


async def test_the_requests_of_a_loop_share_one_list(database_urls: DatabaseUrls) -> None:
    async def of_this_loop() -> object:
        assert current_revocations() is current_revocations()
        return current_revocations()

    with process_settings(DATABASE_URL=database_urls.app_url):
        here = await of_this_loop()
        assert await asyncio.to_thread(lambda: asyncio.run(of_this_loop())) is not here
        await dispose_database()
