"""Both stores of anchors keep the same promises: a folder, and a bucket of moto with Object Lock."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tenantgate.transparency.anchors.folder import FolderAnchors
from tenantgate.transparency.anchors.s3 import S3Anchors
from tenantgate.transparency.errors import AnchorExists, AnchorUnavailable
from tests.fixtures.transparency.anchors import BUCKET, Store

pytestmark = pytest.mark.anyio


async def test_an_object_is_kept_as_it_was_written(store: Store) -> None:
    await store.anchors.put("checkpoints/2026/b", b"second")
    await store.anchors.put("checkpoints/2026/a", b"first")
    await store.anchors.put("erasures/1", b"")
    assert await store.anchors.names("checkpoints/") == ["checkpoints/2026/a", "checkpoints/2026/b"]
    assert await store.anchors.names("nothing/") == []
    assert [await store.anchors.get(name) for name in await store.anchors.names("")] == [b"first", b"second", b""]


async def test_a_name_is_taken_once(store: Store) -> None:
    await store.anchors.put("checkpoints/a", b"first")
    with pytest.raises(AnchorExists):
        await store.anchors.put("checkpoints/a", b"other")
    assert await store.anchors.get("checkpoints/a") == b"first"


async def test_one_of_several_at_once_gets_the_name(store: Store) -> None:
    puts = (store.anchors.put("checkpoints/a", bytes([n])) for n in range(8))
    results = await asyncio.gather(*puts, return_exceptions=True)
    assert sorted(type(one).__name__ for one in results) == ["AnchorExists"] * 7 + ["NoneType"]
    assert await store.anchors.get("checkpoints/a") == bytes([results.index(None)])


@pytest.mark.parametrize("name", ["../a", "/etc/a", "checkpoints/../../a"])
async def test_no_name_leaves_the_store(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="not the name"):
        await store.anchors.put(name, b"x")
    with pytest.raises(ValueError, match="not the name"):
        await store.anchors.get(name)


async def test_a_missing_object_is_reported(store: Store) -> None:
    with pytest.raises(AnchorUnavailable):
        await store.anchors.get("checkpoints/a")


async def test_object_lock_keeps_what_was_written(s3: Any) -> None:
    store = S3Anchors(BUCKET, lambda: s3, keep_days=30)
    await store.put("checkpoints/a", b"first")
    head = s3.head_object(Bucket=BUCKET, Key="checkpoints/a")
    assert head["ObjectLockMode"] == "COMPLIANCE"
    left = head["ObjectLockRetainUntilDate"] - datetime.now(UTC)
    assert timedelta(days=29, hours=23) < left <= timedelta(days=30)
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=BUCKET, Key="checkpoints/a", VersionId=head["VersionId"])


async def test_versions_in_front_and_delete_markers_change_nothing(s3: Any) -> None:
    """An administrator of the bucket can do both: Object Lock protects versions."""
    store = S3Anchors(BUCKET, lambda: s3, keep_days=30)
    await store.put("checkpoints/a", b"first")
    s3.put_object(Bucket=BUCKET, Key="checkpoints/a", Body=b"forged")
    assert await store.get("checkpoints/a") == b"first"
    s3.delete_object(Bucket=BUCKET, Key="checkpoints/a")
    assert await store.names("checkpoints/") == ["checkpoints/a"]
    assert await store.get("checkpoints/a") == b"first"


async def test_a_bucket_that_doesnt_exist_is_reported(s3: Any) -> None:
    with pytest.raises(AnchorUnavailable):
        await S3Anchors("another", lambda: s3, keep_days=1).put("checkpoints/a", b"x")
    with pytest.raises(AnchorUnavailable):
        await S3Anchors("another", lambda: s3, keep_days=1).names("checkpoints/")


async def test_a_folder_that_cant_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "anchors").write_text("a file")
    with pytest.raises(AnchorUnavailable):
        await FolderAnchors(tmp_path / "anchors").put("checkpoints/a", b"x")


async def test_a_write_that_fails_leaves_no_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderAnchors(tmp_path)
    await store.put("checkpoints/a", b"x")

    def fail(_: int) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(AnchorUnavailable):
            await store.put("checkpoints/b", b"y")
    assert await store.names("") == ["checkpoints/a"]
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["a"]


@pytest.mark.parametrize("is_file", [False, True])
async def test_a_folder_that_is_missing_doesnt_look_empty(tmp_path: Path, is_file: bool) -> None:
    folder = tmp_path / "mount" / "anchors"
    if is_file:
        folder.parent.mkdir()
        folder.write_text("a file")
    for prefix in ("", "erasures/"):
        with pytest.raises(AnchorUnavailable):
            await FolderAnchors(folder).names(prefix)
    with pytest.raises(AnchorUnavailable):
        await FolderAnchors(folder).get("erasures/a")


async def test_a_part_that_cant_be_listed_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderAnchors(tmp_path)
    await store.put("erasures/2026/a", b"x")
    listed = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("2026"):
            raise PermissionError
        return listed(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refuse)
        with pytest.raises(AnchorUnavailable):
            await store.names("erasures/")


async def test_traces_of_file_managers_and_consoles_arent_listed(store: Store) -> None:
    await store.anchors.put("erasures/1", b"x")
    store.plant_trace()
    assert await store.anchors.names("") == ["erasures/1"]


async def test_an_object_of_another_name_is_listed(store: Store) -> None:
    store.plant("erasures/A b", b"x")
    assert await store.anchors.names("erasures/") == ["erasures/A b"]
    with pytest.raises(ValueError, match="not the name"):
        await store.anchors.get("erasures/A b")
