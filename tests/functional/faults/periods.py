"""Run the flows while a link has a fault, and compare with the matrix."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import AbstractContextManager

from tests.fixtures.faults.flows import WORKS, Flow, Flows, Ran
from tests.fixtures.faults.stack import FaultStack, Link
from tests.functional.faults.matrix import KINDS, RECOVERY, cell

# The stack's key sets are stale after a second, so that the provider's faults meet a fetch.
_STALE_SECONDS = 1.05


def run_period(stack: FaultStack, flows: Flows, link: Link, kind: str, *, chosen: Iterable[Flow]) -> dict[Flow, Ran]:
    """Run the chosen flows during the fault, and return their outcomes. Afterwards the link is healthy."""
    flows.prepare()
    if link == "provider":
        time.sleep(_STALE_SECONDS)
    proxy = stack.links[link]
    fault, toward = KINDS[kind].fault, KINDS[kind].toward
    failing: AbstractContextManager[None] = proxy.gone() if fault is None else proxy.failing(fault, *toward)
    with failing:
        ran = flows.run(*chosen)
        # A server that is gone sees no byte, and a connection that is kept has no end. One flow may find all it needs.
        if fault is not None and kind != "slow close" and len(ran) > 1:
            assert proxy.met, f"{link}, {kind}: {ran} have not met the fault"
    return ran


def findings(link: Link, kind: str, ran: dict[Flow, Ran]) -> list[str]:
    """Return the cells that are not as stated."""
    found: list[str] = []
    for flow, (outcome, seconds) in ran.items():
        stated = cell(link, kind, flow)
        if outcome != stated.outcome or seconds > stated.within:
            found.append(f"{link}, {kind}, {flow}: {outcome} in {seconds:.2f} s, stated {stated}")
    return found


def recover(flows: Flows, link: Link, ran: dict[Flow, Ran]) -> float:
    """Wait until sign-ins, reading sessions, and the flows that failed work again; return the seconds that it took."""
    began = time.monotonic()
    failed: set[Flow] = {flow for flow, one in ran.items() if one.outcome != WORKS}
    if link == "cache":
        # The only flow that notices the client's pause after a failure.
        failed.add("sign out")
    while True:
        try:
            flows.prepare()
            again = flows.run(*failed)
            assert all(one.outcome == WORKS for one in again.values()), again
        except AssertionError:
            if time.monotonic() > began + RECOVERY[link]:
                raise
            time.sleep(0.05)
        else:
            return time.monotonic() - began
