"""The functions behind all APIs of the gateway: loaded, invoked, restarted and stopped together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from lambda_gateway.model import FunctionSpec
from lambda_gateway.runtime.environments import Function
from lambda_gateway.runtime.failures import FunctionError


@dataclass(slots=True)
class Metrics:
    """A function's metrics, as CloudWatch counts them (AWS/Lambda: Invocations, Errors).

    An invocation that raised, timed out or ended its process is an error. So is the exception by which an authorizer
    requests a 401.
    """

    invocations: int = 0
    errors: int = 0


class Functions(Mapping[str, Function]):
    """Functions by name.

    environments  the maximum number of processes of each function
    on_output     called with the function's name and each line that it writes
    on_start      called with the function's name and the seconds that a new process took to start
    """

    def __init__(
        self, *, environments: int, on_output: Callable[[str, str], None], on_start: Callable[[str, float], None]
    ) -> None:
        self._environments = environments
        self._on_output = on_output
        self._on_start = on_start
        self._functions: dict[str, Function] = {}
        # Kept for functions that a reload removed.
        self.metrics: dict[str, Metrics] = {}
        # Work that no caller waits for: invocations past the gateway's timeout, and functions that were removed.
        self._abandoned: set[asyncio.Task[bytes] | asyncio.Task[None]] = set()
        self._warming: asyncio.Task[None] | None = None

    def __getitem__(self, name: str) -> Function:
        return self._functions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def __len__(self) -> int:
        return len(self._functions)

    def load(self, specs: Mapping[str, FunctionSpec]) -> None:
        """Replace all functions. Functions whose description changed restart."""
        for name in [name for name in self._functions if name not in specs]:
            self._abandon(asyncio.create_task(self._functions.pop(name).stop()))
        for name, spec in specs.items():
            known = self._functions.get(name)
            if known is None:
                self._functions[name] = Function(
                    spec, limit=self._environments, on_output=self._on_output, on_start=self._on_start
                )
            elif known.spec != spec:
                known.restart(spec)

    def restart(self, names: Iterable[str]) -> list[str]:
        """Restart functions whose code changed. Return those that were running, the last used first."""
        running = [name for name in names if self._functions[name].restart()]
        running.sort(key=lambda name: self._functions[name].last_used, reverse=True)
        if self._warming is not None:
            self._warming.cancel()
        self._warming = asyncio.create_task(self._warm(running))
        return running

    async def _warm(self, names: Iterable[str]) -> None:
        # One after the other: a function that gets a request in the meantime starts at once.
        for name in names:
            if name in self._functions:
                await self._functions[name].warm()

    async def retire_idle(self, *, every: float = 15.0) -> None:
        """Run until cancelled: stop processes that only a burst of requests needed."""
        while True:
            await asyncio.sleep(every)
            for function in self._functions.values():
                function.retire_idle()

    async def stop(self) -> None:
        """Stop every function's processes."""
        if self._warming is not None:
            self._warming.cancel()
        await asyncio.gather(*(function.stop() for function in self._functions.values()))
        await asyncio.gather(*self._abandoned, return_exceptions=True)

    async def invoke(self, name: str, payload: bytes, trace_id: str, limit: float) -> bytes:
        """Invoke a function. Raises FunctionError, or TimeoutError after `limit` seconds.

        The invocation itself continues after a TimeoutError, as it does on AWS, and if the caller is cancelled.
        """
        if name not in self._functions:
            # A reload removed it while a request or a connection still needed it.
            raise FunctionError("Function.Removed", f"{name} is no longer in the template")
        task = asyncio.create_task(self._counted(name, payload, trace_id))
        try:
            done, _ = await asyncio.wait({task}, timeout=limit)
        except asyncio.CancelledError:
            self._abandon(task)
            raise
        if done:
            return task.result()
        self._abandon(task)
        raise TimeoutError

    async def _counted(self, name: str, payload: bytes, trace_id: str) -> bytes:
        metrics = self.metrics.setdefault(name, Metrics())
        metrics.invocations += 1
        try:
            return await self._functions[name].invoke(payload, trace_id=trace_id)
        except FunctionError:
            metrics.errors += 1
            raise

    def _abandon(self, task: asyncio.Task[bytes] | asyncio.Task[None]) -> None:
        self._abandoned.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[bytes] | asyncio.Task[None]) -> None:
        self._abandoned.discard(task)
        if not task.cancelled():
            # asyncio logs an exception that is never retrieved.
            task.exception()
