"""`tenantgate audit tail`: the newest events of a log, and those that follow."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from tenantgate.audit.trail.models import Filters, OpenedEvent
from tenantgate.audit.trail.service import Follower
from tenantgate.tokens.tenant import DEPLOYMENT
from tenantgate_cli.commands.audit_trail import Trail, members, read
from tenantgate_cli.console import printable, say
from tenantgate_cli.stack.signals import stopped_by_signals

_LOOK_SECONDS = 1.0


def run(tenant: str | None, lines: int, data_dir: Path, url: str | None, *, follow: bool, as_json_lines: bool) -> None:
    """Print the events, masked. Raises Failure, before the first line if the reading can't be recorded."""
    log = DEPLOYMENT if tenant is None else tenant
    show = _show_json if as_json_lines else _show

    async def work(trail: Trail) -> None:
        began = await trail.export.begin(log, "tail", Filters(), masked=True)
        shown = await trail.export.newest(log, lines)
        for event in shown:
            show(event.masked())
        follower = Follower(trail.pages, trail.keys, log, shown, began=began)
        while follow:
            await asyncio.sleep(_LOOK_SECONDS)
            for event in await follower.more():
                show(event.masked())

    try:
        with stopped_by_signals():
            read(work, data_dir, url)
    except KeyboardInterrupt:
        return


def _show_json(event: OpenedEvent) -> None:
    sys.stdout.write(f"{json.dumps(members(event))}\n")
    sys.stdout.flush()


def _show(event: OpenedEvent) -> None:
    who = event.actor or "unknown"
    if event.user_ref is not None:
        who = f"{who} {event.user_id or event.person} ({event.user_ref})"
    named = (event.resource_type, event.resource_id or event.session_id)
    about = " ".join(str(part) for part in named if part is not None)
    details = " ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in event.detail.items())
    texts = (f"{event.recorded_at:%Y-%m-%d %H:%M:%S}", event.event_type, event.outcome, who, about, details)
    # One line each, however narrow the terminal; a detail may be a caller's text.
    say(printable("  ".join(text for text in texts if text)))
