"""Tell a request that has done nothing yet from one whose work would be lost.

While connections are scarce, the first kind is given up early, so that the queue for a connection is short and does
not outlive its clients. The second kind waits longer: a redeemed code or refresh token can't be redeemed again.
"""

from __future__ import annotations

from contextvars import ContextVar

_has_worked: ContextVar[bool] = ContextVar("tenantgate_has_worked", default=False)


def note_work() -> None:
    """Note that the current request has done work: its next units of work wait for as long as any does."""
    _has_worked.set(True)


def has_worked() -> bool:
    """Return True after `note_work` in the current request."""
    return _has_worked.get()
