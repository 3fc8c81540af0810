"""The keys that sign checkpoints: those in AWS KMS, and those of the secret `AUDIT_SIGNING_KEYS`, each newest first.

The first key in KMS signs, or else the newest of the secret; each verifies. A local key is an Ed25519 seed (RFC 8032
§5.1.5): 32 random bytes as base64url. A KMS key has the specification `ECC_NIST_EDWARDS25519`, and never leaves KMS.
https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from tenantgate import time_limits
from tenantgate.aws.failures import failure_name
from tenantgate.crypto.errors import KeyServiceUnavailable
from tenantgate.crypto.sealing import decode_sealing_key
from tenantgate.errors.base import Word
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.transparency.notes import VerifierKey, signed_note

logger = logging.getLogger(__name__)

SETTING = "AUDIT_SIGNING_KEYS"


class KmsClient(Protocol):
    """The methods of boto3's KMS client that are called."""

    def get_public_key(self, **arguments: Any) -> Mapping[str, Any]: ...

    def sign(self, **arguments: Any) -> Mapping[str, Any]: ...


class KmsSigner:
    """An Ed25519 key in AWS KMS. Raises `KeyServiceUnavailable`. Blocks no event loop."""

    def __init__(self, arn: str, client: Callable[[], KmsClient]) -> None:
        self._arn = arn
        self._client = client
        self._public_key: bytes | None = None

    async def public_key(self) -> bytes:
        """Return the public key (32 bytes). Only the first call asks KMS: it never changes."""
        if self._public_key is None:
            response = await self._call("get_public_key")
            key = load_der_public_key(response["PublicKey"])
            if not isinstance(key, Ed25519PublicKey):
                raise KeyServiceUnavailable(
                    "AUDIT_SIGNING_KMS_KEY has a key of another kind: make one with the key spec ECC_NIST_EDWARDS25519"
                )
            self._public_key = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return self._public_key

    async def sign(self, text: bytes) -> bytes:
        """Return the signature (64 bytes)."""
        response = await self._call("sign", Message=text, MessageType="RAW", SigningAlgorithm="ED25519_SHA_512")
        signature: bytes = response["Signature"]
        return signature

    async def _call(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        call = partial(self._blocking, operation, KeyId=self._arn, **arguments)
        try:
            async with asyncio.timeout(time_limits.KMS_TOTAL):
                return await asyncio.to_thread(call)
        except Exception as error:
            failure = Word(failure_name(error))
            raise KeyServiceUnavailable("KMS can't sign", operation=Word(operation), failure=failure) from error

    def _blocking(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        response: Mapping[str, Any] = getattr(self._client(), operation)(**arguments)
        return response


class SigningKeys:
    """The keys of a deployment."""

    def __init__(self, secret: Callable[[], Awaitable[str]], kms: Sequence[KmsSigner] = ()) -> None:
        """`secret` returns `AUDIT_SIGNING_KEYS` or raises `SecretsUnavailable`. `kms`: the first signs instead."""
        self._secret = secret
        self._kms = kms

    async def public_keys(self) -> Sequence[bytes]:
        """Return the public keys, that of the signing key first.

        Raises `SecretsUnavailable` without a key, and `KeyServiceUnavailable`.
        """
        local = [_raw(key) for key in await self._local()]
        # It never skips a failing one: a key that is missing from the list would make honest checkpoints look forged.
        return [*[await signer.public_key() for signer in self._kms], *local]

    async def sign(self, text: str, name: str) -> str:
        """Return the note of a text, signed under a name. Raises as `public_keys` does."""
        return signed_note(text, [await self.signature(text, name)])

    async def signature(self, text: str, name: str) -> tuple[VerifierKey, bytes]:
        """Return the key of this name and its signature of a text. Raises as `public_keys` does."""
        if self._kms:
            public_key, signature = await self._kms[0].public_key(), await self._kms[0].sign(text.encode())
        else:
            newest, *_ = await self._local()
            public_key, signature = _raw(newest), newest.sign(text.encode())
        key = VerifierKey(name, public_key)
        # A note that doesn't verify must not become part of a log.
        key.verify(signature, text)
        return key, signature

    async def _local(self) -> list[Ed25519PrivateKey]:
        try:
            return local_keys(await self._secret())
        except SecretsUnavailable as error:
            # Not while the secret store can't be read: the list would lack keys that it has.
            if not self._kms or error.private.get("failure"):
                raise
            return []


def local_keys(text: str) -> list[Ed25519PrivateKey]:
    """Read `AUDIT_SIGNING_KEYS`. Raises `SecretsUnavailable`, which never repeats the text."""
    given = [part for part in text.split(",") if part.strip()]
    try:
        keys = [Ed25519PrivateKey.from_private_bytes(decode_sealing_key(part)) for part in given]
    except ValueError as error:
        raise SecretsUnavailable(f"{SETTING}: {error}") from None
    if not keys:
        raise SecretsUnavailable(f"{SETTING} has no key")
    return keys


def _raw(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
