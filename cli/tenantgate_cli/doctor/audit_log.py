"""The sealing of the audit log: its signing keys, its anchors, and how long events have waited."""

from __future__ import annotations

import asyncio

from tenantgate.crypto.errors import KeyServiceUnavailable
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.database.pool import PooledDatabase
from tenantgate.database.unit import StatementRefused
from tenantgate.secrets.errors import SecretMissing, SecretsUnavailable
from tenantgate.transparency.anchors.objects import Anchors
from tenantgate.transparency.errors import AnchorUnavailable, Unproven
from tenantgate.transparency.models import UNSEALED_WINDOW_SECONDS
from tenantgate.transparency.repository import LogRepository
from tenantgate.transparency.wiring import anchors, log_host, signing_keys
from tenantgate_cli.doctor.configuration import Configuration
from tenantgate_cli.outcomes import Finding, failed, ok, warning

# No object has such a name: a listing tells whether the store responds, and reads nothing.
_NOTHING = "doctor/"


def audit_log(of: Configuration) -> Finding:
    """Sign a text, list the anchors, and compare the queue with the unsealed window."""
    return asyncio.run(_checked(of))


async def _checked(of: Configuration) -> Finding:
    try:
        keys = await _signing(of)
    except SecretMissing:
        return warning(
            "audit events aren't sealed: nothing shows that one was changed or removed",
            "set AUDIT_SIGNING_KEYS (`tenantgate keys new` prints a key) or AUDIT_SIGNING_KMS_KEY",
        )
    except (SecretsUnavailable, KeyServiceUnavailable) as error:
        reason = error.private.get("failure", error)
        return failed(f"checkpoints can't be signed: {reason}", "correct the signing key (docs/AUDIT.md, Keys)")
    except Unproven as error:
        return failed(f"the signature of the key in KMS is wrong: {error}", "check the endpoint of AWS KMS")
    if (where := anchors(of.settings)) is None:
        return warning(
            f"{keys} sign checkpoints, which aren't anchored: nothing shows that an old database was restored",
            "set AUDIT_ANCHOR_BUCKET or AUDIT_ANCHOR_FOLDER",
        )
    return await _stored(of, keys, where)


async def _stored(of: Configuration, keys: str, where: Anchors) -> Finding:
    try:
        await where.names(_NOTHING)
    except AnchorUnavailable as error:
        return failed(
            f"the anchors can't be listed: {error.private.get('failure', error)}",
            "correct AUDIT_ANCHOR_BUCKET, and allow s3:ListBucketVersions to this role; or create or mount the folder "
            "AUDIT_ANCHOR_FOLDER",
        )
    if of.settings.database_url is not None:
        database = PooledDatabase(of.settings.database_url)
        try:
            state = await LogRepository(database).queue()
        except (DatabaseUnreachable, StatementRefused):
            return failed("the queue of unsealed events can't be read", "correct `database` and `schema` first")
        finally:
            await database.dispose()
        if state.oldest_seconds > UNSEALED_WINDOW_SECONDS:
            return failed(
                f"the oldest event or checkpoint has waited for {state.oldest_seconds:,} s",
                "find out why the sealer fails: its log has the reason (docs/AUDIT.md, Sealing)",
            )
    return ok(f"{keys} sign checkpoints of {log_host(of.settings)}; the anchors respond")


async def _signing(of: Configuration) -> str:
    keys = signing_keys(of.settings, of.secret_store())
    await keys.sign("doctor\n", "doctor")
    return f"{len(await keys.public_keys())} key(s)"
