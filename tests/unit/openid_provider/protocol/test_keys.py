"""Signing keys: generated once, stored sealed, published without their private part."""

import asyncio
import json

import jwt
import pytest

from tenantgate.crypto.sealing import Sealer
from tenantgate.openid_provider.models import SIGNING_ALGORITHMS, SigningAlgorithm, StoredKey
from tenantgate.openid_provider.protocol.keys import KeyRing, SigningKeys, TokenRefused
from tests.fixtures.providers.built_in import Clock, MemoryKeys, sealing_key

pytestmark = pytest.mark.anyio


def signing_keys(store: MemoryKeys, sealer: Sealer, clock: Clock | None = None) -> SigningKeys:
    async def current() -> Sealer:
        return sealer

    return SigningKeys(store, sealer=current, clock=clock or Clock())


@pytest.fixture
async def ring() -> KeyRing:
    return await signing_keys(MemoryKeys(), Sealer([sealing_key()])).ring()


async def test_one_key_is_generated_for_each_algorithm_and_kept() -> None:
    store, sealer = MemoryKeys(), Sealer([sealing_key()])
    first = (await signing_keys(store, sealer).ring()).public_jwks()
    assert (await signing_keys(store, sealer).ring()).public_jwks() == first
    assert sorted(store.rows) == sorted(SIGNING_ALGORITHMS)


async def test_processes_that_start_at_once_use_the_same_keys() -> None:
    store, sealer = MemoryKeys(), Sealer([sealing_key()])
    rings = await asyncio.gather(*(signing_keys(store, sealer).ring() for _ in range(4)))
    assert all(ring.public_jwks() == rings[0].public_jwks() for ring in rings)


async def test_private_keys_are_stored_sealed_and_never_published(ring: KeyRing) -> None:
    store = MemoryKeys()
    published = json.dumps((await signing_keys(store, Sealer([sealing_key()])).ring()).public_jwks())
    assert '"d"' not in published
    assert all("kty" not in row.sealed_jwk for row in store.rows.values())


async def test_a_sealed_key_opens_only_under_its_own_kid() -> None:
    store, sealer = MemoryKeys(), Sealer([sealing_key()])
    await signing_keys(store, sealer).ring()
    stored = store.rows["RS256"]
    store.rows["RS256"] = type(stored)("another-kid", stored.algorithm, stored.sealed_jwk)
    published = (await signing_keys(store, sealer).ring()).public_jwks()
    assert "another-kid" not in json.dumps(published)


async def test_keys_that_cannot_be_unsealed_are_replaced() -> None:
    store = MemoryKeys()
    lost = (await signing_keys(store, Sealer([sealing_key()])).ring()).public_jwks()
    made = (await signing_keys(store, Sealer([sealing_key()])).ring()).public_jwks()
    assert made != lost
    assert len(store.rows) == 2


async def test_sealing_keys_rotate_without_new_signing_keys() -> None:
    store, old, new = MemoryKeys(), sealing_key(), sealing_key()
    before = (await signing_keys(store, Sealer([old])).ring()).public_jwks()
    assert (await signing_keys(store, Sealer([new, old])).ring()).public_jwks() == before


async def test_keys_replaced_by_another_process_are_noticed_within_minutes() -> None:
    store, sealer, clock = MemoryKeys(), Sealer([sealing_key()]), Clock()
    keys = signing_keys(store, sealer, clock)
    before = (await keys.ring()).public_jwks()
    store.rows.clear()
    await signing_keys(store, sealer).ring()
    assert (await keys.ring()).public_jwks() == before
    clock.now += 301
    assert (await keys.ring()).public_jwks() != before


@pytest.mark.parametrize("algorithm", SIGNING_ALGORITHMS)
async def test_another_library_verifies_what_is_signed(ring: KeyRing, algorithm: SigningAlgorithm) -> None:
    token = ring.sign({"sub": "x"}, algorithm=algorithm, typ="at+jwt")
    keys = jwt.PyJWKSet.from_dict(ring.public_jwks())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    assert jwt.decode(token, key, algorithms=[algorithm]) == {"sub": "x"}
    assert ring.verify(token, typ="at+jwt") == {"sub": "x"}


async def test_the_ring_refuses_what_it_did_not_sign_for_this_use(ring: KeyRing) -> None:
    other = await signing_keys(MemoryKeys(), Sealer([sealing_key()])).ring()
    token = ring.sign({"sub": "x"}, algorithm="RS256", typ="JWT")
    header, claims, signature = token.split(".")
    for refused in (
        "",
        "x",
        "a.b.c",
        f"{header}.{claims}.",
        f"{header}.{claims}",
        f"{header}.{claims}.{signature}.x",
        f"{header}.e30.{signature}",
        other.sign({"sub": "x"}, algorithm="RS256", typ="at+jwt"),
        token,  # right signature, wrong typ
        token + "A" * 20_000,
        jwt.encode({"sub": "x"}, "k" * 32, "HS256", {"typ": "at+jwt"}),
        jwt.encode({"sub": "x"}, "", "none", {"typ": "at+jwt"}),
    ):
        with pytest.raises(TokenRefused):
            ring.verify(refused, typ="at+jwt")


async def test_a_store_that_loses_keys_is_reported() -> None:
    class Forgetful(MemoryKeys):
        async def add(self, key: StoredKey) -> None:
            pass

    with pytest.raises(RuntimeError, match="no signing key for RS256, ES256"):
        await signing_keys(Forgetful(), Sealer([sealing_key()])).ring()
