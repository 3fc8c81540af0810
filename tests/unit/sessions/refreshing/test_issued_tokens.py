"""Every access token that the clients of a session get is in its row."""

from __future__ import annotations

import pytest

from tenantgate.revoked.names import token_name
from tenantgate.sessions.ending.issued_tokens import IssuedToken
from tenantgate.sessions.refreshing.models import Verified
from tests.fixtures.login.refreshes import ISSUER, Refreshes, principal

pytestmark = pytest.mark.anyio


def names(refreshes: Refreshes) -> list[bytes]:
    return [IssuedToken.unpacked(element).name for element in refreshes.row.issued_tokens]


async def test_the_sign_in_and_each_refresh_add_theirs_and_drop_expired_ones() -> None:
    refreshes = Refreshes()
    start = int(refreshes.clock())
    secret = (await refreshes.start()).secret
    assert names(refreshes) == [token_name(ISSUER, None, "access-0")]
    for number, age in ((1, 20), (2, 60), (3, 700)):
        refreshes.clock.pass_by(start + age - refreshes.clock())
        token = principal(expires_at=start + age + 600, claims={"jti": f"id-{number}"})
        refreshes.provider.verified = Verified(token, expires_at=start + age + 600)
        secret = (await refreshes.service().refresh(secret)).require().secret
    # The first two expired at 600 and 620, and their leeway of a minute is over.
    assert names(refreshes) == [token_name(ISSUER, f"id-{number}", "") for number in (2, 3)]


async def test_a_replay_adds_nothing() -> None:
    refreshes = Refreshes()
    started = await refreshes.start()
    result = (await refreshes.service().refresh(started.secret)).require()
    before = refreshes.row.issued_tokens
    assert (await refreshes.service().refresh(started.secret)).require() == result
    assert refreshes.row.issued_tokens == before
    assert len(before) == 2
