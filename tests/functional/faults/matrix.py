"""The fault matrix: the stated outcome and time limit of each flow, for each fault of each link.

The table in docs/RELIABILITY.md is written from this module, and the tests run it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, get_args

from tests.fixtures.faults.fault import Fault
from tests.fixtures.faults.flows import WORKS, Flow
from tests.fixtures.faults.proxy import BOTH, Toward
from tests.fixtures.faults.stack import Link

LINKS: tuple[Link, ...] = get_args(Link.__value__)
FLOWS: tuple[Flow, ...] = get_args(Flow.__value__)


class Kind(NamedTuple):
    """A kind of fault. `fault`: None for a server that is gone."""

    text: str
    fault: Fault | None
    toward: tuple[Toward, ...] = BOTH


class Cell(NamedTuple):
    """A stated outcome, and the seconds within which it must be there."""

    outcome: str
    within: float


# The last four make a link unusable. A response that is cut off or reset is lost after its request was executed.
KINDS: Mapping[str, Kind] = {
    "latency": Kind("each message 50 ms late, ± 30 ms", Fault(latency=0.05, jitter=0.03)),
    "bandwidth": Kind("20 kB/s", Fault(bandwidth=20_000)),
    "slow close": Kind("the end of a connection 5 s late", Fault(close_late=5.0)),
    "slicing": Kind("segments of 16 bytes, one in a millisecond", Fault(slices=16)),
    "reset": Kind("each response replaced by a reset", Fault(reset_after=0), ("client",)),
    "cut-off": Kind("each response cut off after 3 bytes", Fault(cut_after=3), ("client",)),
    "time-out": Kind("silence, on old and new connections", Fault(silent=True)),
    "gone": Kind("connections reset, new ones refused", None),
}
_UNUSABLE = ("reset", "cut-off", "gone")
_SLOW = ("latency", "bandwidth", "slicing")

# Cells that don't wait for the link.
_FINE = Cell(WORKS, 2.0)
# Each round trip takes up to 0.16 s, and a sign-in has about fifteen of them.
_SLOWED = Cell(WORKS, 4.0)
_NO_DATABASE = "503 SYS_001"
_NO_CACHE = "503 SYS_005"
# The flows that use a link, with a flow's cell if the link refuses or resets, and if it is silent.
_LOST: Mapping[Link, Mapping[Flow, tuple[Cell, Cell]]] = {
    # 1 s for a kept connection and 3 s for a new one.
    "database": {
        "sign in": (Cell(_NO_DATABASE, 2.0), Cell(_NO_DATABASE, 5.0)),
        "refresh": (Cell(_NO_DATABASE, 2.0), Cell(_NO_DATABASE, 5.0)),
        "sign out": (Cell(_NO_DATABASE, 2.0), Cell(_NO_DATABASE, 5.0)),
        "audit trail": (Cell(_NO_DATABASE, 2.0), Cell(_NO_DATABASE, 5.0)),
        "export": (Cell(_NO_DATABASE, 2.0), Cell(_NO_DATABASE, 5.0)),
        "erase": (Cell(_NO_DATABASE, 2.0), Cell(_NO_DATABASE, 5.0)),
    },
    # The web functions read PostgreSQL instead. The session has ended there, but not yet for the authorizer.
    "cache": {
        "validate, bearer": (_FINE, _FINE),
        "validate, cookie": (_FINE, _FINE),
        "refresh": (_FINE, _FINE),
        "sign out": (Cell(_NO_CACHE, 2.0), Cell(_NO_CACHE, 2.0)),
        "audit trail": (_FINE, _FINE),
        "export": (_FINE, _FINE),
        "erase": (Cell(_NO_CACHE, 2.0), Cell(_NO_CACHE, 2.0)),
    },
    # The old keys stay in use when they can't be fetched again within 2 s. At a sign-out, the provider gets 3 s.
    "provider": {
        "sign in": (Cell("502 SYS_004", 2.0), Cell("504 SYS_004", 9.0)),
        "validate, bearer": (Cell(WORKS, 3.0), Cell(WORKS, 3.0)),
        "refresh": (Cell("502 SYS_004", 2.0), Cell("504 SYS_004", 27.0)),
        "sign out": (_FINE, Cell(WORKS, 5.0)),
        "audit trail": (Cell(WORKS, 3.0), Cell(WORKS, 3.0)),
        "export": (Cell(WORKS, 3.0), Cell(WORKS, 3.0)),
        "erase": (Cell(WORKS, 3.0), Cell(WORKS, 3.0)),
        "authorizer, bearer": (Cell(WORKS, 3.0), Cell(WORKS, 3.0)),
    },
    # No decision on cookies: only Valkey tells the authorizer that a session is live.
    "authorizer's cache": {
        "authorizer, bearer": (_FINE, _FINE),
        "authorizer, cookie": (Cell("500 SYS_005", 1.0), Cell("500 SYS_005", 1.0)),
    },
}

# Seconds after the end of a fault in which every flow works again.
RECOVERY: Mapping[Link, float] = {"database": 5.0, "cache": 2.0, "provider": 5.0, "authorizer's cache": 2.0}
# A test of every commit leaves out the cells that take longer.
LONG_SECONDS = 10.0


def cell(link: Link, kind: str, flow: Flow) -> Cell:
    """Return what is stated for a flow while a link has this fault."""
    refused, silent = _LOST[link].get(flow, (_FINE, _FINE))
    if kind in _SLOW:
        return _SLOWED if flow in _LOST[link] else _FINE
    return silent if kind == "time-out" else refused if kind in _UNUSABLE else _FINE


# A link that is gone for longer than the list of revocations counts: a revocation could be missed. Other flows and
# links are as before. The web functions read PostgreSQL while Valkey is away; they publish the authorizer's list, too.
BEYOND_THE_BOUND: Mapping[Link, Mapping[Flow, str]] = {
    "database": {
        "sign in": "503 SYS_011",
        "validate, bearer": "503 SYS_011",
        "validate, cookie": "503 SYS_011",
        "audit trail": "503 SYS_011",
        "export": "503 SYS_011",
        "erase": "503 SYS_011",
        "authorizer, bearer": "500 SYS_011",
        "authorizer, cookie": "500 SYS_011",
    },
    "cache": {"authorizer, bearer": "500 SYS_011", "authorizer, cookie": "500 SYS_011"},
    "authorizer's cache": {"authorizer, bearer": "500 SYS_011"},
}


def beyond(link: Link, flow: Flow) -> str:
    """Return the outcome of a flow whose link has been gone for longer than the list of revocations counts."""
    return BEYOND_THE_BOUND.get(link, {}).get(flow, cell(link, "gone", flow).outcome)


def midway(link: Link, flow: Flow) -> frozenset[str]:
    """Return the outcomes of a flow whose link is lost at any moment."""
    outcomes = {WORKS, cell(link, "reset", flow).outcome, cell(link, "time-out", flow).outcome}
    if link == "database" and flow in ("sign out", "erase"):
        # It is done, but the list of revocations, which is read afterwards, was not published.
        outcomes.add(_NO_CACHE)
    return frozenset(outcomes)
