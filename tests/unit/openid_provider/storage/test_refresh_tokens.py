"""Refresh tokens: replaced at each use, and a family that ends when an earlier one is used."""

import logging
from dataclasses import replace

import pytest

from tenantgate.openid_provider.models import (
    CODES,
    REFRESH_TOKEN_IDLE_SECONDS,
    REFRESH_TOKEN_LIFETIME_SECONDS,
    REFRESH_TOKENS,
    AuthorizationCode,
    BrowserSession,
    RefreshToken,
)
from tenantgate.openid_provider.storage.refresh_tokens import RefreshTokens
from tests.fixtures.providers.built_in import CLIENT_ID, Clock, MemoryCodes, MemoryRefreshTokens

pytestmark = pytest.mark.anyio

TENANT = "org-1"
USER = "6f0a4b86-55e5-4f5c-9a0e-2f7f0d4f6c11"
REUSED = "a refresh token was used again: its family is revoked"


class Family:
    """A family that began with `text`."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.codes = MemoryCodes()
        self.store = MemoryRefreshTokens(self.codes)
        self.tokens = RefreshTokens(self.store, clock=self.clock)
        self.code = AuthorizationCode(
            digest=CODES.issue(TENANT).digest,
            client_id=CLIENT_ID,
            redirect_uri="https://app.example.test/cb",
            scope="openid offline_access",
            tenant_id=TENANT,
            user_id=USER,
            sid=USER,
            auth_time=int(self.clock.now) - 500,
            code_challenge="c" * 43,
            nonce="n",
            expires_at=int(self.clock.now) + 60,
        )
        self.text = REFRESH_TOKENS.issue(TENANT).text

    async def begin(self) -> str:
        await self.codes.save(self.code)
        assert await self.tokens.start(self.text, self.code)
        return self.text

    async def live(self, text: str, client_id: str = CLIENT_ID) -> RefreshToken | None:
        return await self.tokens.find_live(text, client_id=client_id)

    async def rotate(self, text: str) -> str:
        token, successor = await self.live(text), REFRESH_TOKENS.issue(TENANT).text
        assert token is not None
        assert await self.tokens.rotate(token, successor)
        return successor


@pytest.fixture
def family() -> Family:
    return Family()


async def test_a_token_keeps_what_was_granted_with_the_code(family: Family) -> None:
    token = await family.live(await family.begin())
    assert token is not None
    granted = ("client_id", "scope", "tenant_id", "user_id", "sid", "auth_time")
    assert [getattr(token, name) for name in granted] == [getattr(family.code, name) for name in granted]
    assert token.code_digest == family.code.digest
    assert token.ends_at == family.clock.now + REFRESH_TOKEN_LIFETIME_SECONDS


async def test_the_text_names_its_kind_and_is_stored_hashed(family: Family) -> None:
    await family.begin()
    assert family.text.startswith("tgrefresh_org-1.")
    assert family.text not in repr(family.store.rows)
    assert [len(token.digest) for token in family.store.rows.values()] == [32]


async def test_a_token_that_is_not_used_for_a_day_expires(family: Family) -> None:
    text = await family.begin()
    family.clock.now += REFRESH_TOKEN_IDLE_SECONDS - 1
    assert await family.live(text) is not None
    family.clock.now += 1
    assert await family.live(text) is None


async def test_a_use_prolongs_the_family_up_to_its_end(family: Family) -> None:
    text = await family.begin()
    for _ in range(REFRESH_TOKEN_LIFETIME_SECONDS // REFRESH_TOKEN_IDLE_SECONDS):
        family.clock.now += REFRESH_TOKEN_IDLE_SECONDS - 1
        text = await family.rotate(text)
    token = await family.live(text)
    assert token is not None
    assert token.expires_at == token.ends_at < family.clock.now + REFRESH_TOKEN_IDLE_SECONDS
    family.clock.now = token.ends_at
    assert await family.live(text) is None


@pytest.mark.parametrize("uses", [1, 2, 5])
async def test_any_earlier_token_ends_the_family(family: Family, uses: int, caplog: pytest.LogCaptureFixture) -> None:
    latest = first = await family.begin()
    for _ in range(uses):
        latest = await family.rotate(latest)
    with caplog.at_level(logging.WARNING):
        assert await family.live(first) is None
    assert await family.live(latest) is None
    [record] = [record for record in caplog.records if record.message == REUSED]
    assert getattr(record, "context", {})["event"] == "PROVIDER_REFRESH_TOKEN_REUSED"
    assert first not in caplog.text
    # The family is unknown now, so there is no second event.
    caplog.clear()
    assert await family.live(first) is None
    assert REUSED not in caplog.text


async def test_the_second_of_two_concurrent_uses_ends_the_family(family: Family) -> None:
    text = await family.begin()
    fast, slow = await family.live(text), await family.live(text)
    assert fast is not None
    assert slow is not None
    winner, loser = [REFRESH_TOKENS.issue(TENANT).text for _ in range(2)]
    assert await family.tokens.rotate(fast, winner)
    assert not await family.tokens.rotate(slow, loser)
    assert [await family.live(each) for each in (text, winner, loser)] == [None, None, None]


async def test_a_use_that_began_before_a_revocation_gets_nothing(
    family: Family, caplog: pytest.LogCaptureFixture
) -> None:
    token = await family.live(await family.begin())
    assert token is not None
    await family.tokens.revoke(family.text, client_id=CLIENT_ID)
    assert not await family.tokens.rotate(token, REFRESH_TOKENS.issue(TENANT).text)
    assert REUSED not in caplog.text


@pytest.mark.parametrize("uses", [0, 1])
async def test_another_client_can_neither_use_nor_revoke_a_family(family: Family, uses: int) -> None:
    first = latest = await family.begin()
    for _ in range(uses):
        latest = await family.rotate(latest)
    assert await family.live(first, "another") is None
    await family.tokens.revoke(first, client_id="another")
    assert await family.live(latest) is not None


@pytest.mark.parametrize("uses", [0, 3])
async def test_every_token_of_a_family_revokes_it(family: Family, uses: int) -> None:
    first = latest = await family.begin()
    for _ in range(uses):
        latest = await family.rotate(latest)
    await family.tokens.revoke(first, client_id=CLIENT_ID)
    assert await family.live(latest) is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("malformed", id="malformed"),
        pytest.param(REFRESH_TOKENS.issue(TENANT).text, id="never-issued"),
        pytest.param(CODES.issue(TENANT).text, id="a-code"),
    ],
)
async def test_a_text_that_was_never_issued_is_nothing(family: Family, text: str) -> None:
    latest = await family.begin()
    assert await family.live(text) is None
    await family.tokens.revoke(text, client_id=CLIENT_ID)
    assert await family.live(latest) is not None


async def test_a_code_that_was_sent_again_begins_no_family(family: Family) -> None:
    code = CODES.issue(TENANT)
    sent_again = replace(family.code, digest=code.digest)
    await family.codes.save(sent_again)
    await family.tokens.revoke_for_code(code, client_id="another")
    await family.tokens.revoke_for_code(code, client_id=CLIENT_ID)
    assert not await family.tokens.start(family.text, sent_again)


async def test_a_browser_session_that_has_ended_begins_no_family(family: Family) -> None:
    await family.codes.save(family.code)
    session = BrowserSession(b"", family.code.sid, TENANT, USER, auth_time=0, expires_at=0)
    await family.tokens.revoke_for_session(replace(session, tenant_id="org-2"))
    await family.tokens.revoke_for_session(session)
    assert not await family.tokens.start(family.text, family.code)


async def test_only_refresh_tokens_begin_a_family(family: Family) -> None:
    with pytest.raises(ValueError, match="not a refresh token"):
        await family.tokens.start(CODES.issue(TENANT).text, family.code)
