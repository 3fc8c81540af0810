"""Signed statements: what the sealer or retention states about events. Each is the detail of an event.

    acme.example/audit/org-1                acme.example/audit/%3Adeployment
    retention                               sealed
    0                                       1764205200000000
    999                                     1764204900000000
    1764201600000000

The lines are the origin of the log that has the event, the kind of the statement, and its numbers. The bytes of this
text are signed like those of a checkpoint, whose second line is a number: neither signature serves for the other, nor
that of one kind for another. The numbers and the signature are the detail of the event.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from tenantgate.transparency.errors import NoteMalformed, NoteUnsigned
from tenantgate.transparency.notes import VerifierKey, decoded, encoded

RETENTION_EVENT: Final = "AUDIT_RETENTION"
SEALED_EVENT: Final = "AUDIT_SEALED"
# From the time of a statement to the recording of its event, in microseconds: a key service signs it in between.
MOST_DELAY = 60_000_000


class Removed(NamedTuple):
    """Retention removed the events of a log from position `first` to `last`, which were recorded before `before`.

    `before`: microseconds since 1970. A later statement begins at position 0 again, so that it replaces the earlier
    ones.
    """

    first: int
    last: int
    before: int


class SealedThrough(NamedTuple):
    """At the time `at`, every event of every log that was recorded before `through` had its leaf and its checkpoint.

    In microseconds since 1970.
    """

    at: int
    through: int


type Statement = Removed | SealedThrough

_KINDS: Mapping[type[Statement], str] = {Removed: "retention", SealedThrough: "sealed"}


class Signer(Protocol):
    """The part of `signers.SigningKeys` that signs statements. Raises `SecretsUnavailable`, `KeyServiceUnavailable`."""

    async def public_keys(self) -> Sequence[bytes]: ...

    async def signature(self, text: str, name: str) -> tuple[VerifierKey, bytes]: ...


async def signed_detail(signer: Signer, origin: str, statement: Statement) -> dict[str, object]:
    """Return the detail of the event of a statement. `origin`: of the log that gets it. Raises as the signer does."""
    return statement_detail(statement, *await signer.signature(statement_text(origin, statement), origin))


def statement_text(origin: str, statement: Statement) -> str:
    """Return the text whose UTF-8 bytes are signed."""
    return "".join(f"{line}\n" for line in (origin, _KINDS[type(statement)], *statement))


def statement_detail(statement: Statement, key: VerifierKey, signature: bytes) -> dict[str, object]:
    """Return the detail of the event. `signature`: 64 bytes, of the key that has the name of the log's origin."""
    return {**statement._asdict(), "signature": encoded(key.id + signature)}


def open_statement[S: (Removed, SealedThrough)](wanted: type[S], detail: str, keys: Sequence[VerifierKey]) -> S:
    """Return the statement in the detail of an event. `keys`: of the log. Raises `Unproven`."""
    try:
        given = json.loads(detail)
        statement = wanted(*(given[name] for name in wanted._fields))
        signature = decoded(given["signature"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise NoteMalformed("not a statement of this kind") from None
    if signature is None or any(type(number) is not int for number in statement):
        raise NoteMalformed("not a statement of this kind")
    known = [key for key in keys if key.id == signature[: len(key.id)]]
    if not known:
        raise NoteUnsigned("no known key signed the statement")
    known[0].verify(signature[len(known[0].id) :], statement_text(known[0].name, statement))
    return statement
