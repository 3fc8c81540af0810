"""A few rotations of each kind under load, and both ways to remove a leaked key; `campaign.py` is the long form."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tenantgate_cli.stack.servers.valkey import EmbeddedValkey
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.databases.valkey import command
from tests.fixtures.faults.stack import FaultStack, fault_stack
from tests.fixtures.providers.misbehaving import ec_key
from tests.functional.key_rotations.rotations import (
    SLOW_KEYS,
    Kind,
    Load,
    access_token,
    authorizer_door,
    container_door,
    new_key,
    revoke,
    rotate,
    withdraw,
)

pytestmark = [pytest.mark.timed]


@pytest.fixture(scope="module")
def stack(
    database_urls: DatabaseUrls, valkey_server: EmbeddedValkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FaultStack]:
    command(valkey_server.start(), "FLUSHALL")
    folder = tmp_path_factory.mktemp("rotations")
    with (
        fault_stack(database_urls.app_url, valkey_server.start(), folder) as running,
        running.links["provider"].failing(SLOW_KEYS, "client"),
    ):
        yield running


def test_no_token_by_a_published_key_is_refused_while_keys_rotate(stack: FaultStack) -> None:
    kinds: list[Kind] = ["just before signing", "published first", "just before signing"]
    with Load(stack).running() as load:
        load.wait_for(stack.provider.key)
        for kind in kinds:
            load.wait_for(rotate(stack, kind))
    assert load.wrong() == []
    assert any(not one.expected for one in load.judged)


def test_a_key_that_was_never_published_is_refused(stack: FaultStack) -> None:
    with ExitStack() as open_:
        for ask in (container_door(stack, open_), authorizer_door(stack)):
            assert ask(access_token(stack, stack.provider.key))
            assert not ask(access_token(stack, ec_key("never-published")))
            assert not ask(access_token(stack, stack.provider.key, forged_by=new_key()))


def test_a_revoked_key_is_refused_everywhere(stack: FaultStack, database_urls: DatabaseUrls, redis_url: str) -> None:
    removal, _ = revoke(stack, database_urls.app_url, redis_url)
    assert removal.longest <= 5


def test_a_withdrawn_key_is_refused_when_its_key_set_is_due(stack: FaultStack) -> None:
    # `JWKS_CACHE_TTL_SECONDS` is 1, and a caller waits for a fetch for at most 2 s.
    assert withdraw(stack).longest <= 3
