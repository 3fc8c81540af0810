"""Values that an earlier release sealed or stored still work.

A failing test here means that a release with this change ends sessions and pending sign-ins, or replaces the built-in
provider's keys.
"""

from __future__ import annotations

import base64
import hashlib
import json
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tenantgate.crypto.sealing import SealBroken, Sealer
from tenantgate.login.attempts.transactions import Transactions
from tenantgate.openid_provider.models import AuthorizationCode, BrowserSession, ProtocolResponse, StoredKey
from tenantgate.openid_provider.protocol.forms import FormTokens
from tenantgate.openid_provider.protocol.keys import SigningKeys
from tenantgate.openid_provider.storage.demo import DEMO_TENANT_ID, DEMO_USER_ID
from tenantgate.sessions.models import Grants, SessionTokens, StoredSession
from tenantgate.sessions.service import SessionService
from tests.fixtures.databases.session_stores import TENANT, MemorySessionStore
from tests.fixtures.providers.built_in import (
    CHALLENGE,
    CLIENT_ID,
    REDIRECT_URI,
    Clock,
    MemoryKeys,
    ProviderInMemory,
    authorization_request,
    query_of,
    token_request,
)

NOW = 1_800_000_000
KEY = "f_N7dT6v5mGn3-xyHTddsIBTD5RnYE6x-YGSQIzdo5g"
SEALER = Sealer([KEY])

PLAIN = "AT_Tjlgwcar8AAECAwQFBgcICQoLqT5NOljiVBHvsSt9WCNTcVqjgKUFpulphQ"
EMPTY = "AT_Tjlgwcar8AAECAwQFBgcICQoLF-IlL9FqWNWhen_aKGxsxA"
SESSION = (
    "AT_Tjlgwcar8AAECAwQFBgcICQoLJI0CaGWKEvUTEM-ki3aNb5p6yPImbEpuWm5rlWC2jC8ZHhNV_fO1AfQfZcT-F3z2LoI43-6Wo5b0Y-FQ1JzD"
    "MZIgHnYWQ5qIzfYTIjJIb3ggSR8"
)
LOGIN = (
    "AT_Tjlgwcar8AAECAwQFBgcICQoLT58GglGPEwF9BoxBUyYVq9w85CqjiwukFCTlroaY4MhnR_YgTbe_I9V2qv_W95_dnX7eDKTReJq_fb3o4bAo"
    "gPIxuH-JB2Qr10c_xDNxCWftvl7QxnqE8I59hesVQi1TSIh6X6cKYJm8rKHOL1luaLrljGVv6f7ba5EJ26BvqJAXxLv-QeypS5I5mG5mwQxat97x"
    "bRKeruAcrqk4pDZ60lNvN8LfEmnnfUIH1goyZ4WbfjdeRIMx6mRw8oZ_HCYH6L-uDFcKBTgxG5Qg4i1sBwRU6hHTop49rxcbz6did5u8UsnNw4UB"
    "THlLmcOucx00wA"
)
FORM = "AT_Tjlgwcar8AAECAwQFBgcICQoL1zgFs1Q64tid682ljb2Hgw5c3WXs-oo_lemTMAtUaOm8R7seFdb6Y3Zeut7nE8nOMXjfSyX7bNpxUA"
SIGNING_KEY = (
    "AT_Tjlgwcar8AAECAwQFBgcICQoLrMfnB8RiGsONAJGG3JDsZ4mk8CWs_gnmsEOfnRpzgEqCUv6pOPBjSIXyifiFPVqkoJEXESJ-dG-pgDUt9IOf"
    "Vb3Zf6wD6tQGti5cgam3S4_IeVv6Id5XIzWs0_RtbwNi4Fa9KuJz4D3R_p_pZMWjfAe2Svk-5Y7iW0kHMXM2SNB4Bp1O8dLWz0OwQwtcYtSDZth-"
    "TH9w4WJQc6vdYE3AfZ0ZYg0SxA9oN4tCPcC71OS6Q-uvSv6kseG3AGrdZwfYKeFlWXtMxw0E7Wljon3M3rHKThOU_aQlu-vc6oqvw-ZXfYX7MRSP"
    "RV5934LsAQg3mNPb6xJgW5ZQ5pY"
)


@pytest.mark.parametrize(
    ("sealed", "purpose", "context", "plaintext"),
    [
        pytest.param(PLAIN, "purpose", b"context", b"plaintext", id="with-a-context"),
        pytest.param(EMPTY, "purpose", b"", b"", id="empty"),
    ],
)
def test_a_value_sealed_by_an_earlier_release_opens(
    sealed: str, purpose: str, context: bytes, plaintext: bytes
) -> None:
    assert SEALER.open(sealed, purpose=purpose, context=context) == plaintext


