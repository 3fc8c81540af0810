"""The current request: its id, and after verification its user and tenant. Standard library only."""

from __future__ import annotations

import os
from contextvars import ContextVar
from string import ascii_letters, digits
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Caller(Protocol):
        """A verified caller, such as a principal."""

        @property
        def tenant_id(self) -> str: ...

        @property
        def issuer(self) -> str: ...

        @property
        def user_id(self) -> str: ...

        @property
        def session_id(self) -> str | None: ...


# Long enough for UUIDs, trace ids and API Gateway's own ids; no character that can forge a line or header.
# A token sent in the wrong header is rejected too: every line would repeat it.
_CHARACTERS = frozenset(ascii_letters + digits + "._=-")
_SHORTEST, _LONGEST = 8, 128
_TOKEN_PREFIX = "eyJ"  # noqa: S105


# Not a dataclass, and no `secrets`: each import costs the authorizer a tenth of its cold start or more.
class RequestContext:
    """Filled in during the request; read by the log formatter and the error renderer."""

    __slots__ = ("caller", "carried", "gateway_request_id", "request_id", "tenant_id", "user_id")

    def __init__(
        self,
        request_id: str = "",
        gateway_request_id: str | None = None,
        user_id: str | None = None,
        tenant_id: str | None = None,
    ) -> None:
        self.request_id = request_id
        self.gateway_request_id = gateway_request_id
        self.user_id = user_id
        self.tenant_id = tenant_id
        # The parts of the request that no log line may contain: an authorizer's event, read when a line is written.
        self.carried: object = None
        # For audit events; `user_id` and `tenant_id` are its.
        self.caller: Caller | None = None


_current: ContextVar[RequestContext] = ContextVar("tenantgate_request")
_at_end: list[Callable[[], None]] = []


def current_request() -> RequestContext:
    """Return the current request's context; outside a request, an empty one."""
    return _current.get(None) or RequestContext()


def begin_request(context: RequestContext) -> None:
    """Make `context` the current one for this task or invocation."""
    _current.set(context)


def at_request_end(work: Callable[[], None]) -> None:
    """Have `work` called at the end of every request of this process. It is quick and never raises."""
    _at_end.append(work)


def end_request() -> None:
    """Do the work for the end of a request, whose response is known."""
    for work in _at_end:
        work()


def choose_request_id(offered: str | None, *, gateway_request_id: str | None = None) -> str:
    """Return the caller's `X-Request-ID` if it is well-formed, or else API Gateway's id, or a new one."""
    for request_id in (offered, gateway_request_id):
        if request_id is not None and _is_well_formed(request_id):
            return request_id
    return os.urandom(16).hex()


def _is_well_formed(request_id: str) -> bool:
    return (
        _SHORTEST <= len(request_id) <= _LONGEST
        and _CHARACTERS.issuperset(request_id)
        and not request_id.startswith(_TOKEN_PREFIX)
    )
