"""The bound of revocations in its short form: every condition of Valkey, with a few revocations of each kind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tenantgate_cli.stack.servers.valkey import EmbeddedValkey
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.functional.revocation.bound.conditions import CONDITIONS
from tests.functional.revocation.bound.credentials import KINDS, Credentials
from tests.functional.revocation.bound.figures import GOAL_LATEST
from tests.functional.revocation.bound.measuring import measure
from tests.functional.revocation.bound.stack import BoundStack, bound_stack

pytestmark = [pytest.mark.anyio, pytest.mark.timed]

_REVOCATIONS = 13
# An outage must be longer than a list of revocations counts.
_SECONDS = {"frozen": 6.5, "gone": 6.5}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as valkey:
        yield valkey


@pytest.fixture(scope="module")
async def stack(
    database_urls: DatabaseUrls, server: EmbeddedValkey, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[BoundStack]:
    async with bound_stack(database_urls.app_url, server, tmp_path_factory.mktemp("bound")) as running:
        yield running


@pytest.fixture(scope="module")
def credentials(stack: BoundStack) -> Credentials:
    return Credentials(stack)


@pytest.mark.parametrize("name", CONDITIONS)
async def test_what_is_revoked_is_refused_within_the_bound(
    stack: BoundStack, credentials: Credentials, name: str
) -> None:
    seconds = _SECONDS.get(name, 2.0)
    done = await measure(
        stack, credentials, name, revocations=_REVOCATIONS, seconds=seconds, rate=_REVOCATIONS / seconds
    )
    assert done.found == []
    figures = done.figures()
    assert figures.acknowledged.total + figures.recorded.total == _REVOCATIONS
    assert figures.kinds.keys() == set(KINDS)
    assert (figures.acknowledged + figures.recorded).latest <= GOAL_LATEST
    # Both were seen: that it was let in, and that it was refused.
    assert figures.statuses["200"] > 0
    assert figures.statuses["401"] >= _REVOCATIONS
    if name in _SECONDS:
        # No authorizer lets any request in any more.
        assert figures.codes["SYS_011"] > 0
        assert 0 < figures.undecided_after <= GOAL_LATEST
    if name == "up":
        assert figures.failed_closed == 0