def test_the_format_is_the_documented_one() -> None:
    """The module's description is enough to make a sealed value, without its code."""
    key = base64.urlsafe_b64decode(KEY + "=")
    key_id = hashlib.sha256(b"tenantgate/key-id" + key).digest()[:8]
    derived = HKDF(SHA256(), 32, salt=None, info=b"tenantgate/purpose").derive(key)
    header = b"\x01" + key_id + bytes(range(12))
    raw = header + AESGCM(derived).encrypt(bytes(range(12)), b"plaintext", header + b"context")
    assert base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == PLAIN


@pytest.mark.anyio
async def test_a_session_of_an_earlier_release_is_found() -> None:
    store, secret = MemorySessionStore(), "s" * 43
    await store.add(
        StoredSession(
            id=UUID(int=7),
            tenant_id=TENANT,
            user_id="user-1",
            issuer="https://issuer.example.test",
            secret_hash=hashlib.sha256(secret.encode()).digest(),
            sealed_tokens=SESSION,
            created_at=NOW - 60,
            expires_at=NOW + 60,
            auth_time=NOW - 60,
            last_used_at=NOW - 60,
            csrf_token=bytes(32),
            grants=Grants(),
        )
    )

    async def sealer() -> Sealer:
        return SEALER

    session = await SessionService(store, sealer, clock=lambda: NOW).find_live(f"{TENANT}.{secret}")
    assert session.tokens == SessionTokens(access_token="access", id_token="id", refresh_token=None)


def test_a_sign_in_that_began_under_an_earlier_release_is_completed() -> None:
    state = "s" * 43
    found = Transactions(SEALER, clock=lambda: NOW).find(state, {"__Host-tg_login_d64b93c9f1b60eb3": LOGIN})
    assert (found.state, found.nonce, found.code_verifier) == (state, "n", "v")
    assert (found.redirect_uri, found.return_to) == ("https://gate.example.test/cb", "/")


def test_a_form_of_an_earlier_release_is_accepted() -> None:
    assert FormTokens(SEALER, clock=lambda: NOW).open("sign-in", FORM) == {"a": "b"}


@pytest.mark.anyio
async def test_a_code_of_an_earlier_release_is_redeemed() -> None:
    provider = ProviderInMemory()
    text = f"{DEMO_TENANT_ID}.{'s' * 43}"
    code = AuthorizationCode(
        digest=bytes.fromhex("3e8633542007b15c3d165b4c05d07f06b74084f8fbb93f844123c172f9c45141"),
        client_id=CLIENT_ID,
        redirect_uri=REDIRECT_URI,
        scope="openid",
        tenant_id=DEMO_TENANT_ID,
        user_id=DEMO_USER_ID,
        sid=DEMO_USER_ID,
        auth_time=int(provider.clock()),
        code_challenge=CHALLENGE,
        nonce=None,
        expires_at=int(provider.clock()) + 1,
    )
    await provider.codes.save(code)
    assert (await provider.service.token(token_request(text), authorization=None)).status == 200


@pytest.mark.anyio
async def test_a_browser_of_an_earlier_release_stays_signed_in_at_the_provider() -> None:
    provider = ProviderInMemory()
    now = int(provider.clock())
    await provider.browser_sessions.save(
        BrowserSession(
            bytes.fromhex("3e8633542007b15c3d165b4c05d07f06b74084f8fbb93f844123c172f9c45141"),
            DEMO_USER_ID,
            DEMO_TENANT_ID,
            DEMO_USER_ID,
            now,
            now + 1,
        )
    )
    response = await provider.service.authorize(authorization_request(), cookie=f"{DEMO_TENANT_ID}.{'s' * 43}")
    assert isinstance(response, ProtocolResponse)
    assert "code" in query_of(response.location)


@pytest.mark.anyio
async def test_a_signing_key_of_an_earlier_release_stays() -> None:
    async def sealer() -> Sealer:
        return SEALER

    store = MemoryKeys()
    await store.add(StoredKey("known-kid", "ES256", SIGNING_KEY))
    published = (await SigningKeys(store, sealer=sealer, clock=Clock()).ring()).public_jwks()
    assert "known-kid" in json.dumps(published)


@pytest.mark.parametrize("sealed", [PLAIN, EMPTY])
def test_a_value_has_one_spelling(sealed: str) -> None:
    """Base64 tolerates stray last bits, padding and spaces, but a sealed value that was changed must not open."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    raw = base64.urlsafe_b64decode(sealed + "==")
    same = [
        sealed[:-1] + letter
        for letter in alphabet
        if letter != sealed[-1] and base64.urlsafe_b64decode(sealed[:-1] + letter + "==") == raw
    ]
    assert same
    for other in (*same, sealed + "=", sealed + "==", sealed + "\n", sealed.replace("-", "+").replace("_", "/")):
        if other != sealed:
            with pytest.raises(SealBroken):
                SEALER.open(other, purpose="purpose", context=b"context" if sealed == PLAIN else b"")
