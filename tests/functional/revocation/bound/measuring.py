"""Revoke credentials in one condition of Valkey, and find out for how long any worker still lets them in."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.functional.revocation.bound.conditions import CONDITIONS, FORGETS, Outages
from tests.functional.revocation.bound.credentials import Credential, Credentials, NotRecorded
from tests.functional.revocation.bound.figures import GOAL_LATEST, Figures
from tests.functional.revocation.bound.probing import Prober, Revoked, probing
from tests.functional.revocation.bound.stack import WEB, BoundStack

# The wait, also on a busy machine, until every worker decides again and has refused everything.
_SETTLE_SECONDS = 60.0
# Revoked credentials of a cycle that are sent to every worker once more at its end.
_ASKED_AGAIN = 40


@dataclass
class Measured:
    """All that happened in one condition. `found`: deviations from the bound."""

    name: str
    revoked: list[Revoked] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    recoveries: list[float] = field(default_factory=list)
    undecided_after: list[float] = field(default_factory=list)
    found: list[str] = field(default_factory=list)

    def figures(self) -> Figures:
        """Return what the page shows."""
        return Figures.of(
            self.name,
            acknowledged=[one.delay for one in self.revoked if one.acknowledged is not None],
            recorded=[one.delay for one in self.revoked if one.acknowledged is None],
            shut=[one.shut for one in self.revoked],
            kinds=Counter(one.credential.kind for one in self.revoked),
            statuses=self.statuses,
            codes=self.codes,
            repeated=sum(one.repeated for one in self.revoked),
            allowed_again=sum(one.allowed_again for one in self.revoked),
            recovery=max(self.recoveries, default=0.0),
            undecided_after=max(self.undecided_after, default=0.0),
        )


async def measure(
    stack: BoundStack, credentials: Credentials, name: str, *, revocations: int, seconds: float, rate: float
) -> Measured:
    """Revoke this many credentials, in cycles of so many seconds, at a mean rate per second."""
    measured = Measured(name)
    for worker in stack.workers:
        worker.codes.clear()
    while (left := revocations - len(measured.revoked)) > 0:
        await _cycle(stack, credentials, measured, min(left, round(rate * seconds)), seconds)
    for worker in stack.workers:
        measured.codes += worker.codes
    return measured


async def _cycle(stack: BoundStack, credentials: Credentials, measured: Measured, count: int, seconds: float) -> None:
    made = await credentials.make(count)
    await _require_allowed(stack, made)
    control = credentials.control()
    outages = Outages()
    async with probing(stack.workers, control) as probers:
        disturbed = asyncio.create_task(CONDITIONS[measured.name].disturb(stack, seconds, outages))
        revoked = await _revoke(stack, made, probers, seconds)
        await disturbed
        ended = time.monotonic()
        await _settled(measured, probers, ended)
    measured.revoked += revoked
    for prober in probers:
        measured.statuses += Counter({str(status): n for status, n in prober.seen.statuses.items()})
    measured.undecided_after += _undecided(measured, probers, outages)
    await _ask_again(probers, revoked)
    for one in revoked:
        if one.delay > GOAL_LATEST:
            measured.found.append(f"{measured.name}: {one.credential.kind} let in {one.delay:.2f} s after")
        if one.allowed_again and measured.name != FORGETS:
            measured.found.append(f"{measured.name}: {one.credential.kind} let in again")


async def _require_allowed(stack: BoundStack, made: Sequence[Credential]) -> None:
    """Require that each credential is let in before it is revoked: by one worker, since all have the same rules."""
    asked: asyncio.Queue[Credential] = asyncio.Queue()
    for credential in made:
        asked.put_nowait(credential)

    async def ask(number: int) -> None:
        while not asked.empty():
            credential = asked.get_nowait()
            ends = time.monotonic() + _SETTLE_SECONDS
            # An earlier list, without a lifted key id, may still count; and an emptied server may have none.
            while (status := await stack.workers[number].ask(credential.headers)) != 200:
                assert time.monotonic() < ends, f"{credential.kind}: {status} before it was revoked"
                if credential.by_cookie:
                    # On a busy machine, Valkey may not have got the session's entry in time.
                    await stack.container.get("/api/v1/auth/validate", headers=credential.headers)
                await asyncio.sleep(0.1)

    await asyncio.gather(*(ask(number) for number in range(len(stack.workers))))


async def _revoke(
    stack: BoundStack, made: Sequence[Credential], probers: Iterable[Prober], seconds: float
) -> list[Revoked]:
    """Revoke at random moments of these seconds."""
    moments = sorted(random.uniform(0.0, seconds) for _ in made)
    began = time.monotonic()

    async def one(credential: Credential, moment: float) -> Revoked:
        await asyncio.sleep(began + moment - time.monotonic())
        if credential.by_cookie:
            # Its browser is active: a web function writes the session's entry again, if Valkey has lost it.
            await stack.container.get("/api/v1/auth/validate", headers=credential.headers)
        revoked = Revoked(credential, time.monotonic())
        for prober in probers:
            prober.watch(revoked)
        while True:
            try:
                if await credential.revoke():
                    revoked.acknowledged = time.monotonic()
            except NotRecorded:
                # Before the record, no bound begins.
                revoked.repeated += 1
                revoked.sent = time.monotonic()
            else:
                return revoked

    return list(await asyncio.gather(*(one(*pair) for pair in zip(made, moments, strict=True))))


async def _settled(measured: Measured, probers: Sequence[Prober], ended: float) -> None:
    """Wait until every worker has refused everything, and lets the control in again."""
    waiting = list(probers)
    while waiting and time.monotonic() < ended + _SETTLE_SECONDS:
        await asyncio.sleep(0.05)
        waiting = [one for one in waiting if one.left or not _decides(one, ended)]
    measured.recoveries.append(time.monotonic() - ended)
    measured.found += [
        f"{measured.name}: {one.worker.name} has not refused {one.left}, or has not recovered" for one in waiting
    ]


def _decides(prober: Prober, since: float) -> bool:
    last = prober.seen.controls[-1]
    return last.sent > since and last.status == 200


def _undecided(measured: Measured, probers: Iterable[Prober], outages: Outages) -> list[float]:
    """Return the seconds of each outage until an authorizer let no request in; note those beyond the bound."""
    after: list[float] = []
    for began, ended in outages.periods:
        for prober in probers:
            if prober.worker.name == WEB:
                # It reads PostgreSQL.
                continue
            # A request that still waits when the outage ends is decided with Valkey.
            allowed = [
                one.sent
                for one in prober.seen.controls
                if began < one.sent and one.received < ended and one.status == 200
            ]
            after.append(max(allowed, default=began) - began)
            if after[-1] > GOAL_LATEST:
                measured.found.append(f"{measured.name}: {prober.worker.name} decided {after[-1]:.2f} s without Valkey")
    return after


async def _ask_again(probers: Sequence[Prober], revoked: Sequence[Revoked]) -> None:
    """Ask every worker once more about some of the revocations."""
    sample = random.sample(revoked, min(_ASKED_AGAIN, len(revoked)))

    async def ask(prober: Prober) -> None:
        for one in sample:
            await prober.again(one)

    await asyncio.gather(*(ask(prober) for prober in probers))
