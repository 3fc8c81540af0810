"""The functions behind every API of the gateway: loaded, invoked, started anew, stopped together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from lambda_gateway.model import FunctionSpec
from lambda_gateway.responses.http_api import MalformedAnswer
from lambda_gateway.runtime.environments import Function
from lambda_gateway.runtime.failures import FunctionError

# Lambda's own limit for the event and for the answer.
MAX_LAMBDA_PAYLOAD = 6 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Handled:
    """One request as it was answered. `function` and `route_key` are empty if the gateway answered by itself."""

    method: str
    path: str
    status: int
    seconds: float
    request_id: str
    route_key: str = ""
    function: str = ""
    api: str = ""


@dataclass(slots=True)
class Observer:
    """Who wants to know. `failed` is told the function's name and what went wrong in it."""

    handled: Callable[[Handled], None] = lambda _handled: None
    failed: Callable[[str, FunctionError | MalformedAnswer], None] = lambda _name, _error: None
    output: Callable[[str, str], None] = lambda _name, _line: None
    started: Callable[[str, float], None] = lambda _name, _seconds: None


class Functions(Mapping[str, Function]):
    """By name. `environments` is how many processes each may have at once."""

    def __init__(self, observer: Observer, *, environments: int) -> None:
        self._observer = observer
        self._environments = environments
        self._functions: dict[str, Function] = {}
        self._unanswered: set[asyncio.Task[bytes]] = set()
        self._warming: asyncio.Task[None] | None = None

    def __getitem__(self, name: str) -> Function:
        return self._functions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def __len__(self) -> int:
        return len(self._functions)

    def load(self, specs: Mapping[str, FunctionSpec]) -> None:
        """Have these from now on. Those that are described differently start anew."""
        for name in [name for name in self._functions if name not in specs]:
            self._retire(self._functions.pop(name))
        for name, spec in specs.items():
            known = self._functions.get(name)
            if known is None:
                self._functions[name] = self._function(spec)
            elif known.spec != spec:
                known.restart(spec)

    def restart(self, names: Iterable[str]) -> list[str]:
        """Serve from changed code; returns which of `names` were running. These start anew, the last used first."""
        running = [name for name in names if self._functions[name].restart()]
        running.sort(key=lambda name: self._functions[name].last_used, reverse=True)
        if self._warming is not None:
            self._warming.cancel()
        self._warming = asyncio.create_task(self._warm(running))
        return running

    async def _warm(self, names: Iterable[str]) -> None:
        # One after the other: whoever is asked for meanwhile starts at once by itself.
        for name in names:
            if name in self._functions:
                await self._functions[name].warm()

    async def retire_idle(self, *, every: float = 15.0) -> None:
        """Run for ever: end environments that were needed for a burst of requests only."""
        while True:
            await asyncio.sleep(every)
            for function in self._functions.values():
                function.retire_idle()

    async def stop(self) -> None:
        """End every function's processes."""
        if self._warming is not None:
            self._warming.cancel()
        await asyncio.gather(*(function.stop() for function in self._functions.values()))
        await asyncio.gather(*self._unanswered, return_exceptions=True)

    async def invoke(self, name: str, payload: bytes, trace_id: str, limit: float) -> bytes:
        """Raises FunctionError, or TimeoutError when the gateway stops waiting; the invocation itself goes on then."""
        task = asyncio.create_task(self._functions[name].invoke(payload, trace_id=trace_id))
        done, _ = await asyncio.wait({task}, timeout=limit)
        if done:
            return task.result()
        self._unanswered.add(task)
        task.add_done_callback(self._forget)
        raise TimeoutError

    def _forget(self, task: asyncio.Task[bytes]) -> None:
        self._unanswered.discard(task)
        if not task.cancelled():
            # Nobody waits for it any more; unread, it would be reported as lost.
            task.exception()

    def _function(self, spec: FunctionSpec) -> Function:
        return Function(
            spec, limit=self._environments, on_output=self._observer.output, on_start=self._observer.started
        )

    def _retire(self, function: Function) -> None:
        task = asyncio.ensure_future(_nothing(function.stop()))
        self._unanswered.add(task)
        task.add_done_callback(self._forget)


async def _nothing(work: Awaitable[None]) -> bytes:
    await work
    return b""
