"""Errors of proofs and notes, which callers report in their own words, of sealing, and of the store of anchors.

Unproven
├── ProofBroken           the hashes don't give the root
├── NoteMalformed         not a signed note
├── NoteUnsigned          no signature of a known key, or a wrong one
├── CheckpointMalformed   a note's text isn't a checkpoint
├── ProofMalformed        not a proof file
├── LeafMalformed         not the leaf of an event
└── Unprovable            there is no proof to make

TenantgateError
├── AnchorUnavailable     SYS_015
│   └── AnchorExists
└── InternalError         SYS_003
    └── LogBroken
"""

from __future__ import annotations

from tenantgate.errors.base import InternalError, TenantgateError, register

SYS_015 = register(
    "SYS_015",
    503,
    "The store of anchors is unavailable",
    cause="An erasure is committed only when its entry in the ledger is stored outside the database, and the bucket or "
    "folder of the audit log's anchors can't be used. Nothing was erased.",
    remedy="Try again shortly. Operators: `tenantgate doctor` checks `AUDIT_ANCHOR_BUCKET` or `AUDIT_ANCHOR_FOLDER`.",
)


class Unproven(Exception):
    """Something isn't proven. Its text says what, and has nothing from the input."""


class ProofBroken(Unproven):
    """A proof of inclusion or consistency doesn't lead to the root."""


class NoteMalformed(Unproven):
    """A text that is neither a signed note nor a verifier key."""


class NoteUnsigned(Unproven):
    """A note without a signature of a known key, or with a wrong signature of one."""


class CheckpointMalformed(Unproven):
    """The text of a note isn't a checkpoint."""


class ProofMalformed(Unproven):
    """A file isn't a proof of inclusion or consistency."""


class LeafMalformed(Unproven):
    """Leaf data that aren't those of an audit event."""


class Unprovable(Unproven):
    """A proof can't be made. The text gives the reason."""


class AnchorUnavailable(TenantgateError):
    """The store of anchors can't be used: nothing is known to be anchored."""

    error = SYS_015
    retry_after = 5


class AnchorExists(AnchorUnavailable):
    """There is an object of this name already: it wasn't replaced."""


class LogBroken(InternalError):
    """A log isn't the one that was sealed last: it is not continued."""
