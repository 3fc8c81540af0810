"""Run a function in its own process, under Lambda's runtime client `awslambdaric`.

    async with FunctionProcess("app.lambda_handler", env={...}, pythonpath=[root, layer]) as process:
        response = await process.invoke(event)

Failures are the exceptions of `failures.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from lambda_gateway.aws import function_arn, new_trace_id
from lambda_gateway.runtime.api import Invocation, RuntimeApi, RuntimeEvents
from lambda_gateway.runtime.failures import Crashed, FunctionError, InitFailed, NotRunning, TimedOut
from lambda_gateway.runtime.memory import memory_exceeded
from lambda_gateway.runtime.packages import runtime_packages
from lambda_gateway.runtime.variables import process_variables

_BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
# Seconds. Lambda's limit is 10 s, but there the bytecode is compiled already and the CPU isn't shared.
_INIT_TIMEOUT = 30.0
_STOP_GRACE = 1.0
_KEPT_OUTPUT_LINES = 40


class FunctionProcess:
    """One execution environment. Accepts one invocation at a time, as on Lambda.

    handler         dotted name, such as `app.lambda_handler`
    env             the function's variables; the process inherits no others (`process_variables` adds Lambda's)
    pythonpath      folders that come before the interpreter's own on the path; the first is /var/task on Lambda
    cwd             the working directory; default: the first of `pythonpath`
    timeout         seconds for one invocation
    isolated        True: only `pythonpath`, the standard library and the packages of Lambda's runtime (awslambdaric,
                    boto3) can be imported, not this interpreter's site-packages
    confined        True: the folders in `pythonpath` are read-only and `memory` is a limit, as on Lambda
    on_output       called with each line that the process writes, without its end; `output` keeps the last lines
    """

    def __init__(
        self,
        handler: str,
        *,
        env: Mapping[str, str] | None = None,
        pythonpath: Sequence[Path] = (),
        cwd: Path | None = None,
        timeout: float = 30.0,
        memory: int = 128,
        name: str = "function",
        isolated: bool = False,
        confined: bool = False,
        python: str = sys.executable,
        init_timeout: float = _INIT_TIMEOUT,
        on_output: Callable[[str], None] | None = None,
    ) -> None:
        self.handler = handler
        self.name = name
        self.timeout = timeout
        self.memory = memory
        self.init_timeout = init_timeout
        self.init_seconds = 0.0
        self.output: deque[str] = deque(maxlen=_KEPT_OUTPUT_LINES)
        self.arn = function_arn(name)
        self._env = dict(env or {})
        self._pythonpath = [Path(path).resolve() for path in pythonpath]
        self._cwd = (cwd or (self._pythonpath[0] if self._pythonpath else Path.cwd())).resolve()
        self._isolated = isolated
        self._confined = confined
        self._used_memory = 0
        self._python = python
        self._on_output = on_output
        self._api = RuntimeApi(RuntimeEvents(self._ready, self._responded, self._failed, self._init_failed))
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._memory_watcher: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[None] | None = None
        self._request_id = ""
        self._at_ready: asyncio.Future[None] | None = None
        self._response: asyncio.Future[bytes] | None = None
        self._stopping = False

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    @property
    def alive(self) -> bool:
        return (
            self._process is not None
            and self._process.returncode is None
            and not self._stopping
            and not _has_ended(self._process.pid)
        )

    @property
    def busy(self) -> bool:
        return self._request_id != ""

    async def start(self) -> None:
        """Start the process and wait until the handler is loaded. Raises InitFailed; the process has ended then."""
        began = time.perf_counter()
        address = await self._api.start()
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._at_ready = ready
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command(),
                env=self._environment(address),
                cwd=self._cwd,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                # In a new session, Ctrl-C in the terminal reaches only the parent.
                start_new_session=True,
            )
            self._reader = asyncio.create_task(self._read_output(self._process))
            self._watcher = asyncio.create_task(self._watch(self._process))
            if self._confined:
                self._memory_watcher = asyncio.create_task(self._limit_memory(self._process))
            async with asyncio.timeout(self.init_timeout):
                await ready
        except TimeoutError:
            await self.stop()
            raise InitFailed(
                "Sandbox.Timedout", f"loading {self.handler} took longer than {self.init_timeout:g} s"
            ) from None
        except OSError as error:
            await self.stop()
            raise InitFailed("Runtime.InvalidEntrypoint", f"{self.handler} in {self._cwd}: {error.strerror}") from error
        except BaseException:
            await self.stop()
            raise
        self.init_seconds = time.perf_counter() - began

    async def invoke(self, event: object, *, timeout: float | None = None) -> dict[str, Any]:  # noqa: ASYNC109
        """Invoke the function with one event and return its response, both as JSON values. Raises FunctionError."""
        response: dict[str, Any] = json.loads(await self.invoke_raw(json.dumps(event).encode(), timeout=timeout))
        return response

    async def invoke_raw(
        self,
        payload: bytes,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
        trace_id: str = "",
    ) -> bytes:
        """Invoke the function with one event and return its response, both as JSON text. Raises FunctionError."""
        if not self.alive:
            raise NotRunning("Runtime.ExitError", f"{self.name} is not running")
        if self.busy:
            raise RuntimeError(f"{self.name} is busy with an invocation")
        limit = self.timeout if timeout is None else timeout
        loop = asyncio.get_running_loop()
        self._request_id = request_id = str(uuid.uuid4())
        response: asyncio.Future[bytes] = loop.create_future()
        self._response = response
        try:
            async with asyncio.timeout(limit):
                if self._at_ready is not None:
                    await asyncio.shield(self._at_ready)
                self._at_ready = loop.create_future()
                self._api.dispatch(
                    Invocation(
                        request_id=request_id,
                        payload=payload,
                        deadline_ms=int((time.time() + limit) * 1000),
                        function_arn=self.arn,
                        trace_id=trace_id or new_trace_id(),
                    )
                )
                return await response
        except TimeoutError:
            await self.stop()
            raise TimedOut("Sandbox.Timedout", f"Task timed out after {limit:.2f} seconds") from None
        except asyncio.CancelledError:
            # The process may never respond, and would be busy until then.
            await asyncio.shield(self.stop())
            raise
        finally:
            self._request_id = ""
            self._response = None

    async def stop(self) -> None:
        """Terminate the process, kill it after a second, and wait until it has ended."""
        self._stopping = True
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(_STOP_GRACE):
                    await process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if self._watcher is not None:
            await self._watcher
        if self._reader is not None:
            # A child process of the function may still hold the pipe open.
            await asyncio.wait([self._reader], timeout=_STOP_GRACE)
            self._reader.cancel()
        self._api.close()

    def _command(self) -> list[str]:
        # -P keeps the bootstrap's folder off the path, -S the site-packages.
        flags = ["-P", "-S"] if self._isolated else ["-P"]
        protected = map(str, self._pythonpath) if self._confined else ()
        return [self._python, *flags, str(_BOOTSTRAP), self.handler, *protected]

    def _environment(self, address: str) -> dict[str, str]:
        return process_variables(
            self._env,
            [*self._pythonpath, *([runtime_packages()] if self._isolated else [])],
            handler=self.handler,
            name=self.name,
            memory=self.memory,
            address=address,
            task_root=self._pythonpath[0] if self._pythonpath else self._cwd,
        )

    def _ready(self) -> None:
        if self._at_ready is not None and not self._at_ready.done():
            self._at_ready.set_result(None)

    def _responded(self, request_id: str, body: bytes) -> None:
        if self._response is not None and request_id == self._request_id and not self._response.done():
            self._response.set_result(body)

    def _failed(self, request_id: str, report: bytes) -> None:
        if self._response is not None and request_id == self._request_id and not self._response.done():
            self._response.set_exception(FunctionError.from_report(report))

    def _init_failed(self, report: bytes) -> None:
        if self._at_ready is not None and not self._at_ready.done():
            self._at_ready.set_exception(InitFailed.from_report(report))

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Report it to the waiting caller when the process ends on its own."""
        status = await process.wait()
        if self._memory_watcher is not None:
            self._memory_watcher.cancel()
        how = f"exit status {status}" if status >= 0 else f"signal: {-status}"
        if self._used_memory:
            how = f"signal: killed (Memory Size: {self.memory} MB, Max Memory Used: {self._used_memory} MB)"
        if self._at_ready is not None and not self._at_ready.done():
            self._at_ready.set_exception(InitFailed("Runtime.ExitError", f"Runtime exited with error: {how}"))
            # Retrieved here, because no caller may be waiting: the process can end between two invocations.
            self._at_ready.exception()
        if self._response is not None and not self._response.done():
            self._response.set_exception(Crashed("Runtime.ExitError", f"Runtime exited with error: {how}"))

    async def _limit_memory(self, process: asyncio.subprocess.Process) -> None:
        self._used_memory = await memory_exceeded(process.pid, self.memory)
        if self._used_memory:
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    async def _read_output(self, process: asyncio.subprocess.Process) -> None:
        if process.stdout is None:
            return
        rest = b""
        while chunk := await process.stdout.read(65536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._report(line)
        if rest:
            self._report(rest)

    def _report(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace")
        self.output.append(text)
        if self._on_output is not None:
            self._on_output(text)


def _has_ended(pid: int) -> bool:
    """Return True if the child process has ended. The event loop may not know yet, and reaps it."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True
