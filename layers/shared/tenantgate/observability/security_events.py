"""Security events: log lines of one schema, from which an audit trail can be made.

`context` has `event`, `kind`, `tenant_id`, `actor` and `request_id`, each null if it is unknown; never a secret, a
token or a user id.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Literal

from tenantgate.context import current_request
from tenantgate.errors.base import Word

_log = logging.getLogger(__name__)

type Actor = Literal["operator", "user", "provider", "system"]
type Event = Literal["REVOKED", "REVOCATION_LIFTED", "SESSION_ENDED"]
type Kind = Literal["token", "session", "user", "client", "tenant", "kid"]

EVENTS: Mapping[Event, str] = {
    "REVOKED": "A token, session, user, client, tenant or key id was revoked.",
    "REVOCATION_LIFTED": "A revoked key id is accepted again.",
    "SESSION_ENDED": "A session ended before its time-out, and the tokens that its clients got were revoked.",
}


def log_security_event(event: Event, *, kind: Kind, actor: Actor, tenant_id: str | None = None) -> None:
    """Write the line of an event that has happened. `actor`: who wanted it; `system`: Tenantgate itself."""
    context = {
        "event": Word(event),
        "kind": Word(kind),
        "tenant_id": None if tenant_id is None else Word(tenant_id),
        "actor": Word(actor),
        "request_id": Word(current_request().request_id) or None,
    }
    _log.info("security event", extra={"context": context})
