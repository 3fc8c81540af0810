"""The provider's signing keys: generated once, stored sealed in the database, published as a JWK Set (RFC 7517)."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, KeySet, RSAKey, import_key

from tenantgate.crypto.sealing import SealBroken, Sealer
from tenantgate.database.patience import note_work
from tenantgate.openid_provider.models import SIGNING_ALGORITHMS, SigningAlgorithm, StoredKey
from tenantgate.openid_provider.storage.stores import KeyStore
from tenantgate.shared_calls import SharedCalls

_log = logging.getLogger(__name__)

_PURPOSE = "provider-signing-key"
_RSA_BITS = 2048
_REREAD_AFTER_SECONDS = 300
_MAX_TOKEN_CHARACTERS = 16 * 1024


class TokenRefused(Exception):
    """The token was not signed by this provider, or was signed for another use."""


class KeyRing:
    """Private keys in memory, which sign the provider's tokens and verify them."""

    def __init__(self, keys: Mapping[SigningAlgorithm, Key]) -> None:
        self._keys = keys
        self._key_set = KeySet(list(keys.values()))

    def public_jwks(self) -> dict[str, object]:
        """Return the JWK Set of the public keys."""
        return dict(self._key_set.as_dict(private=False))

    def key_for(self, algorithm: SigningAlgorithm) -> Key:
        """Return the private key of `algorithm`."""
        return self._keys[algorithm]

    def header_for(self, algorithm: SigningAlgorithm, typ: str) -> dict[str, str]:
        """Return the JOSE header of a token signed with that key."""
        return {"alg": algorithm, "typ": typ, "kid": str(self._keys[algorithm].kid)}

    def sign(self, claims: Mapping[str, object], *, algorithm: SigningAlgorithm, typ: str) -> str:
        """Return a signed JWT (RFC 7519)."""
        return jwt.encode(self.header_for(algorithm, typ), dict(claims), self._keys[algorithm], [algorithm])

    def verify(self, token: str, *, typ: str) -> dict[str, object]:
        """Check the signature and that `typ` is exactly this one (RFC 8725 §3.11), and return the claims.

        Raises `TokenRefused`. The caller checks the claims.
        """
        if len(token) > _MAX_TOKEN_CHARACTERS:
            raise TokenRefused("too long")
        try:
            decoded = jwt.decode(token, self._key_set, algorithms=list(SIGNING_ALGORITHMS))
        except (JoseError, ValueError) as error:
            raise TokenRefused(type(error).__name__) from error
        if decoded.header.get("typ") != typ:
            raise TokenRefused("wrong typ")
        return decoded.claims


class SigningKeys:
    """The current key ring, with missing keys generated first.

    One per event loop. Processes that start at the same time end up with the same keys.
    """

    def __init__(self, store: KeyStore, *, sealer: Callable[[], Awaitable[Sealer]], clock: Callable[[], float]) -> None:
        self._store = store
        self._sealer = sealer
        self._clock = clock
        self._ring: KeyRing | None = None
        self._read_at = 0.0
        self._readings = SharedCalls[None, KeyRing]()

    async def ring(self) -> KeyRing:
        """Return the current keys, which are read again every few minutes."""
        if self._ring is None or self._clock() - self._read_at > _REREAD_AFTER_SECONDS:
            return await self._readings.share(None, self._read)
        return self._ring

    async def _read(self) -> KeyRing:
        # For all that wait: some of them may have done work that would be lost.
        note_work()
        ring = self._ring = KeyRing(await self._load_or_generate())
        self._read_at = self._clock()
        return ring

    async def _load_or_generate(self) -> dict[SigningAlgorithm, Key]:
        sealer = await self._sealer()
        keys = await self._usable(sealer)
        missing = [algorithm for algorithm in SIGNING_ALGORITHMS if algorithm not in keys]
        if not missing:
            return keys
        for algorithm in missing:
            await self._store.add(await asyncio.to_thread(self._new, algorithm, sealer))
        # Read back: of several processes that start at once, only one stores its key, and all must use that one.
        keys = await self._usable(sealer)
        if missing := [algorithm for algorithm in SIGNING_ALGORITHMS if algorithm not in keys]:
            raise RuntimeError(f"no signing key for {', '.join(missing)}")
        return keys

    async def _usable(self, sealer: Sealer) -> dict[SigningAlgorithm, Key]:
        keys: dict[SigningAlgorithm, Key] = {}
        for stored in await self._store.load():
            try:
                opened = sealer.open(stored.sealed_jwk, purpose=_PURPOSE, context=stored.kid.encode())
            except SealBroken:
                # The key that sealed this one is gone from COOKIE_SEALING_KEYS, so it can never sign again.
                _log.warning("a signing key can't be unsealed and is replaced", extra={"context": {"kid": stored.kid}})
                await self._store.remove(stored.kid)
                continue
            keys.setdefault(stored.algorithm, import_key(json.loads(opened)))
        return keys

    def _new(self, algorithm: SigningAlgorithm, sealer: Sealer) -> StoredKey:
        kid = secrets.token_urlsafe(12)
        jwk = json.dumps(_generate(algorithm, kid).as_dict(private=True)).encode()
        sealed = sealer.seal(jwk, purpose=_PURPOSE, context=kid.encode())
        return StoredKey(kid, algorithm, sealed)


def _generate(algorithm: SigningAlgorithm, kid: str) -> Key:
    if algorithm == "RS256":
        return RSAKey.generate_key(_RSA_BITS, {"alg": algorithm, "use": "sig", "kid": kid})
    return ECKey.generate_key("P-256", {"alg": algorithm, "use": "sig", "kid": kid})
