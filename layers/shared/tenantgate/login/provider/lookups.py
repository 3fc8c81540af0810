"""Look up a provider's host in a separate thread, once at a time for each host.

On an event loop all look-ups, including the database's, share the loop's few default threads. A name whose servers are
silent blocks one of them for half a minute, even after its caller has timed out. So a host is looked up here first, and
the HTTP client only gets hosts that were found.
"""

from __future__ import annotations

import socket
import threading
import time

from tenantgate.errors.tokens import ProviderTimeout, ProviderUnreachable
from tenantgate.tokens.flights import Flight
from tenantgate.tokens.waiting import landing

# A burst of calls needs one look-up. Name servers rarely fall silent within it.
_FOUND_SECONDS = 1.0


class HostLookups:
    """The look-ups of one process. A silent name occupies one thread, for any number of callers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[str, Flight] = {}
        # Only the last one: there is one provider.
        self._found_until: dict[str, float] = {}

    async def require(self, host: str, *, seconds: float) -> None:
        """Return when the host is found.

        Raises `ProviderUnreachable` for an unknown host, and `ProviderTimeout` after `seconds`, or at once while an
        earlier look-up of the host is overdue.
        """
        with self._lock:
            flight = self._flights.get(host)
            if self._found_until.get(host, 0.0) > time.monotonic():
                return
            if flight is None or flight.landed:
                flight = self._flights[host] = Flight(time.time(), seconds, time.time)
                _begin(host, flight)
        await landing(flight, seconds)
        if not flight.landed:
            raise ProviderTimeout("the provider's host was not found in time", host=host)
        if flight.error is not None:
            raise type(flight.error)(flight.error.reason, host=host)
        self._found_until = {host: time.monotonic() + _FOUND_SECONDS}


def _begin(host: str, flight: Flight) -> None:
    # Not an executor's thread: the end of the process waits for those.
    thread = threading.Thread(target=_look_up, args=(host, flight), name="tenantgate-host-lookup", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        flight.land(ProviderUnreachable("no thread could be started for a look-up", host=host))


def _look_up(host: str, flight: Flight) -> None:
    error = None
    try:
        socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        error = ProviderUnreachable("the provider's host can't be found", host=host)
    finally:
        flight.land(error)
