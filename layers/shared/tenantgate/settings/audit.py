"""Settings of the transparency log: the key that signs its checkpoints, and the place outside the database for them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import ValidationInfo, field_validator
from pydantic_settings import NoDecode

from tenantgate.settings.deployment import DeploymentSettings
from tenantgate.settings.fields import is_relaxed, setting
from tenantgate.settings.parsing import parse_bucket, parse_kms_keys


class AuditSettings(DeploymentSettings):
    """Signing and anchoring. A deployment without them keeps its events and queues them (docs/AUDIT.md)."""

    audit_anchor_folder: Path | None = setting(
        "Folder for the checkpoints of the audit log, with an absolute path: on a disk that the database's "
        "administrators can't write to. For development, and hosts without S3.",
        injected_by="`tenantgate dev`",
        default=None,
    )
    audit_anchor_bucket: str | None = setting(
        "S3 bucket with Object Lock for the checkpoints of the audit log, instead of `AUDIT_ANCHOR_FOLDER`.",
        injected_by="the template",
        default=None,
    )
    audit_anchor_days: int = setting(
        "Days for which S3 refuses to delete a checkpoint, even to the account's administrators.",
        injected_by="template parameter `AuditAnchorDays`",
        default=365,
        ge=1,
        le=36500,
    )
    audit_signing_kms_key: Annotated[tuple[str, ...], NoDecode] = setting(
        "ARNs of the AWS KMS keys (key spec `ECC_NIST_EDWARDS25519`) that sign the checkpoints of the audit log; "
        "comma-separated, newest first. The first one signs; each verifies, as do the keys of the secret "
        "`AUDIT_SIGNING_KEYS`. Never remove one. Unset: the secret.",
        injected_by="the template, newer ones by its parameter `AuditSigningKmsKeys`",
        default=(),
    )
    audit_retention_days: int | None = setting(
        "Days after which `tenantgate audit retain` removes the contents of audit events. Unset: they stay.",
        default=None,
        ge=1,
        le=36500,
    )

    @field_validator("audit_anchor_folder")
    @classmethod
    def _folder(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_absolute():
            raise ValueError("set it to an absolute path, such as /var/lib/tenantgate/anchors")
        return value

    @field_validator("audit_anchor_bucket")
    @classmethod
    def _bucket(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        if info.data.get("audit_anchor_folder") is not None:
            raise ValueError("unset it or AUDIT_ANCHOR_FOLDER: checkpoints are anchored in one place")
        return parse_bucket(value)

    @field_validator("audit_signing_kms_key", mode="before")
    @classmethod
    def _signing_keys(cls, value: object) -> object:
        return parse_kms_keys(value) if isinstance(value, str) else value

    @field_validator("audit_signing_kms_key")
    @classmethod
    def _anchored(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        # Every such key belongs to a deployment that means to be able to prove its log.
        has_anchor = info.data.get("audit_anchor_folder") or info.data.get("audit_anchor_bucket")
        if (
            value
            and not has_anchor
            and not is_relaxed(info)
            and {"audit_anchor_folder", "audit_anchor_bucket"} <= info.data.keys()
        ):
            raise ValueError("set AUDIT_ANCHOR_BUCKET as well: without anchors, a restored old database looks whole")
        return value
