"""Refreshes while data keys are used, rotated, destroyed, or away."""

from __future__ import annotations

import asyncio

import pytest

from tenantgate.crypto.envelopes import KeyOwner, is_envelope, named_key
from tenantgate.crypto.errors import KeyServiceUnavailable
from tenantgate.data_keys.service import DataKeys
from tenantgate.errors.access import SessionEnded
from tenantgate.sessions.storing.tokens import PURPOSE
from tests.fixtures.data_keys.memory import Away, MemoryKeyStore, data_keys_in_memory
from tests.fixtures.databases.session_stores import TENANT
from tests.fixtures.login.refreshes import Refreshes

pytestmark = pytest.mark.anyio

OWNER = KeyOwner(TENANT, PURPOSE)


class World:
    """Refreshes whose data keys come from a key service that can be away."""

    def __init__(self) -> None:
        self.store, self.service = MemoryKeyStore(), Away()
        self.refreshes = Refreshes(keys=self.other_process())

    def other_process(self) -> DataKeys:
        return data_keys_in_memory(self.store, self.service)


@pytest.fixture
def world() -> World:
    return World()


async def test_a_refresh_writes_envelopes_and_a_replay_opens_them(world: World) -> None:
    refreshes = world.refreshes
    started = await refreshes.start()
    first = (await refreshes.service().refresh(started.secret)).require()
    assert is_envelope(refreshes.row.sealed_tokens)
    assert is_envelope(refreshes.row.sealed_replay or "")
    assert (await refreshes.service().refresh(started.secret)).require() == first
    assert refreshes.provider.redeemed == ["refresh-0"]


async def test_a_session_in_the_sealed_form_becomes_an_envelope_at_its_refresh(world: World) -> None:
    refreshes = world.refreshes
    refreshes.keys, keys = None, refreshes.keys
    started = await refreshes.start()
    assert not is_envelope(refreshes.row.sealed_tokens)
    refreshes.keys = keys
    result = (await refreshes.service().refresh(started.secret)).require()
    assert is_envelope(refreshes.row.sealed_tokens)
    assert (await refreshes.session_service.find_live(result.secret)).tokens.refresh_token == "refresh-1"


async def test_without_the_key_service_the_refresh_token_is_not_redeemed_and_the_lease_is_free(world: World) -> None:
    refreshes = world.refreshes
    started = await refreshes.start()
    refreshes.keys, world.service.away = world.other_process(), True
    for _ in range(2):
        with pytest.raises(KeyServiceUnavailable):
            (await refreshes.service().refresh(started.secret)).require()
    assert refreshes.provider.redeemed == []
    assert refreshes.row.lease_holder is None
    world.service.away = False
    assert (await refreshes.service().refresh(started.secret)).require().access_token == "access-1"


async def test_without_the_key_service_a_key_in_memory_is_enough(world: World) -> None:
    refreshes = world.refreshes
    started = await refreshes.start()
    world.service.away = True
    assert (await refreshes.service().refresh(started.secret)).require().access_token == "access-1"


async def test_a_key_service_that_goes_away_after_the_redemption_loses_no_refresh_token(world: World) -> None:
    refreshes = world.refreshes
    started = await refreshes.start()
    refreshes.keys = world.other_process()

    def away() -> None:
        world.service.away = True

    refreshes.provider.after = away
    result = (await refreshes.service().refresh(started.secret)).require()
    world.service.away = False
    refreshes.keys = world.other_process()
    assert (await refreshes.session_service.find_live(result.secret)).tokens.refresh_token == "refresh-1"


async def test_a_rotation_of_the_data_key_during_a_refresh_loses_nothing(world: World) -> None:
    refreshes = world.refreshes
    started = await refreshes.start()
    before = named_key(refreshes.row.sealed_tokens)

    async def rotate() -> None:
        assert await world.other_process().rotate(OWNER, before)

    refreshes.provider.after = rotate
    result = (await refreshes.service().refresh(started.secret)).require()
    refreshes.keys = world.other_process()
    assert (await refreshes.session_service.find_live(result.secret)).tokens.refresh_token == "refresh-1"
    refreshes.provider.after = None
    refreshes.clock.pass_by(60)
    assert (await refreshes.service().refresh(result.secret)).require().access_token == "access-2"
    assert named_key(refreshes.row.sealed_tokens) != before


async def test_a_session_whose_key_was_destroyed_is_not_refreshed(world: World) -> None:
    refreshes = world.refreshes
    started = await refreshes.start()
    assert refreshes.keys is not None
    await world.other_process().destroy(OWNER)
    refreshes.keys = world.other_process()
    with pytest.raises(SessionEnded):
        await refreshes.service().refresh(started.secret)
    assert refreshes.provider.redeemed == []


async def test_many_refreshes_at_once_in_two_processes_are_one(world: World) -> None:
    refreshes = world.refreshes
    started = await refreshes.start()
    refreshes.keys = world.other_process()
    here = refreshes.service()
    refreshes.keys = world.other_process()
    there = refreshes.service()
    outcomes = await asyncio.gather(*(one.refresh(started.secret) for one in (here, there) for _ in range(4)))
    assert len({outcome.require().secret for outcome in outcomes}) == 1
    assert refreshes.provider.redeemed == ["refresh-0"]
