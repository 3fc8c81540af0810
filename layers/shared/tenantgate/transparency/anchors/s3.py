"""Anchors in an S3 bucket with Object Lock in compliance mode: not even the account's root user shortens its time.

Object Lock keeps versions, not names: anyone who may write to the bucket can put another version in front, or hide an
object by a delete marker. So only the oldest version of an object counts, and a hidden one is still listed.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from tenantgate.aws.failures import failure_name
from tenantgate.errors.base import Word
from tenantgate.transparency.anchors.objects import require_name
from tenantgate.transparency.errors import AnchorExists, AnchorUnavailable

# S3's errors for an object that exists (`If-None-Match`), or that another request is writing.
_EXISTS = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})


class S3Client(Protocol):
    """The methods of boto3's S3 client that are called."""

    def put_object(self, **arguments: Any) -> Mapping[str, Any]: ...

    def get_object(self, **arguments: Any) -> Mapping[str, Any]: ...

    def get_paginator(self, operation: str) -> Any: ...


class S3Anchors:
    """Objects of a bucket. Blocks no event loop."""

    def __init__(self, bucket: str, client: Callable[[], S3Client], *, keep_days: int) -> None:
        """Take the bucket's name. `keep_days`: for which S3 deletes no object."""
        self._bucket = bucket
        self._client = client
        self._keep = timedelta(days=keep_days)

    async def put(self, name: str, content: bytes) -> None:
        require_name(name)
        await self._run(
            lambda client: client.put_object(
                Bucket=self._bucket,
                Key=name,
                Body=content,
                IfNoneMatch="*",
                # Object Lock requires a checksum.
                ChecksumAlgorithm="SHA256",
                ObjectLockMode="COMPLIANCE",
                ObjectLockRetainUntilDate=datetime.now(UTC) + self._keep,
            )
        )

    async def names(self, prefix: str) -> Sequence[str]:
        return await self._run(
            lambda client: sorted(
                {
                    # A name that ends with a slash marks a folder in the console.
                    one["Key"]
                    for one in self._versions(client, prefix)
                    if not one["Key"].endswith("/")
                }
            )
        )

    async def get(self, name: str) -> bytes:
        require_name(name)
        return await self._run(lambda client: self._oldest(client, name))

    def _oldest(self, client: S3Client, name: str) -> bytes:
        versions = [one for one in self._versions(client, name) if one["Key"] == name]
        if not versions:
            raise AnchorUnavailable("there is no anchor of this name")
        # S3 lists the newest version first.
        oldest = min(reversed(versions), key=lambda one: one["LastModified"])
        response = client.get_object(Bucket=self._bucket, Key=name, VersionId=oldest["VersionId"])
        content: bytes = response["Body"].read()
        return content

    def _versions(self, client: S3Client, prefix: str) -> Iterator[Mapping[str, Any]]:
        for page in client.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=prefix):
            yield from page.get("Versions", ())

    async def _run[T](self, work: Callable[[S3Client], T]) -> T:
        try:
            return await asyncio.to_thread(lambda: work(self._client()))
        except AnchorUnavailable:
            raise
        except Exception as error:
            failure = Word(failure_name(error))
            if failure in _EXISTS:
                raise AnchorExists("there is an anchor of this name") from None
            raise AnchorUnavailable("the bucket of anchors can't be used", failure=failure) from error
