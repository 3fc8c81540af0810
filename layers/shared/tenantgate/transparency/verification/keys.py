"""The keys of a deployment's logs, which open checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from urllib.parse import quote, unquote

from tenantgate.transparency.checkpoints import Checkpoint, open_checkpoint
from tenantgate.transparency.errors import NoteUnsigned, Unproven
from tenantgate.transparency.notes import VerifierKey, split_note
from tenantgate.transparency.verification.models import StoredCheckpoint

_PATH = "/audit/"


class LogKeys:
    """Opens the checkpoints of every log of a deployment. `public_keys`: those that sign, or that signed earlier."""

    def __init__(self, public_keys: Sequence[bytes]) -> None:
        self._public_keys = public_keys

    def of(self, origin: str) -> list[VerifierKey]:
        """Return the verifier keys of a log. A log keeps its origin when the deployment's address changes."""
        return [VerifierKey(origin, key) for key in self._public_keys]

    def open(self, note: str | bytes, tenant_id: str) -> Checkpoint:
        """Return a checkpoint of the tenant's log. Raises `Unproven`."""
        origin = _origin(note)
        if origin.rpartition(_PATH)[2] != quote(tenant_id, safe=""):
            raise NoteUnsigned("it is a checkpoint of another log")
        return open_checkpoint(note, self.of(origin))


class CheckpointReader(Protocol):
    """Reads the checkpoints of a log in the order of their sizes. Raises `DatabaseUnreachable`."""

    async def checkpoints(self, tenant_id: str, *, after: int) -> Sequence[StoredCheckpoint]: ...


async def origin_of(reader: CheckpointReader, keys: LogKeys, tenant_id: str) -> str | None:
    """Return the origin of a log: that of its first checkpoint, which it keeps. None if none verifies.

    The application's login may add checkpoints, so that neither the newest nor the first row is sure to be one.
    """
    after = -1
    while page := await reader.checkpoints(tenant_id, after=after):
        for stored in page:
            try:
                return keys.open(stored.note, tenant_id).origin
            except Unproven:
                after = stored.size
    return None


def tenant_of(note: str) -> str:
    """Return the tenant that a checkpoint names, unverified. Raises `Unproven` unless a tenant can have this name."""
    _, path, quoted = _origin(note).rpartition(_PATH)
    tenant_id = unquote(quoted)
    # Only the one spelling that `log_origin` writes. Every tenant id is printable.
    if not path or not tenant_id or not tenant_id.isprintable() or quote(tenant_id, safe="") != quoted:
        raise NoteUnsigned("it isn't a checkpoint of a tenant's log")
    return tenant_id


def _origin(note: str | bytes) -> str:
    origin = split_note(note)[0].partition("\n")[0]
    try:
        return VerifierKey(origin, bytes(32)).name
    except ValueError:
        raise NoteUnsigned("it isn't a checkpoint of a log") from None
