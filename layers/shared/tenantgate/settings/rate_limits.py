"""`RATE_LIMITS`: the form of its text, and the defaults. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

# Many people may share an address, and many users a tenant. A provider's logout tokens and security events all come
# from its few addresses, so these routes count separately. Health checks aren't limited.
DEFAULT_RATE_LIMITS = (
    "address=600/minute,identity=600/minute,tenant=6000/minute,"
    "GET /api/v1/auth/login=120/minute,GET /api/v1/auth/callback=120/minute,POST /api/v1/auth/callback=120/minute,"
    "POST /api/v1/auth/backchannel-logout=6000/minute,POST /api/v1/security-events=6000/minute,"
    "GET /api/v1/health/live=off,GET /api/v1/health/ready=off"
)

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_CALLERS = ("address", "identity", "tenant")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "ANY"})
_PATH = re.compile(r"/[A-Za-z0-9_./{}+-]*")
_MOST = 10_000_000


class Limit(NamedTuple):
    """A number of requests in a window of `seconds`, which begins with the first of them."""

    amount: int
    seconds: int


class RateLimits(NamedTuple):
    """The limits in force; None for one that is off. `routes`: by method and path, as `GET /api/v1/auth/login`."""

    address: Limit | None
    identity: Limit | None
    tenant: Limit | None
    routes: Mapping[str, Limit | None]

    def __bool__(self) -> bool:
        """Tell whether any request is counted."""
        return any((self.address, self.identity, self.tenant, *self.routes.values()))


def parse_rate_limits(text: str, *, relaxed: bool) -> RateLimits:
    """Parse `name=N/window`, separated by commas; a limit that isn't named has its default. `off` turns all limits off.

    `relaxed`, in development and test: the defaults are off. Raises `ValueError` with the entry to fix.
    """
    if text.strip().lower() == "off":
        return _limits({})
    defaults = _entries(DEFAULT_RATE_LIMITS)
    if relaxed:
        defaults = dict.fromkeys(defaults)
    return _limits({**defaults, **_entries(text)})


def _entries(text: str) -> dict[str, Limit | None]:
    found: dict[str, Limit | None] = {}
    for number, entry in enumerate(filter(None, (part.strip() for part in text.split(","))), start=1):
        written, _, value = entry.rpartition("=")
        name = _name(written.strip(), number)
        if name in found:
            raise ValueError(f"entry {number} repeats the name of an earlier one: state each once")
        found[name] = _limit(value.strip().lower(), number)
    return found


def _name(text: str, number: int) -> str:
    if text.lower() in _CALLERS:
        return text.lower()
    method, _, path = text.partition(" ")
    if method.upper() in _METHODS and _PATH.fullmatch(path.strip()):
        return f"{method.upper()} {path.strip()}"
    # Never the entry itself: a value that belongs to another variable may be a secret.
    raise ValueError(f"entry {number} must begin with address=, identity=, tenant= or a route, as GET /path=")


def _limit(value: str, number: int) -> Limit | None:
    if value == "off":
        return None
    amount, _, window = value.partition("/")
    is_number = amount.isascii() and amount.isdigit() and len(amount) <= len(str(_MOST))
    if not is_number or not 1 <= int(amount) <= _MOST or window.strip() not in _SECONDS:
        raise ValueError(
            f"entry {number} must end with a number from 1 to {_MOST} and its window, second, minute, hour or day, as "
            "in address=600/minute; or with off"
        )
    return Limit(int(amount), _SECONDS[window.strip()])


def _limits(entries: Mapping[str, Limit | None]) -> RateLimits:
    return RateLimits(
        address=entries.get("address"),
        identity=entries.get("identity"),
        tenant=entries.get("tenant"),
        routes={name: limit for name, limit in entries.items() if name not in _CALLERS},
    )
