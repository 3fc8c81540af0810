"""Processes of one function: started on first use, more when requests overlap, new ones when the code changes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable

from lambda_gateway.model import FunctionSpec
from lambda_gateway.runtime.failures import FunctionError, NotRunning
from lambda_gateway.runtime.process import FunctionProcess

# Seconds that a request waits for a busy environment before another one is started; less than a start takes.
_PATIENCE = 0.05
_IDLE_SECONDS = 60.0


class Function:
    """One function and its environments.

    limit      the maximum number of environments; further requests wait for a free one
    on_output  called with the function's name and each line that it writes
    on_start   called with the function's name and the seconds that a new environment took to start
    """

    def __init__(
        self,
        spec: FunctionSpec,
        *,
        limit: int = 8,
        on_output: Callable[[str, str], None] = lambda _name, _line: None,
        on_start: Callable[[str, float], None] = lambda _name, _seconds: None,
    ) -> None:
        self.spec = spec
        self._limit = limit
        self._on_output = on_output
        self._on_start = on_start
        self._idle: list[tuple[FunctionProcess, float]] = []
        # Environments with the current code. Those with older code are only in `_all`, until they have ended.
        self._current: set[FunctionProcess] = set()
        self._all: set[FunctionProcess] = set()
        self._generation = 0
        self.last_used = 0.0
        self._waiting: deque[asyncio.Future[FunctionProcess]] = deque()
        self._starting = 0
        self._starts: set[asyncio.Task[None]] = set()
        self._stops: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def environments(self) -> int:
        """The number of running processes that have the current code."""
        return len(self._current)

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._all if process.pid is not None]

    async def invoke(self, payload: bytes, *, trace_id: str = "") -> bytes:
        """Invoke the function with an event and return its response, both as JSON text. Raises FunctionError."""
        self.last_used = time.monotonic()
        while True:
            process = await self._acquire()
            try:
                return await process.invoke_raw(payload, trace_id=trace_id)
            except NotRunning:
                continue
            finally:
                self._release(process)

    def restart(self, spec: FunctionSpec | None = None) -> bool:
        """Use new processes for further requests; a running invocation is completed first.

        Return True if any process was running.
        """
        self.spec = spec or self.spec
        self._generation += 1
        was_running = bool(self._current)
        idle, self._idle = self._idle, []
        self._current = set()
        for process, _ in idle:
            self._discard(process)
        self._grow()
        return was_running

    async def warm(self) -> None:
        """Start an environment before the next request. A failure is reported by the request that needs it."""
        if not self._current and not self._starting and not self._closed:
            self._start(patience=0.0)
        await asyncio.gather(*self._starts, return_exceptions=True)

    async def stop(self) -> None:
        """Stop every environment, also during an invocation."""
        self._closed = True
        for waiter in self._waiting:
            waiter.cancel()
        for start in self._starts:
            start.cancel()
        # A cancelled start stops its own process. A stop in progress must complete.
        await asyncio.gather(*self._starts, *self._stops, return_exceptions=True)
        await asyncio.gather(*(process.stop() for process in list(self._all)), return_exceptions=True)
        self._idle, self._current, self._all = [], set(), set()

    def retire_idle(self) -> None:
        """Stop environments that were idle for a minute, except one."""
        oldest_kept = time.monotonic() - _IDLE_SECONDS
        while len(self._idle) > 1 and self._idle[0][1] < oldest_kept:
            process, _ = self._idle.pop(0)
            self._current.discard(process)
            self._discard(process)

    async def _acquire(self) -> FunctionProcess:
        while self._idle:
            process, _ = self._idle.pop()
            if process.alive:
                return process
            self._current.discard(process)
            self._discard(process)
        waiter: asyncio.Future[FunctionProcess] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self._grow()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._release(waiter.result())
            raise
        finally:
            with contextlib.suppress(ValueError):
                self._waiting.remove(waiter)

    def _release(self, process: FunctionProcess) -> None:
        if process not in self._current or not process.alive:
            self._current.discard(process)
            self._discard(process)
            self._grow()
            return
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(process)
                return
        self._idle.append((process, time.monotonic()))

    def _grow(self) -> None:
        waiting = sum(not waiter.done() for waiter in self._waiting)
        if not self._closed and self._starting < waiting and self._starting + len(self._current) < self._limit:
            self._start(patience=_PATIENCE if self._current else 0.0)

    def _start(self, *, patience: float) -> None:
        self._starting += 1
        task = asyncio.create_task(self._start_one(self.spec, self._generation, patience))
        self._starts.add(task)
        task.add_done_callback(self._starts.discard)

    async def _start_one(self, spec: FunctionSpec, generation: int, patience: float) -> None:
        waiting_for_it = list(self._waiting)
        process: FunctionProcess | None = None
        failure: FunctionError | None = None
        try:
            if patience:
                await asyncio.sleep(patience)
                waiting_for_it = list(self._waiting)
            if not patience or not all(waiter.done() for waiter in waiting_for_it):
                process = self._process(spec)
                await process.start()
        except FunctionError as error:
            failure = error
        finally:
            self._starting -= 1
        if failure is not None:
            self._fail(waiting_for_it, failure)
            return
        if process is None:
            return
        self._on_start(spec.name, process.init_seconds)
        self._all.add(process)
        if generation == self._generation:
            self._current.add(process)
        self._release(process)
        self._grow()

    def _process(self, spec: FunctionSpec) -> FunctionProcess:
        return FunctionProcess(
            spec.handler,
            name=spec.name,
            env=spec.env,
            # The function's own folder, as on Lambda: other files of the checkout, such as a .env, aren't found there.
            cwd=spec.code if spec.code.is_dir() else spec.root,
            pythonpath=(spec.root, *spec.layers),
            timeout=spec.timeout,
            memory=spec.memory,
            confined=True,
            on_output=lambda line: self._on_output(spec.name, line),
        )

    def _fail(self, waiting: list[asyncio.Future[FunctionProcess]], error: FunctionError) -> None:
        """Fail the requests that waited since before the start, unless an environment exists that can serve them.

        Later requests may come after a fix of the code: for them, another environment is started.
        """
        if self._current:
            return
        for waiter in waiting:
            if not waiter.done():
                waiter.set_exception(error)
        self._grow()

    def _discard(self, process: FunctionProcess) -> None:
        task = asyncio.create_task(self._stop_one(process))
        self._stops.add(task)
        task.add_done_callback(self._stops.discard)

    async def _stop_one(self, process: FunctionProcess) -> None:
        await process.stop()
        self._all.discard(process)
