"""Looks up a provider's host in a thread of its own, one at a time for each host.

On an event loop every look-up (the database's, too) goes through the loop's few default threads, and a name whose
servers are silent keeps one of them for half a minute, whatever its caller's time-out says. So a host is first looked
up here; only one that was found is left to the HTTP client.
"""

from __future__ import annotations

import socket
import threading
import time

from tenantgate.errors.tokens import ProviderTimeout, ProviderUnreachable
from tenantgate.tokens.flights import Flight
from tenantgate.tokens.waiting import landing


class HostLookups:
    """The look-ups of one process. A silent name costs one thread, however many callers ask for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[str, Flight] = {}

    async def require(self, host: str, *, seconds: float) -> None:
        """Return once the host was found.

        Raises `ProviderUnreachable` for an unknown one, and `ProviderTimeout` after `seconds`: at once for a host whose
        last look-up still hasn't come back.
        """
        with self._lock:
            flight = self._flights.get(host)
            if flight is None or flight.landed:
                flight = self._flights[host] = Flight(time.time(), seconds, time.time)
                _begin(host, flight)
        await landing(flight, seconds)
        if not flight.landed:
            raise ProviderTimeout("the provider's host was not found in time", host=host)
        if flight.error is not None:
            raise type(flight.error)(flight.error.reason, host=host)


def _begin(host: str, flight: Flight) -> None:
    # Not a thread of an executor: those are waited for when the process ends.
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
