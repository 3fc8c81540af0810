"""Key-encryption keys in AWS KMS, which never leave it.

The encryption context names the tenant, the purpose and the id of the data key. KMS refuses to decrypt with another
context, and CloudTrail records it.
https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol

from tenantgate import time_limits
from tenantgate.aws.failures import failure_name
from tenantgate.crypto.errors import EnvelopeBroken, KeyServiceUnavailable
from tenantgate.data_keys.models import KeyContext, WrappedKey
from tenantgate.errors.base import Word
from tenantgate.settings.parsing import KMS_KEY_ARN

logger = logging.getLogger(__name__)

KMS = "kms:"
# While KMS doesn't respond, each call would occupy a thread until its time limit.
PAUSE_SECONDS = 1.0
_THREADS = 8
# KMS's errors for a ciphertext of another key or context, or one that was changed.
_BROKEN = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})


class KmsClient(Protocol):
    """The methods of boto3's KMS client that are called."""

    def encrypt(self, **arguments: Any) -> Mapping[str, Any]: ...

    def decrypt(self, **arguments: Any) -> Mapping[str, Any]: ...


class KmsKeys:
    """Wraps with the first key, and unwraps with each. Blocks no event loop, and no thread of its default executor."""

    def __init__(
        self,
        arns: Sequence[str],
        client: Callable[[str], KmsClient],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the ARNs of keys, the newest first. `client` returns the client of a region."""
        found = [match for arn in arns if (match := KMS_KEY_ARN.fullmatch(arn)) is not None]
        if not arns or len(found) != len(arns):
            raise ValueError("at least one ARN of a KMS key is needed, and no other text")
        # By its id: a replica of a multi-Region key has the same one in another region.
        self._arns = {f"{KMS}{match['id']}": (match.string, match["region"]) for match in found}
        self._client = client
        self._clock = clock
        self._calls_from = float("-inf")
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="kms")

    @property
    def newest(self) -> str:
        """The name of the newest key."""
        return next(iter(self._arns))

    async def wrap(self, key: bytes, context: KeyContext) -> WrappedKey:
        response = await self._call("encrypt", self.newest, context, Plaintext=key)
        return WrappedKey(self.newest, response["CiphertextBlob"])

    async def unwrap(self, wrapped: WrappedKey, context: KeyContext) -> bytes:
        if wrapped.wrapped_by not in self._arns:
            raise KeyServiceUnavailable(
                "a data key is wrapped with a key that KEY_ENCRYPTION_KMS_KEYS doesn't have",
                wrapped_by=wrapped.wrapped_by,
            )
        response = await self._call("decrypt", wrapped.wrapped_by, context, CiphertextBlob=wrapped.wrapped_key)
        key: bytes = response["Plaintext"]
        return key

    async def _call(self, operation: str, name: str, context: KeyContext, **values: bytes) -> Mapping[str, Any]:
        if self._clock() < self._calls_from:
            raise KeyServiceUnavailable("KMS didn't respond a moment ago", operation=Word(operation))
        arn, region = self._arns[name]
        call = partial(self._blocking, operation, region, KeyId=arn, EncryptionContext=context._asdict(), **values)
        loop = asyncio.get_running_loop()
        try:
            # The limit is for all attempts together, and for the wait for a thread.
            async with asyncio.timeout(time_limits.KMS_TOTAL):
                return await loop.run_in_executor(self._threads, call)
        except Exception as error:
            failure = Word(failure_name(error))
            if failure in _BROKEN:
                raise EnvelopeBroken("KMS doesn't unwrap a data key", key_id=context.key, failure=failure) from None
            if getattr(error, "response", None) is None:
                self._calls_from = self._clock() + PAUSE_SECONDS
            logger.warning(
                "AWS KMS can't be used", extra={"context": {"operation": Word(operation), "error": Word(failure)}}
            )
            raise KeyServiceUnavailable("KMS can't be used", operation=Word(operation), failure=failure) from error

    def _blocking(self, operation: str, region: str, **arguments: Any) -> Mapping[str, Any]:
        response: Mapping[str, Any] = getattr(self._client(region), operation)(**arguments)
        return response
