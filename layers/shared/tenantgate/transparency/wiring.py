"""The transparency log of this process: its keys, its anchors and the sealer."""

from __future__ import annotations

import logging
from functools import cache
from urllib.parse import urlsplit

from tenantgate.aws.kms import kms_client
from tenantgate.aws.s3 import s3_client
from tenantgate.database.wiring import database
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.secrets.store import SecretStore
from tenantgate.secrets.wiring import secret_store
from tenantgate.settings.environment import get_settings
from tenantgate.settings.model import Settings
from tenantgate.settings.parsing import KMS_KEY_ARN
from tenantgate.transparency.anchors.folder import FolderAnchors
from tenantgate.transparency.anchors.objects import Anchors
from tenantgate.transparency.anchors.s3 import S3Anchors
from tenantgate.transparency.checkpoints import log_origin
from tenantgate.transparency.errors import AnchorUnavailable, LogBroken
from tenantgate.transparency.repository import LogRepository
from tenantgate.transparency.signers import SETTING, KmsSigner, SigningKeys
from tenantgate.transparency.stating import STATEMENT_SECONDS, Turn, state_sealed
from tenantgate.transparency.tasks import Sealer, SealRun

logger = logging.getLogger(__name__)

# Tenants that the container seals at once: the database waits for one while Python hashes another.
_AT_ONCE = 3


def anchors(settings: Settings) -> Anchors | None:
    """Return the store of anchors, None without a setting for one. It makes no connection."""
    if settings.audit_anchor_bucket is not None:
        region = settings.aws_region
        return S3Anchors(settings.audit_anchor_bucket, lambda: s3_client(region), keep_days=settings.audit_anchor_days)
    return None if settings.audit_anchor_folder is None else FolderAnchors(settings.audit_anchor_folder)


def signing_keys(settings: Settings, secrets: SecretStore) -> SigningKeys:
    """Return the keys that sign checkpoints. It makes no connection."""
    return SigningKeys(lambda: secrets.get(SETTING), [_kms_signer(arn) for arn in settings.audit_signing_kms_key])


def log_host(settings: Settings) -> str:
    """Return the host of the origin of new logs: that of `PUBLIC_BASE_URL`, with its port."""
    return urlsplit(settings.public_base_url).netloc or "tenantgate"


async def seal() -> SealRun | None:
    """Seal the queued events of all tenants once, as `Sealer.run` does; None in a deployment without signing keys.

    Then the events stay in the queue, and a warning says so once.
    """
    settings, store = get_settings(), secret_store()
    if not settings.audit_signing_kms_key:
        try:
            await store.get(SETTING)
        except SecretsUnavailable as error:
            if error.private.get("failure"):
                raise
            _warn_unsigned()
            return None
    if (where := anchors(settings)) is None:
        _warn_unanchored()
    host, keys = log_host(settings), signing_keys(settings, store)

    def origin(tenant_id: str) -> str:
        return log_origin(host, tenant_id)

    async def state() -> None:
        if (turn := _statements()).is_due and await state_sealed(database(), keys, origin):
            turn.done()

    at_once = 1 if settings.on_lambda else _AT_ONCE
    try:
        done = await Sealer(LogRepository(database()), keys, where, origin, at_once=at_once).run()
    except (AnchorUnavailable, LogBroken):
        # The other logs may be sealed all the same: the queue tells.
        await state()
        raise
    await state()
    return done


async def report_queue() -> None:
    """Log the age of the oldest unsealed event, on which the template has an alarm. Raises `DatabaseUnreachable`."""
    state = await LogRepository(database()).queue()
    logger.info("audit queue", extra={"context": state._asdict()})


def _kms_signer(arn: str) -> KmsSigner:
    found = KMS_KEY_ARN.fullmatch(arn)
    region = "" if found is None else found["region"]
    return KmsSigner(arn, lambda: kms_client(region))


@cache
def _statements() -> Turn:
    return Turn(STATEMENT_SECONDS)


@cache
def _warn_unsigned() -> None:
    logger.warning("audit events aren't sealed: set AUDIT_SIGNING_KEYS or AUDIT_SIGNING_KMS_KEY")


@cache
def _warn_unanchored() -> None:
    logger.warning(
        "checkpoints of the audit log aren't anchored: set AUDIT_ANCHOR_BUCKET or AUDIT_ANCHOR_FOLDER. Without "
        "anchors, nothing shows that an old state of the database was restored"
    )
