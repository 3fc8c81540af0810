"""The store of anchors of the deployment that a command works on."""

from __future__ import annotations

from pathlib import Path

from tenantgate.transparency.anchors.folder import FolderAnchors
from tenantgate.transparency.anchors.objects import Anchors
from tenantgate.transparency.anchors.s3 import S3Anchors
from tenantgate_cli.stack.data_folder import DataFolder
from tenantgate_cli.stack.variables import environment

_DAYS = 365


def anchors_of(data_dir: Path, url: str | None) -> Anchors | None:
    """Return the anchors of the shell's settings with a URL, otherwise of the stack's; None without a place for them.

    Only what names the place is read: a machine that restores has few settings.
    """
    given = environment() if url else DataFolder(data_dir).running_settings() or environment()
    if bucket := given.get("AUDIT_ANCHOR_BUCKET"):
        from tenantgate.aws.s3 import s3_client  # noqa: PLC0415  (boto3 is slow to import)

        region = given.get("AWS_REGION")
        return S3Anchors(bucket, lambda: s3_client(region), keep_days=int(given.get("AUDIT_ANCHOR_DAYS", _DAYS)))
    folder = given.get("AUDIT_ANCHOR_FOLDER")
    return FolderAnchors(Path(folder)) if folder else None
