"""The steps of a fetch from Valkey, for the authorizer's reader and the web functions' client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenantgate.revoked.additions import Additions
from tenantgate.revoked.snapshot import ADDITIONS_KEY, BODY_KEY, HEAD_KEY, Head, Snapshot

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from tenantgate.revoked.holder import Holder


def fetch_into(holder: Holder) -> Generator[tuple[str, ...], Sequence[bytes | None], tuple[bool, bool]]:
    """Yield the keys to read, all in one command, and take their values.

    Return two results: Valkey had a list, and the holder took it. The holder gets no more than it needs: the head, if
    nothing has changed; the additions, if it holds the snapshot before; otherwise everything.
    """
    held = holder.snapshot
    if held is not None:
        (raw,) = yield (HEAD_KEY,)
        head = Head.from_json(raw)
        if holder.accept_head(head):
            return True, True
        if head is not None and head.body_epoch == held.base and head.epoch > held.base:
            # In one command, so that no publisher comes in between.
            raw, added = yield (HEAD_KEY, ADDITIONS_KEY)
            if holder.accept(Head.from_json(raw), held.with_additions(Additions.from_json(added))):
                return True, True
    raw, body, added = yield (HEAD_KEY, BODY_KEY, ADDITIONS_KEY)
    return None not in (raw, body), holder.accept(*_together(raw, body, added))


def _together(raw: bytes | None, body: bytes | None, added: bytes | None) -> tuple[Head | None, Snapshot | None]:
    head, snapshot = Head.from_json(raw), Snapshot.from_json(body)
    if head is not None and snapshot is not None and head.epoch != snapshot.epoch:
        # Additions that are missing, or to another body, leave a snapshot that doesn't fit the head.
        snapshot = snapshot.with_additions(Additions.from_json(added)) or snapshot
    return head, snapshot
