"""Requests with credentials that are being revoked, to every worker, and the times at which they were still let in."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.functional.revocation.bound.credentials import Credential
from tests.functional.revocation.bound.stack import Worker

# A worker that makes no decision, or has refused everything, gets fewer requests.
_PAUSE_SECONDS = 0.03
# One request in so many is by a caller that isn't revoked, and another one by one that was refused already.
_CONTROL_EVERY, _AGAIN_EVERY = 10, 5


@dataclass
class Revoked:
    """A credential's revocation, in seconds of the monotonic clock.

    `sent`: the request to revoke it. `acknowledged`: its response; None for "recorded, not yet everywhere".
    `repeated`: earlier requests to revoke it, which were not recorded. `last_allowed`: when the latest request was sent
    that any worker let in. `allowed_again`: by a worker that had refused it. `shut_since`: by worker, when the
    first request was sent after which it let none in.
    """

    credential: Credential
    sent: float
    acknowledged: float | None = None
    repeated: int = 0
    last_allowed: float = 0.0
    allowed_again: int = 0
    shut_since: dict[str, float] = field(default_factory=dict)

    @property
    def delay(self) -> float:
        """Seconds for which it was still let in: after the acknowledgement or, without one, the request to revoke."""
        return self._after(self.last_allowed)

    @property
    def shut(self) -> float:
        """Seconds until requests to every worker had shown that it is no longer let in: at least `delay`."""
        return self._after(max(self.shut_since.values(), default=self.last_allowed))

    def seen(self, worker: str, sent: float, status: int) -> None:
        """Note the status of a request."""
        if status == 200:
            self.last_allowed = max(self.last_allowed, sent)
            self.shut_since.pop(worker, None)
        else:
            self.shut_since.setdefault(worker, sent)

    def _after(self, moment: float) -> float:
        return max(0.0, moment - (self.acknowledged or self.sent))


class Control(NamedTuple):
    """A request of the caller that isn't revoked: the times of the request and the response, and the status."""

    sent: float
    received: float
    status: int


@dataclass
class Seen:
    """The responses of a worker. `controls`: of the caller that isn't revoked."""

    statuses: Counter[int] = field(default_factory=Counter)
    controls: list[Control] = field(default_factory=list)


class Prober:
    """Asks one worker, one request after the other, as an environment of Lambda gets them."""

    def __init__(self, worker: Worker, control: dict[str, str]) -> None:
        self.worker = worker
        self.seen = Seen()
        self._control = control
        self._open: deque[Revoked] = deque()
        self._refused: deque[Revoked] = deque()
        self._stopped = False

    def stop(self) -> None:
        self._stopped = True

    def watch(self, revoked: Revoked) -> None:
        self._open.append(revoked)

    @property
    def left(self) -> int:
        """The number of credentials that the worker has not refused yet."""
        return len(self._open)

    async def run(self) -> None:
        """Ask until `stop` is called."""
        for number in itertools.takewhile(lambda _: not self._stopped, itertools.count()):
            if number % _CONTROL_EVERY == 0:
                sent, status = await self._ask(self._control)
                self.seen.controls.append(Control(sent, time.monotonic(), status))
            elif self._refused and (not self._open or number % _AGAIN_EVERY == 0):
                status = await self.again(self._refused[0])
                self._refused.rotate(-1)
                if not self._open:
                    await asyncio.sleep(_PAUSE_SECONDS)
            elif self._open:
                status = await self._first()
            else:
                status = 503
            if status >= 500:
                await asyncio.sleep(_PAUSE_SECONDS)

    async def again(self, revoked: Revoked) -> int:
        """Ask with a credential that the worker has refused."""
        sent, status = await self._ask(revoked.credential.headers)
        revoked.seen(self.worker.name, sent, status)
        revoked.allowed_again += status == 200
        return status

    async def _first(self) -> int:
        # It stays open, and `left` counts it, until the response.
        revoked = self._open[0]
        sent, status = await self._ask(revoked.credential.headers)
        revoked.seen(self.worker.name, sent, status)
        self._open.popleft()
        (self._refused if status in (401, 403) else self._open).append(revoked)
        return status

    async def _ask(self, headers: dict[str, str]) -> tuple[float, int]:
        """Return when the request was sent, and the status of its response."""
        sent = time.monotonic()
        status = await self.worker.ask(headers)
        assert status in (200, 401, 403, 500, 503), status
        self.seen.statuses[status] += 1
        return sent, status


@asynccontextmanager
async def probing(workers: tuple[Worker, ...], control: dict[str, str]) -> AsyncIterator[list[Prober]]:
    """Ask all workers in the block."""
    probers = [Prober(worker, control) for worker in workers]
    async with asyncio.TaskGroup() as group:
        for prober in probers:
            group.create_task(prober.run())
        try:
            yield probers
        finally:
            for prober in probers:
                prober.stop()
